"""An exception where nobody expects one: a thread's timeout, ^C, an alarm.

First one at every line of every verb. Then real ones, thrown by another thread, thousands of times.
"""

from __future__ import annotations

import ctypes
import dis
import inspect
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from types import CodeType, FrameType
from typing import Any

import pytest

import hueycore.storage
from hueycore.model.jobs import Selector, Want
from hueycore.storage.sqlite import SqliteStorage, sidefile
from hueycore.storage.sqlite.database import Database
from hueycore.storage.sqlite.dial import Connection
from hueycore.storage.sqlite.guard import Guard
from hueycore.system.shield import raise_shield
from tests.helpers import wait_until
from tests.storage.kit import ended, new, take, worker
from tests.storage.sqlite.faults.conftest import Opener
from tests.storage.sqlite.faults.rig import (
    READERS,
    VERBS,
    Eye,
    World,
    assert_nothing_is_held,
    dump,
    on_the_way,
)
from tests.storage.sqlite.invariants import check_invariants
from tests.storage.sqlite.lab import give_back

#: What holds a byte is closed when nobody refers to it, where an exception came before its close.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed file.*-huey:ResourceWarning")

FLAG = "insert into huey_flag (queue, kind, name, since) values ('huey', 'revoked-id', ?, 0)"
PACKAGE = os.path.dirname(hueycore.storage.__file__)


class Struck(BaseException):
    """Nothing in the library knows it, and no ``except Exception`` catches it."""


@pytest.fixture(autouse=True)
def no_byte_stays_locked() -> Iterator[None]:
    """Not asserted here. Struck between taking a lock byte and writing that down, or while giving
    it back, a process holds a byte that no row names, or a file that it does not use: others pass
    over such a number until the process ends."""
    before = set(sidefile._files)
    yield
    give_back(before)


# --- at every line --------------------------------------------------------------------------------

#: What a trace function can interrupt and a real exception cannot.
#:
#: CPython delivers an asynchronous exception (PyThreadState_SetAsyncExc, a signal's handler) only
#: where it looks at its "eval breaker": when a function is entered (RESUME), after a call (CALL)
#: and at a jump backwards. A trace function raises before a *line*, which is more often.
#:
#: * The exit of ``with lock``. The compiler gives the call of ``__exit__`` the line of the
#:   ``with`` statement, so a line event comes when the block is left. It lies outside of the
#:   block's entry in the exception table: raised there, nothing would ever release the lock. But
#:   between the block's last instruction and that call stand only SWAP, LOAD_CONST and PRECALL,
#:   which do not look; what is pending is raised by the call, after the lock was released.
#: * ``try:`` itself. It is a NOP, which looks at nothing; the compiler leaves it out of the entry
#:   of the ``with`` around it, because it cannot raise.
#: * The ``finally`` of a transaction, of a read and of ``enqueue``: between the block that it
#:   covers and the return of ``execute("rollback")`` (of ``pop``) stand attributes and that one
#:   call into C, so what is pending strikes before (and is covered) or after (when all is done).
#:   The same holds for ``_discard``, which is reached from there. Should another Python strike
#:   there all the same, the next verb rolls back when it begins (``_begin``): tested on its own.
#:
#: * ``__del__``: whatever is raised in it CPython reports and drops.
#:
#: Exactly these are left out here; the real exceptions below hit whatever can be hit.
_ON_THE_WAY_OUT = {Database._discard.__code__, Connection.__del__.__code__}
_C_ONLY = {
    Database._transact.__code__,
    Database._look.__code__,
    Database._look_inside.__code__,
    SqliteStorage.enqueue.__code__,
}


#: How a ``with`` begins: until 3.13, and since 3.14.
_ENTERS = {"BEFORE_WITH", "LOAD_SPECIAL"}


def _exits(code: CodeType) -> set[int]:
    """Offsets at which a ``with`` statement's line begins for another time: its exits."""
    seen: set[int] = set()
    found: set[int] = set()
    withs = {line for instruction, line in _with_lines(code) if instruction.opname in _ENTERS}
    for offset, line in dis.findlinestarts(code):
        if line in withs:
            if line in seen:
                found.add(offset)
            seen.add(line)
    return found


def _with_lines(code: CodeType) -> list[tuple[dis.Instruction, int]]:
    found, line = [], 0
    starts = dict(dis.findlinestarts(code))
    for instruction in dis.get_instructions(code):
        line = starts.get(instruction.offset, line)
        found.append((instruction, line))
    return found


def _finally_lines(code: CodeType) -> set[int]:
    """The lines of those ``finally`` that hold nothing but calls into C."""
    if code not in _C_ONLY:
        return set()
    lines, first = inspect.getsourcelines(code)
    found: set[int] = set()
    inside, indent = False, 0
    for number, text in enumerate(lines, first):
        inside = inside and text.startswith(" " * indent) and bool(text.strip())
        if inside:
            found.add(number)
        if text.strip() == "finally:":
            inside = True
            indent = len(text) - len(text.lstrip()) + 4
    assert found
    return found


def _nops(code: CodeType) -> set[int]:
    return {found.offset for found in dis.get_instructions(code) if found.opname == "NOP"}


_skips: dict[CodeType, tuple[set[int], set[int]]] = {}


def _skip(frame: FrameType) -> bool:
    code = frame.f_code
    if code in _ON_THE_WAY_OUT:
        return True
    if code not in _skips:
        _skips[code] = _exits(code) | _nops(code), _finally_lines(code)
    offsets, lines = _skips[code]
    return frame.f_lasti in offsets or frame.f_lineno in lines


#: Lines at which a verb is struck one by one.
MOST = 200


class Strike:
    """Raises ``Struck`` at the ``at``-th line of the storage's code."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.lines = 0
        self.where = ""

    def __call__(self, frame: FrameType, event: str, arg: Any) -> Any:
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        if event == "line" and not _skip(frame):
            self.lines += 1
            if self.lines == self.at:
                self.where = f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"
                raise Struck(self.where)
        return self

    def run(self, action: Callable[[], Any]) -> bool:
        """Whether the action was struck."""
        before = sys.gettrace()
        sys.settrace(self)
        try:
            action()
        except Struck:
            return True
        finally:
            sys.settrace(before)
        assert not self.where, f"{self.where}: the exception was swallowed"
        return False


@pytest.mark.slow
@pytest.mark.parametrize("name", [*VERBS, *READERS])
def test_an_exception_at_any_line_of_a_verb_leaves_nothing_behind(
    name: str, world: tuple[World, Opener]
) -> None:
    facts, fresh = world
    verb = (VERBS | READERS)[name]
    storage, quiet = fresh(), Strike(0)
    assert not quiet.run(lambda: verb(storage, facts))
    after = [dump(storage.db.path)]
    after += on_the_way(name, fresh(), facts)
    storage, eye = fresh(), Eye()
    eye.open(storage)
    # A verb of many transactions is struck at every second line, third, … of them.
    step = 1 + quiet.lines // MOST
    for at in range(1, 2 * quiet.lines + 100, step):
        strike = Strike(at)
        struck = strike.run(lambda: verb(storage, facts))  # noqa: B023
        if not struck:
            break
        label = f"{name}: {strike.where}"
        try:
            assert_nothing_is_held(storage, eye.connection)
        except (AssertionError, sqlite3.Error) as error:
            raise AssertionError(f"{label}: {error}") from error
        if eye.noticed_a_commit():
            # Struck after the commit: the caller cannot know, but all of it is there.
            assert dump(storage.db.path) in after, label
            eye.close()
            storage = fresh()
            eye.open(storage)
    else:
        raise AssertionError(f"of {quiet.lines} lines, and still struck at the {at}th: {label}")
    eye.close()
    assert at > 3
    assert dump(storage.db.path) == after[0]
    assert storage.put_if_empty("next", b"verb")
    check_invariants(storage.db.path)


def test_a_transaction_that_an_exception_left_open_ends_with_the_next_verb(
    file: SqliteStorage,
) -> None:
    """Two exceptions, the second before the first one's transaction is rolled back."""
    strikes = 0
    finals = _finally_lines(Database._transact.__code__)

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal strikes
        if frame.f_code is not Database._transact.__code__:
            return None
        if event == "line" and frame.f_lineno in finals:
            strikes += 1
            raise Struck
        return trace

    def body(con: sqlite3.Connection) -> None:
        con.execute(FLAG, ("x",))
        raise Struck

    sys.settrace(trace)
    try:
        with pytest.raises(Struck):
            file.db.transact(body)
    finally:
        sys.settrace(None)
    assert strikes == 1
    assert file.db._write is not None
    assert file.db._write.in_transaction
    assert not file.db._lock.locked()

    file.put("name", b"value")

    assert not file.db._write.in_transaction
    assert file.revocations() == []
    assert file.get("name", peek=True) == b"value"


def test_a_queue_whose_last_read_was_struck_at_its_end_is_closed_at_once(
    file: SqliteStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite waits ten seconds for what was locked for the read."""

    def struck(*_: object) -> None:
        raise Struck

    file.put("name", b"value")
    monkeypatch.setattr(Guard, "end_read", struck)
    with pytest.raises(Struck):
        file.get("name", peek=True)

    begun = time.monotonic()
    file.close()

    assert time.monotonic() - begun < 5.0
    assert not os.path.exists(f"{file.db.path}-wal")


def test_the_exits_that_are_left_out_are_those_of_the_locks() -> None:
    """``with self._lock`` has a normal exit and one for exceptions; ``_begin`` has none."""
    assert len(_exits(Database._transact.__code__)) >= 1
    assert _exits(Database._begin.__code__) == set()
    assert _finally_lines(Database._begin.__code__) == set()


# --- real exceptions ------------------------------------------------------------------------------


def throw(thread: int) -> None:
    hit = ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread), ctypes.py_object(Struck)
    )
    assert hit == 1


class Victim:
    """A thread that calls a verb again and again, and counts the exceptions thrown into it. The
    next one is thrown only when it is back in the loop. It leaves at the end of a ``with``.

    The garbage of other tests is collected here as well. An exception that strikes in the
    finaliser of an object, or in a callback of a weak reference, goes no further: Python gives it
    to ``sys.unraisablehook``. It has arrived all the same.
    """

    def __init__(self, verb: Callable[[], Any], shield: threading.Lock | None = None) -> None:
        self.verb = verb
        self.shield = shield
        self.thrown = 0
        self.hits = 0
        self.ready = 0
        self.leaving = False
        self.broken: BaseException | None = None
        self.thread = threading.Thread(target=self._run, daemon=True, name="victim")
        self.thread.start()

    def _run(self) -> None:
        raise_shield(self.shield)
        # Loops without a condition: what strikes in the jump that ends a ``while leaving`` misses
        # the ``try`` around it, because CPython 3.12 and 3.13 leave that jump out of its entry.
        try:
            while True:
                try:
                    self.ready = self.hits + 1
                    while True:
                        if self.leaving:
                            return
                        self.verb()
                except Struck:
                    self.hits += 1
        except BaseException as error:
            self.broken = error

    def strike(self, number: int, deadline: float = 60.0) -> None:
        """Throw so many exceptions, each when the one before has arrived."""
        end = time.monotonic() + deadline
        assert self.thread.ident is not None
        for count in range(number):
            while self.ready != count + 1:
                assert self.broken is None, self.broken
                assert time.monotonic() < end, f"stuck after {count} exceptions"
                time.sleep(0)
            time.sleep((count % 13) * 8e-5)  # so that they strike everywhere
            with self.shield or nullcontext():
                throw(self.thread.ident)
            self.thrown += 1

    def _swallowed(self, what: sys.UnraisableHookArgs) -> None:
        if what.exc_type is Struck and threading.current_thread() is self.thread:
            self.hits += 1
            self.ready = self.hits + 1
        else:
            self.elsewhere(what)

    def __enter__(self) -> Victim:
        self.elsewhere, sys.unraisablehook = sys.unraisablehook, self._swallowed
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self._leave(kind)
        finally:
            sys.unraisablehook = self.elsewhere

    def _leave(self, kind: type[BaseException] | None) -> None:
        if kind is None:
            wait_until(lambda: self.hits == self.thrown or self.broken, 30, "the last one arrived")
        self.leaving = True
        self.thread.join(30)
        assert not self.thread.is_alive(), "the victim is stuck"
        assert self.broken is None, self.broken


@pytest.fixture
def quick_switches() -> Any:
    """Threads change often."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-5)
    yield
    sys.setswitchinterval(before)


@pytest.mark.slow
@pytest.mark.usefixtures("quick_switches")
def test_thousands_of_exceptions_thrown_into_verbs_leave_no_lock_and_no_transaction(
    memory_file: SqliteStorage,
) -> None:
    file = memory_file
    number = worker(file)
    returned: list[str] = []
    turn = 0

    def verbs() -> None:
        nonlocal turn
        turn += 1
        match turn % 4:
            case 0:
                returned.append(file.enqueue([new()])[0].id)
            case 1:
                claims = take(file, number, 2)
                file.exchange(number, [ended(claim) for claim in claims], Want(0))
            case 2:
                file.incr("counter")
            case 3:
                file.depths()

    with Victim(verbs) as victim:
        victim.strike(2000)
    assert victim.hits == 2000
    with closing(sqlite3.connect(file.db.path, isolation_level=None, timeout=2)) as eye:
        assert_nothing_is_held(file, eye)

    assert len(returned) > 20
    # What was acknowledged is there, whatever struck afterwards.
    assert set(returned) <= {job.id for job in file.jobs(Selector())}
    file.unregister(number)
    file.put("next", b"verb")


@pytest.mark.slow
@pytest.mark.usefixtures("quick_switches")
def test_exceptions_thrown_into_one_thread_do_not_disturb_another(
    memory_file: SqliteStorage,
) -> None:
    """They share the lock, the connection and, when they enqueue together, the commit."""
    file = memory_file
    stored: list[str] = []
    failures: list[BaseException] = []
    leaving = threading.Event()

    def neighbour() -> None:
        try:
            while not leaving.is_set():
                stored.append(file.enqueue([new("neighbour")])[0].id)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=neighbour, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        with Victim(lambda: file.enqueue([new("victim")])) as victim:
            victim.strike(1000)
    finally:
        leaving.set()
        for thread in threads:
            thread.join(20)

    assert failures == []
    assert not any(thread.is_alive() for thread in threads)
    found = file.jobs(Selector(task="neighbour"))
    assert sorted(job.id for job in found) == sorted(stored)


@pytest.mark.slow
@pytest.mark.usefixtures("quick_switches")
def test_under_a_shield_every_enqueue_is_acknowledged_or_never_happened(
    memory_file: SqliteStorage,
) -> None:
    """As a task's timeout is thrown: whoever throws holds the shield, so nothing arrives while a
    commit is under way, and the caller knows of every job that there is."""
    file = memory_file
    shield = threading.Lock()
    begun: list[str] = []
    returned: list[str] = []

    def verb() -> None:
        job = new()
        begun.append(job.id)
        file.db.transact(lambda con: con.execute(FLAG, (job.id,)))
        returned.append(job.id)

    interrupted: list[str] = []
    original = Database._transact

    def watched(self: Database, body: Any, durable: bool) -> Any:
        try:
            return original(self, body, durable)
        except Struck:
            interrupted.append("in a verb")
            raise

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "_transact", watched)
        with Victim(verb, shield) as victim:
            victim.strike(800)

    assert interrupted == [], "an exception arrived inside a transaction"
    stored = {order.name for order in file.revocations()}
    assert len(returned) > 20
    assert set(returned) <= stored <= set(begun)
