"""What the fault suites share: statements that fail, forked children, helper processes, a file with
a job in every situation, and every verb to be tried on it."""

from __future__ import annotations

import json
import os
import selectors
import signal
import sqlite3
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hueycore.model import plan as plans
from hueycore.model.endings import Blocked, Dead, Done, Expired, Released, Retry, Revoked, Snoozed
from hueycore.model.events import LogLine, Said
from hueycore.model.flags import Revocation
from hueycore.model.jobs import Cargo, Claim, Ended, NewJob, Selector, Want
from hueycore.model.limits import Limit, Rate
from hueycore.model.migration import Migration, OldResult, Whole
from hueycore.model.pack import pack
from hueycore.model.plan import Edge, Input
from hueycore.model.records import Record
from hueycore.model.retention import Keeping
from hueycore.model.schedules import Fire, Periodic
from hueycore.model.states import State
from hueycore.storage.protocol.transfer import Mark
from hueycore.storage.sqlite import SqliteStorage, dial
from hueycore.system.machine import boot_id
from tests.storage.kit import FAILURE, by_seq, ended, new
from tests.storage.sql.lab import write
from tests.storage.sqlite.lab import contents

NOW = 2_000_000_000.0
HERE = Path(__file__).parent
ROOT = HERE.parents[3]

# --- statements that fail -------------------------------------------------------------------------

IOERR, BUSY, FULL = 10, 5, 13
NAMES = {IOERR: "disk I/O error", BUSY: "database is locked", FULL: "database or disk is full"}


@dataclass
class Plan:
    """Fail the ``at``-th step (statement or fetch) from now, once or from then on; ``only`` counts
    the statements that begin so."""

    code: int = IOERR
    at: int = 0
    sticky: bool = False
    only: str = ""
    step: int = 0
    failed: int = 0

    def due(self, statement: str) -> bool:
        if not statement.startswith(self.only):
            return False
        self.step += 1
        if self.at and (self.step == self.at or (self.sticky and self.step > self.at)):
            self.failed += 1
            return True
        return False

    def error(self) -> sqlite3.OperationalError:
        error = sqlite3.OperationalError(NAMES[self.code])
        error.sqlite_errorcode = self.code
        return error


class FaultyCursor(sqlite3.Cursor):
    """A cursor that asks the plan of its connection before each step."""

    def _step(self, statement: str = "") -> None:
        connection = self.connection
        plan = FaultyConnection.plan
        if plan is None or not plan.due(statement):
            return
        rolls_back = statement == "rollback" or plan.code == FULL
        # What SQLite does: a full disk rolls back by itself, and a ROLLBACK that reports an error
        # has ended the transaction all the same.
        if rolls_back and connection.in_transaction:
            sqlite3.Cursor(connection).execute("rollback")
        raise plan.error()

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
        self._step(sql)
        return super().execute(sql, *args)

    def executemany(self, sql: str, *args: Any) -> sqlite3.Cursor:
        self._step(sql)
        return super().executemany(sql, *args)

    def fetchall(self) -> list[Any]:
        self._step()
        return super().fetchall()

    def fetchone(self) -> Any:
        self._step()
        return super().fetchone()

    def __next__(self) -> Any:
        self._step()
        return super().__next__()


class FaultyConnection(dial.Connection):
    plan: Plan | None = None

    def cursor(self, factory: type[sqlite3.Cursor] = FaultyCursor) -> sqlite3.Cursor:
        return super().cursor(factory)

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
        return self.cursor().execute(sql, *args)

    def executemany(self, sql: str, *args: Any) -> sqlite3.Cursor:
        return self.cursor().executemany(sql, *args)


@contextmanager
def failing(plan: Plan) -> Iterator[Plan]:
    FaultyConnection.plan = plan
    try:
        yield plan
    finally:
        FaultyConnection.plan = None


# --- looking from outside -------------------------------------------------------------------------


def dump(path: str) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that the file says, seen by somebody else."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=5)) as con:
        return contents(con)


def rows(path: str, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path, isolation_level=None, timeout=5)) as con:
        return con.execute(query, values).fetchall()


class Eye:
    """Somebody else, who notices when a commit was made."""

    connection: sqlite3.Connection

    def open(self, storage: SqliteStorage) -> None:
        self.connection = sqlite3.connect(storage.db.path, isolation_level=None, timeout=0)
        self._version = self._look()

    def _look(self) -> int:
        return int(self.connection.execute("pragma data_version").fetchone()[0])

    def noticed_a_commit(self) -> bool:
        before, self._version = self._version, self._look()
        return before != self._version

    def close(self) -> None:
        self.connection.close()


def assert_nothing_is_held(storage: SqliteStorage, other: sqlite3.Connection) -> None:
    """No lock of this process is taken, and somebody else gets the write lock at once."""
    assert not storage._rounds.alone.locked(), "the door of enqueue is locked"
    assert storage._tickets == {}, "jobs of a failed call wait to be committed by another"
    for name in ("_lock", "_read_lock"):
        assert not getattr(storage.db, name).locked(), f"{name} is held"
    for name in ("_write", "_read"):
        connection = getattr(storage.db, name)
        assert connection is None or not connection.in_transaction, f"{name} is in a transaction"
    other.execute("begin immediate")
    other.execute("rollback")


# --- forked children and helper processes ---------------------------------------------------------


def forked(
    work: Callable[[], Any],
    *,
    uid: int | None = None,
    groups: Sequence[int] = (),
    deadline: int = 30,
) -> Any:
    """What ``work`` answers in a forked child (as another user); its failure is ours."""
    return finish(fork(work, uid=uid, groups=groups, deadline=deadline))


def fork(
    work: Callable[[], Any],
    *,
    uid: int | None = None,
    groups: Sequence[int] = (),
    deadline: int = 30,
) -> tuple[int, int]:
    receive, send = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # 3.12: forking with live threads
        pid = os.fork()
    if pid:
        os.close(send)
        return pid, receive
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(deadline)
        if uid is not None:
            os.setgroups(groups)
            os.setgid(uid)
            os.setuid(uid)
        answer = {"value": work()}
    except BaseException:
        answer = {"error": traceback.format_exc()}
    with os.fdopen(send, "w") as pipe:
        pipe.write(f"{json.dumps(answer)}\n")
    os._exit(0)


def finish(child: tuple[int, int]) -> Any:
    pid, receive = child
    with os.fdopen(receive) as pipe:
        text = pipe.readline()  # its own children may keep the pipe open
    _, status = os.waitpid(pid, 0)
    assert text, f"the child was killed by signal {os.WTERMSIG(status)}: it hung"
    answer = json.loads(text)
    assert "error" not in answer, answer["error"]
    return answer["value"]


class Crew:
    """Helper processes of a test; what is left of them at its end is killed."""

    def __init__(self, script: Path = HERE / "crew.py") -> None:
        self._script = script
        self.members: list[Member] = []

    def start(self, role: str, *args: Any) -> Member:
        member = Member(self._script, role, *args)
        self.members.append(member)
        return member

    def dismiss(self) -> None:
        for member in self.members:
            member.kill()
            member.close()


class Member:
    def __init__(self, script: Path, role: str, *args: Any) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", str(script), role, json.dumps(args)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'core'}:{ROOT}"},
        )
        self._buffer = b""

    @property
    def pid(self) -> int:
        return self.process.pid

    def hear(self, deadline: float = 30.0) -> Any:
        """The next line that it says."""
        assert self.process.stdout is not None
        end = time.monotonic() + deadline
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._buffer:
                assert selector.select(max(0.0, end - time.monotonic())), "a helper says nothing"
                data = os.read(self.process.stdout.fileno(), 1 << 20)
                assert data, f"a helper died: {self.process.wait(5)}"
                self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return json.loads(line)

    def tell(self, word: str = "go") -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(word.encode() + b"\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        if self.process.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
        self.process.wait(10)

    def close(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    pass


# --- a file with a job in every situation ---------------------------------------------------------


@dataclass
class World:
    """Numbers and claims of the jobs in a file made by ``build``."""

    worker: int = 0
    seqs: dict[str, int] = field(default_factory=dict)
    claims: dict[str, Claim] = field(default_factory=dict)

    def of(self, *names: str) -> Selector:
        return by_seq(*(self.seqs[name] for name in names))


_RUNNING = (
    *("done", "done-plain", "parent", "member-done", "member-dead", "retry", "retry-now", "dead"),
    *("broken", "snooze", "release", "revoked", "expired", "blocked", "lost", "asked"),
    *("crash-plain", "crash-once", "crash-asked", "crash-unstarted", "crash-other", "last"),
    *("keyed", "crash-keyed"),
)

_FINAL = ("final-done", "final-taken", "final-dead", "final-revoked", "final-broken")
HANDLER = pack([new("handler"), new("after")], plans.Plan([Edge(0, 1)], {1: 5}))


def build(path: str) -> World:
    """Make the file. ``clock.now`` must stand at NOW; the verbs are meant for NOW + 100."""
    world = World()
    storage = SqliteStorage(path)

    def add(name: str, task: str = "task", **fields: Any) -> None:
        job = new(task, id=f"id-{name}", **fields)
        world.seqs[name] = storage.enqueue([job])[0].seq

    try:
        world.worker = storage.register(name="alive", kind="thread", slots=2)
        names = [*_RUNNING, *_FINAL, *("child", "callback", "upstream", "upstream-2", "restored")]
        keys = {"keyed": "narrow", "crash-keyed": "wide"}
        jobs = [
            new(
                id=f"id-{name}", at_most_once=name == "crash-once", retries=2,
                key_name=keys.get(name),
            )
            for name in names
        ]  # fmt: skip
        edges = (
            ("parent", "child"), ("member-done", "callback", 0), ("member-dead", "callback", 1),
            ("broken", "upstream"), ("upstream", "upstream-2"), ("final-broken", "restored"),
        )  # fmt: skip
        joined = plans.Plan(
            [Edge(names.index(a), names.index(b), *slot) for a, b, *slot in edges],
            handlers={names.index(name): HANDLER for name in ("dead", "crash-once")},
        )
        world.seqs = {job.id.removeprefix("id-"): job.seq for job in storage.enqueue(jobs, joined)}
        _run(storage, world)
        _kill(storage, world)
        storage.declare_limits(
            [
                Limit("one", "narrow", 1),
                Limit("two", "wide", 2),
                Limit("paced", "paced", None, Rate(1, 60.0)),
                Limit("shut", "shut", 1),
            ]
        )
        storage.enqueue([new("one", id=f"id-narrow-{n}", key_name="narrow") for n in range(2)])
        storage.enqueue([new("two", id=f"id-wide-{n}", key_name="wide") for n in range(3)])
        storage.enqueue([new("paced", id=f"id-paced-{n}", key_name="paced") for n in range(2)])
        storage.lock("shut", world.worker, b"token", ttl=NOW)
        storage.enqueue([new("shut", id=f"id-shut-{n}", key_name="shut") for n in range(2)])
        storage.lock("gone", 7, b"of the dead")
        storage.spend("at rest", Rate(1, 1.0), None)
        add("first", "ready", priority=9)
        add("second", "ready", priority=8)
        add("third", "ready", priority=7, expires_at=NOW + 50)
        add("gone", "revoked-task", priority=6)
        add("once", "at-most-once", at_most_once=True, priority=5)
        add("due", run_at=NOW + 50)
        add("later", run_at=NOW + 5000)
        add("stale", run_at=NOW + 5000, expires_at=NOW + 60)
        add("keyed", unique_key="key", unique_until="start", run_at=NOW + 5000)
        storage.declare_periodic([Periodic("tick", "tick", "@every 60", None, NOW + 60)])
        storage.schedule_periodic(Periodic("held", "tick", "every 60s", None, NOW + 60))
        storage.pause_periodic(["held"])
        storage.put("value", b"v")
        storage.incr("counter", 5)
        storage.put_if_empty("brief", b"v", ttl=10)
        storage.set_revocation("revoked-task", "revoked-task")
        storage.set_revocation("revoked-id", "id-nobody")
        storage._drop(world.worker)
    finally:
        storage.close()
    return world


def _run(storage: SqliteStorage, world: World) -> None:
    want = Want(100)
    claims = storage.exchange(world.worker, [], want).claims
    if len(claims) < len(_RUNNING) + len(
        _FINAL
    ):  # those that run at most once come in groups of their own
        claims += storage.exchange(world.worker, [], want).claims
    world.claims = {claim.id.removeprefix("id-"): claim for claim in claims}
    finals = {
        "final-done": Done(b"result"),
        "final-taken": Done(b"taken"),
        "final-dead": Dead("failed", FAILURE),
        "final-revoked": Revoked(),
        "final-broken": Dead("failed"),
    }
    endings = [ended(world.claims.pop(name), ending) for name, ending in finals.items()]
    assert storage.exchange(world.worker, endings, Want(0)).lost == []
    storage.result("id-final-taken", preserve=False)
    storage.revoke(world.of("asked", "crash-asked"))
    assert set(world.claims) == set(_RUNNING)


def _kill(storage: SqliteStorage, world: World) -> None:
    """Two workers of another boot are gone with some of the jobs."""
    for number, name in ((7, "crash-"), (8, "last")):
        write(
            storage,
            """
            insert into huey_worker (id, queue, name, host, pid, boot_id, kind, slots, state,
                started_at, side) values (?, 'huey', 'gone', 'host', 1, 'before', 'thread', 4,
                'running', ?, 1)
            """,
            number,
            NOW,
        )
        write(storage, "update huey_job set worker = ? where id glob ?", number, f"id-{name}*")


# --- every verb -----------------------------------------------------------------------------------

Act = Callable[[SqliteStorage, World], Any]


def _endings(world: World) -> list[Ended]:
    runs = {
        "done": Done(b"result"), "done-plain": Done(), "parent": Done(b"for the child"),
        "member-done": Done(b"1"), "member-dead": Dead("failed", FAILURE, b"error"),
        "retry": Retry(NOW + 500, 1, 5.0, FAILURE), "retry-now": Retry(None, 1, 0, FAILURE),
        "dead": Dead("failed", FAILURE), "broken": Dead("failed", FAILURE),
        "snooze": Snoozed(NOW + 300, FAILURE), "release": Released(), "revoked": Revoked(),
        "expired": Expired(), "blocked": Blocked("key"), "asked": Released(), "keyed": Done(),
    }  # fmt: skip
    found = [ended(world.claims[name], ending) for name, ending in runs.items()]
    lost = world.claims["lost"]
    return [*found, ended(lost._replace(claim=lost.claim + 1), Done(b"too late"))]


def _jobs(*names: str) -> list[NewJob]:
    return [new(id=f"id-{name}") for name in names]


def _keyed(how: str) -> NewJob:
    key = "else" if how == "else" else "key"
    conflict = "keep" if how == "else" else how
    return new(
        payload=b"newer", id=f"id-{how}", unique_key=key, unique_until="end", on_conflict=conflict
    )


def _register(
    storage: SqliteStorage, world: World, declares: Sequence[Periodic] | None = None
) -> Any:
    number = storage.register(name="new", kind="thread", slots=2, declares=declares)
    storage._drop(number)  # the row stays: what is compared is the file
    return number


def _register_with_schedules(storage: SqliteStorage, world: World) -> Any:
    return _register(storage, world, [Periodic("tock", "tock", "x", None, NOW)])


def _exchange(storage: SqliteStorage, world: World, endings: bool, want: Want) -> Any:
    got = storage.exchange(world.worker, _endings(world) if endings else [], want)
    if endings:
        assert [lost.claim.id for lost in got.lost] == ["id-lost"]
    return got


def _load_groups(storage: SqliteStorage, world: World) -> Any:
    """All once more under other ids, with the mark of a dump."""
    copies = [
        one._replace(job=one.job._replace(id=f"copy of {one.job.id}", unique_until=None))
        for page in storage.dump(Selector())
        for one in page
        if isinstance(one, Cargo)
    ]
    return storage.load(copies, mark=Mark("dump", "1"))


def _records(storage: SqliteStorage) -> list[Record]:
    """All of them, and a value that is new."""
    pages = storage.dump(Selector(), records=True)
    found = [one for page in pages for one in page if isinstance(one, Record)]
    fields = {"value": b"x", "expires_at": None, "created_at": NOW}
    return [*found, Record("value", "huey", "new", fields)]


def _load(storage: SqliteStorage, world: World) -> Any:
    cargo = storage.export(world.of("final-done", "final-dead", "first", "child"))
    given = [Input(None, "id", State.DONE, b"1")]
    moved = [
        one._replace(job=one.job._replace(id=f"{one.job.id}-copy"), inputs=given[: one.job.inputs])
        for one in cargo
    ]
    return storage.load([*moved, cargo[0]], if_exists="replace")


def _bring(storage: SqliteStorage, world: World) -> Any:
    plan = plans.Plan([Edge(0, 1, 1)], {}, {1: 60}, {0: HANDLER})
    given = {1: [Input(0, "id-given", State.DONE, b"1")]}
    return storage.bring(
        Migration(
            [Whole(_jobs("a", "b"), plan, given, [b"a"]), Whole(_jobs("c"), plans.Plan(), {}, [])],
            [OldResult("id-old", State.DEAD, b"x", {"type": "ValueError", "message": "no"})],
            {"other": b"x"},
            [Revocation("huey", "revoked-task", "other", None, False, NOW, None)],
        )
    )


VERBS: dict[str, Act] = {
    "enqueue with a key": lambda s, w: s.enqueue(
        [new("two", id="id-k", key_name="wide", priority=9), new("x", id="id-l", key_name="new")]
    ),
    "declare limits": lambda s, w: s.declare_limits([Limit("two", "wide", 1)], ["one"]),
    "lock": lambda s, w: s.lock("new", w.worker, b"x"),
    "reserve a lock": lambda s, w: s.lock("narrow", w.worker, b"x", reserve=True),
    "unlock": lambda s, w: s.unlock("shut", b"token"),
    "spend": lambda s, w: s.spend("paced", Rate(1, 60.0), w.claims["done"][:2]),
    "reset a rate": lambda s, w: s.reset_rate("at rest"),
    "pause a task with a key": lambda s, w: s.pause(task="two"),
    "revoke with a key": lambda s, w: s.revoke(Selector(task="two")),
    "clear locks": lambda s, w: s.clear("locks"),
    "mend": lambda s, w: s.mend(),
    "mend after the clock was set back": lambda s, w: s.mend(set_back=True),
    "enqueue": lambda s, w: s.enqueue(_jobs("a", "b")),
    "enqueue a key that exists": lambda s, w: s.enqueue(
        [*_jobs("a"), _keyed("keep"), _keyed("else")]
    ),
    "replace": lambda s, w: s.enqueue([_keyed("replace"), *_jobs("a")]),
    "enqueue an id that exists": lambda s, w: s.enqueue(_jobs("first", "final-done", "a")),
    "enqueue stages": lambda s, w: s.enqueue(
        _jobs("a", "b", "c", "d"),
        plans.Plan(
            [Edge(0, 1), Edge(0, 2), Edge(1, 3, 0), Edge(2, 3, 1)], {1: 5}, {3: 60}, {0: HANDLER}
        ),
    ),
    "register": _register,
    "register with schedules": _register_with_schedules,
    "stopping": lambda s, w: s.stopping(w.worker),
    "unregister": lambda s, w: s.unregister(w.worker),
    "claim": lambda s, w: _exchange(s, w, False, Want(2)),
    "claim past expired and revoked": lambda s, w: _exchange(s, w, False, Want(9)),
    "claim at most once": lambda s, w: _exchange(s, w, False, Want(1, only=w.seqs["once"])),
    "end": lambda s, w: _exchange(s, w, True, Want(0)),
    "end and claim": lambda s, w: _exchange(s, w, True, Want(1)),
    "end and claim at most once": lambda s, w: _exchange(s, w, True, Want(1, only=w.seqs["once"])),
    "promote": lambda s, w: s.promote(),
    "expire": lambda s, w: s.expire(),
    "recover": lambda s, w: s.recover(),
    "declare": lambda s, w: s.declare_periodic(
        [Periodic("tock", "tock", "x", None, NOW)], w.worker
    ),
    "schedule": lambda s, w: s.schedule_periodic(Periodic("made", "tick", "90s", None, NOW)),
    "pause a schedule": lambda s, w: s.pause_periodic(["tick"], by="me"),
    "resume a schedule": lambda s, w: s.resume_periodic(["held"]),
    "fire": lambda s, w: s.fire([Fire("tick", NOW + 60, NOW + 120, _jobs("tick"))]),
    "remove a schedule": lambda s, w: s.remove_periodic("held"),
    "revoke": lambda s, w: s.revoke(w.of("first", "done", "upstream", "dead"), "no"),
    "overdue": lambda s, w: s.note_overdue(*w.claims["done"][:2]),
    "requeue": lambda s, w: s.requeue(w.of("final-done", "final-dead", "final-revoked")),
    "requeue a stage that broke": lambda s, w: s.requeue(w.of("final-broken")),
    "reschedule": lambda s, w: s.reschedule(w.of("first", "later"), run_at=NOW + 900),
    "purge": lambda s, w: s.purge(Selector(states=(State.DONE, State.DEAD))),
    "flush": lambda s, w: s.flush(),
    "set a revocation": lambda s, w: s.set_revocation("revoked-id", "id-x"),
    "clear a revocation": lambda s, w: s.clear_revocation("revoked-task", "revoked-task"),
    "pause": lambda s, w: s.pause(by="me", reason="why"),
    "pause a task": lambda s, w: s.pause(task="task"),
    "resume": lambda s, w: s.resume(),
    "progress": lambda s, w: s.note(
        [(w.claims["done"], Said("half", [LogLine(1.0, "INFO", "x")]))]
    ),
    "take a result": lambda s, w: s.result("id-final-done", preserve=False),
    "put": lambda s, w: s.put("other", b"x"),
    "put if empty": lambda s, w: s.put_if_empty("brief", b"x"),
    "pop": lambda s, w: s.get("value", peek=False),
    "delete": lambda s, w: s.delete("value"),
    "incr": lambda s, w: s.incr("counter"),
    "clear": lambda s, w: s.clear("results"),
    "load": _load,
    "load what hangs together": _load_groups,
    "load records": lambda s, w: s.load_records(_records(s), if_exists="replace"),
    "discard what waits": lambda s, w: s.discard(s.jobs(Selector()), waiting=True),
    "bring": _bring,
    "discard": lambda s, w: s.discard(s.jobs(w.of("final-dead", "final-revoked"))),
    "keep": lambda s, w: s.keep(Keeping(done_age=1, dead_age=1, flag_age=1, metric_age=1)),
}

#: They change nothing.
READERS: dict[str, Act] = {
    "jobs": lambda s, w: s.jobs(Selector()),
    "job": lambda s, w: s.job("id-first"),
    "newest": lambda s, w: s.newest(Selector(task="paced", limit=1)),
    "count": lambda s, w: s.count(Selector()),
    "payload": lambda s, w: s.payload(w.seqs["first"]),
    "peek": lambda s, w: s.get("value", peek=True),
    "peek at a result": lambda s, w: s.result("id-final-done", preserve=True),
    "depths": lambda s, w: s.depths(),
    "workers": lambda s, w: s.workers(),
    "queues": lambda s, w: s.queues(),
    "metrics": lambda s, w: s.metrics(0),
    "stages": lambda s, w: s.stages(w.seqs["child"]),
    "inputs": lambda s, w: s.inputs(w.seqs["restored"]),
    "handled": lambda s, w: s.is_handled(w.seqs["dead"]),
    "culprit": lambda s, w: s.culprit(w.seqs["restored"]),
    "next run": lambda s, w: s.next_run_at(),
    "cancelled": lambda s, w: s.cancel_requested([w.seqs["asked"]]),
    "periodic": lambda s, w: s.periodic(),
    "revocations": lambda s, w: s.revocations(),
    "holding": lambda s, w: s.holding("results"),
    "export": lambda s, w: s.export(w.of("final-done")),
    "dump": lambda s, w: [*s.dump(Selector(), records=True)],
    "mark": lambda s, w: s.mark("dump"),
    "info": lambda s, w: s.info(),
    "examine": lambda s, w: s.examine(full=True),
    "verify": lambda s, w: s.verify(),
    "limits": lambda s, w: s.limits(),
    "locks": lambda s, w: s.locks(),
    "is locked": lambda s, w: s.is_locked("shut"),
    "held keys": lambda s, w: s.held_keys(),
    "key due": lambda s, w: s.key_due("huey", "paced", "paced"),
    "version": lambda s, w: s.db.version(),
    "checkpoint": lambda s, w: s.checkpoint(),
    "checkpoint and truncate": lambda s, w: s.db.checkpoint(truncate=True),
    "leave checkpoints": lambda s, w: s.leave_checkpoints_to_janitor(),
}


def halfway(name: str, storage: SqliteStorage, world: World) -> None:
    """Bring the file where a verb of two transactions stands between them."""
    if name == "end and claim at most once":
        storage.exchange(world.worker, _endings(world), Want(0))
    elif name == "recover":
        change = "update huey_worker set boot_id = ?, pid = ? where id = 8"
        write(storage, change, boot_id(), os.getpid())
        storage.recover()
        write(storage, change, "before", 1)


TWO_TRANSACTIONS = ("end and claim at most once", "recover")


def on_the_way(name: str, storage: SqliteStorage, world: World) -> list[dict[str, Any]]:
    """What the file says between the transactions of a verb that has several."""
    found = []
    if name in TWO_TRANSACTIONS:
        halfway(name, storage, world)
        found.append(dump(storage.db.path))
    elif name in IN_STEPS:
        transact = storage.db.transact

        def noted(body: Callable[[dial.Connection], Any], durable: bool = True) -> Any:
            value = transact(body, durable)
            found.append(dump(storage.db.path))
            return value

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(storage.db, "transact", noted)
            VERBS[name](storage, world)
    return found


#: Verbs whose every transaction is a step that needs no other.
IN_STEPS = ("keep",)
