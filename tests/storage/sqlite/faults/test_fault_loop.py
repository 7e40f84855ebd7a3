"""Every verb with a failure at its first step, its second step, … until it meets none: SQLite's own
method. Then disks that are really full."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

import pytest

from hueycore import SqliteHuey
from hueycore.consumer import trouble
from hueycore.exceptions import StorageBusy, StorageError, StorageFull
from hueycore.model.endings import Done
from hueycore.model.jobs import Selector, Want
from hueycore.model.states import State
from hueycore.storage.sqlite import SqliteStorage, dial
from tests.helpers import consuming, give_up_after, states, wait_until
from tests.storage.kit import ended, new, row, take, worker
from tests.storage.sql.lab import sql
from tests.storage.sqlite.faults.conftest import Opener
from tests.storage.sqlite.faults.rig import (
    BUSY,
    FULL,
    IN_STEPS,
    IOERR,
    READERS,
    VERBS,
    Eye,
    FaultyConnection,
    Plan,
    World,
    assert_nothing_is_held,
    dump,
    failing,
    on_the_way,
)
from tests.storage.sqlite.invariants import check_invariants

CODES = {"io-error": IOERR, "busy": BUSY, "full": FULL}
KINDS = {IOERR: StorageError, BUSY: StorageBusy, FULL: StorageFull}


@pytest.mark.slow
@pytest.mark.usefixtures("faulty")
@pytest.mark.parametrize("name", [*VERBS, *READERS])
def test_a_verb_that_fails_at_any_step_has_changed_nothing(
    name: str, world: tuple[World, Opener]
) -> None:
    facts, fresh = world
    verb = (VERBS | READERS)[name]
    after = _afterwards(name, facts, fresh)
    for code in CODES.values():
        for sticky in (False, True):
            storage, eye = fresh(), Eye()
            eye.open(storage)
            at = 0
            done = False
            while not done:
                at += 1
                assert at < 2000
                label = f"{name}: code {code}, step {at}, sticky={sticky}"
                raised = False
                with failing(Plan(code, at, sticky)) as plan:
                    try:
                        verb(storage, facts)
                    except StorageError as error:
                        assert isinstance(error, KINDS[code]), label
                        assert plan.failed, label
                        raised = True
                assert_nothing_is_held(storage, eye.connection)
                if raised:
                    if eye.noticed_a_commit():  # a checkpoint looks like one
                        assert name in READERS or name in IN_STEPS, label
                        assert dump(storage.db.path) in after, label
                        if name in IN_STEPS:
                            eye.close()
                            storage = fresh()
                            eye.open(storage)
                    continue
                assert dump(storage.db.path) in after, label
                done = not plan.failed
                if not done and name in VERBS:  # it coped with the failure by itself
                    eye.close()
                    storage = fresh()
                    eye.open(storage)
            eye.close()
            # The next verb works, on the same storage.
            assert storage.put_if_empty("next", b"verb")
            check_invariants(storage.db.path)


def _afterwards(name: str, facts: World, fresh: Opener) -> list[dict[str, object]]:
    """What the file may say after a verb that did not raise."""
    storage = fresh()
    (VERBS | READERS)[name](storage, facts)
    found = [dump(storage.db.path)]
    if name in VERBS and name != "resume":
        storage = fresh()
        assert found[0] != dump(storage.db.path), "this verb should change something"
    between = on_the_way(name, fresh(), facts)
    assert not between or found[0] != between[0]
    return found + between


@pytest.mark.usefixtures("faulty")
@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
@pytest.mark.parametrize("sticky", [False, True])
def test_opening_that_fails_at_any_step_can_be_tried_again(
    code: int, sticky: bool, memory_folder: Path
) -> None:
    done, at = False, 0
    while not done:
        at += 1
        path = memory_folder / f"{at}.db"
        with failing(Plan(code, at, sticky)) as plan:
            try:
                SqliteStorage(path).close()
            except StorageError:
                assert plan.failed
            done = not plan.failed
        with closing(SqliteStorage(path)) as storage:
            storage.enqueue([new()])
            assert storage.count(Selector()) == 1
    assert at > 20


@pytest.mark.usefixtures("faulty")
def test_a_connection_that_met_an_io_error_is_not_used_again(
    world: tuple[World, Opener],
) -> None:
    _, fresh = world
    storage = fresh()
    writing, reading = storage.db._write, storage.db._read

    with failing(Plan(IOERR, 2)), pytest.raises(StorageError):
        storage.incr("counter")

    assert storage.incr("counter") == 6
    assert storage.db._write is not writing
    assert storage.db._read is reading, "another thread may be reading with it"
    assert writing is not None
    with pytest.raises(sqlite3.ProgrammingError):
        writing.execute("select 1")

    with failing(Plan(IOERR, 1)), pytest.raises(StorageError):
        storage.jobs(Selector())

    assert storage.jobs(Selector())
    assert storage.db._read is not reading
    assert reading is not None
    with pytest.raises(sqlite3.ProgrammingError):
        reading.execute("select 1")


@pytest.mark.usefixtures("faulty")
@pytest.mark.parametrize(
    "statement",
    ["begin immediate", "select 1 from sqlite_master", "pragma journal_mode"],
)
def test_a_lock_met_before_a_transaction_begins_is_waited_for(
    statement: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any first statement of a connection may meet another process that recovers or removes the
    log; also a verb that is the first one after a fork, or after an I/O error."""
    give_up_after(monkeypatch, 5.0)
    SqliteStorage(path).close()
    plan = Plan(BUSY, at=1, only=statement)
    with failing(plan), closing(SqliteStorage(path)) as storage:
        storage.enqueue([new()])
        assert storage.count(Selector()) == 1
    assert plan.failed == 1


@pytest.mark.usefixtures("faulty")
@pytest.mark.parametrize("step", [1, 2], ids=["statement", "fetch"])
def test_a_read_that_meets_a_lock_is_tried_again(step: int, path: str) -> None:
    """As it does while another process recovers the log."""
    with closing(SqliteStorage(path)) as storage:
        storage.enqueue([new(), new()])
        assert storage.count(Selector()) == 2
        plan = Plan(BUSY, at=step)
        with failing(plan):
            assert storage.count(Selector()) == 2
        assert plan.failed == 1
        with failing(Plan(BUSY, at=1, sticky=True)), pytest.raises(StorageBusy):
            storage.count(Selector())
        assert storage.count(Selector()) == 2


class DrainingCursor(sqlite3.Cursor):
    """Knows whether what a RETURNING brought was read to the end."""

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
        if "returning" in sql:
            DrainingConnection.returning.append(sql)
            DrainingConnection.undrained.add(id(self))
            DrainingConnection.cursors.append(self)  # else another could get its id
        return super().execute(sql, *args)

    def fetchall(self) -> list[Any]:
        DrainingConnection.undrained.discard(id(self))
        return super().fetchall()


class DrainingConnection(dial.Connection):
    returning: ClassVar[list[str]] = []
    undrained: ClassVar[set[int]] = set()
    cursors: ClassVar[list[sqlite3.Cursor]] = []

    def cursor(self, factory: type[sqlite3.Cursor] = DrainingCursor) -> sqlite3.Cursor:
        return super().cursor(factory)

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
        if sql == "commit":
            assert not self.undrained, self.returning[-1]
        return self.cursor().execute(sql, *args)


def test_what_a_returning_brings_is_read_to_its_end_before_the_commit(
    world: tuple[World, Opener], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A statement that is not finished keeps its transaction, and the lock, open; with one row it
    may look finished, with three it is not."""
    monkeypatch.setattr(dial, "connection_class", DrainingConnection)
    facts, fresh = world
    DrainingConnection.returning.clear()
    try:
        for verb in VERBS.values():
            verb(fresh(), facts)
        assert len(set(DrainingConnection.returning)) > 3
    finally:
        DrainingConnection.undrained.clear()
        DrainingConnection.cursors.clear()


# --- a disk that is full --------------------------------------------------------------------------


def _pages(storage: SqliteStorage, more: int | None) -> None:
    """The file may grow by so many pages; None: as it likes."""

    def body(con: sqlite3.Connection) -> None:
        count = con.execute("pragma page_count").fetchone()[0]
        con.execute(f"pragma max_page_count={2**30 if more is None else count + more}").fetchall()

    storage.db.transact(body)


def test_an_enqueue_on_a_full_disk_says_so_and_leaves_nothing(file: SqliteStorage) -> None:
    file.enqueue([new(payload=b"x" * 1000)])
    _pages(file, 20)
    acknowledged = 1
    with pytest.raises(StorageFull):
        while True:
            file.enqueue([new(payload=b"x" * 5000)])
            acknowledged += 1
    with pytest.raises(StorageFull):
        file.enqueue([new(payload=b"x" * 100_000) for _ in range(10)])

    assert file.count(Selector()) == acknowledged
    assert sql(file, "select count(*) from huey_payload") == [(acknowledged,)]

    _pages(file, None)
    file.enqueue([new(payload=b"x" * 100_000)])
    assert file.count(Selector()) == acknowledged + 1


def test_endings_that_find_no_space_are_refused_whole_and_accepted_later(
    file: SqliteStorage,
) -> None:
    number = worker(file)
    file.enqueue([new() for _ in range(3)])
    claims = take(file, number, 3)
    big = [ended(claim, Done(b"r" * 100_000)) for claim in claims]
    _pages(file, 10)

    with pytest.raises(StorageFull):
        file.exchange(number, big, Want(3))
    assert {row(file, claim).state for claim in claims} == {State.RUNNING}

    _pages(file, None)
    assert file.exchange(number, big, Want(3)).lost == []
    assert {row(file, claim).state for claim in claims} == {State.DONE}
    file.unregister(number)


def test_a_consumer_keeps_its_endings_until_there_is_space_and_runs_nothing_twice(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trouble, "FIRST", 0.005)
    monkeypatch.setattr(trouble, "LONGEST", 0.02)
    huey = SqliteHuey("app", path)
    ran: Counter[int] = Counter()

    @huey.task()
    def big(number: int) -> bytes:
        ran[number] += 1
        return os.urandom(30_000)

    try:
        storage = huey.storage
        assert isinstance(storage, SqliteStorage)
        for number in range(40):
            big(number)
        huey.storage.pause()
        with consuming(huey, workers=4) as consumer:
            _pages(storage, 60)
            huey.storage.resume()
            wait_until(lambda: consumer._feed.trouble, what="the disk is full")
            held = wait_until(lambda: consumer._feed.unwritten, what="endings are kept")
            assert held
            assert "running" in states(huey)
            assert states(huey).get("done", 0) < 40
            with pytest.raises(StorageFull):
                huey.put("value", os.urandom(400_000))

            _pages(storage, None)

            wait_until(lambda: states(huey) == {"done": 40}, what="all endings are written")
        assert ran == Counter(range(40))
    finally:
        huey.close()
    check_invariants(path)


def test_threads_that_share_a_commit_fail_or_succeed_each_for_itself(
    file: SqliteStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one whose job has no space does not take its neighbours down."""
    _pages(file, 40)
    answers: dict[int, str] = {}
    start = threading.Barrier(8)

    def produce(number: int) -> None:
        start.wait(10)
        try:
            file.enqueue([new(payload=b"x" * (400_000 if number == 3 else 10))])
            answers[number] = "stored"
        except StorageFull:
            answers[number] = "full"

    threads = [threading.Thread(target=produce, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert answers == {n: "full" if n == 3 else "stored" for n in range(8)}
    assert file.count(Selector()) == 7
    assert dial.connection_class is not FaultyConnection
