"""A host that forks (gunicorn --preload, multiprocessing): no connection is used, or closed, on
both sides, and nobody waits for a lock whose holder exists only in the other process."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from hueycore.exceptions import StorageError
from hueycore.model.jobs import Selector
from hueycore.storage.sqlite import SqliteStorage, connections, dial
from hueycore.system.ids import new_id
from tests.storage.kit import new, take, worker
from tests.storage.sqlite.faults.rig import Crew, finish, fork, forked, rows
from tests.storage.sqlite.invariants import check_invariants

HUNDRED = 100


def enqueue(storage: SqliteStorage, prefix: str, number: int = HUNDRED) -> list[str]:
    return [storage.enqueue([new(id=f"{prefix}-{n}")])[0].id for n in range(number)]


def ids(path: str) -> set[str]:
    return {one for (one,) in rows(path, "select id from huey_job")}


def test_after_a_fork_both_sides_enqueue_and_every_job_is_there(file: SqliteStorage) -> None:
    before = enqueue(file, "before", 1)

    child = fork(lambda: enqueue(file, "child"))
    mine = enqueue(file, "parent")
    theirs = finish(child)

    assert len(mine) == len(theirs) == HUNDRED
    assert ids(file.db.path) == {*before, *mine, *theirs}
    check_invariants(file.db.path)


def test_a_child_goes_on_when_its_parent_has_closed_the_storage(file: SqliteStorage) -> None:
    """The parent's last close removes the log: with inherited connections the child would write
    into a log that no longer has a name."""
    enqueue(file, "before", 1)
    receive, send = os.pipe()

    def work() -> list[str]:
        first = enqueue(file, "early", 10)
        os.read(receive, 1)
        return first + enqueue(file, "late", 10)

    child = fork(work)
    file.close()
    os.write(send, b"!")
    theirs = finish(child)
    os.close(receive)
    os.close(send)

    assert len(theirs) == 20
    assert set(theirs) < ids(file.db.path)
    check_invariants(file.db.path)


def test_a_parent_goes_on_when_its_child_has_exited(path: str, crew: Crew) -> None:
    """The child leaves as programs do, and its interpreter takes every object apart."""
    member = crew.start("preload", path)
    assert member.hear() == "done"
    with closing(SqliteStorage(path)) as storage:
        mine = enqueue(storage, "third", 10)
        member.tell()
        assert member.process.wait(10) == 0
        mine += enqueue(storage, "fourth", 10)

    expected = {f"{who}-{n}" for who in ("parent", "child") for n in range(HUNDRED)}
    assert ids(path) == expected | set(mine)
    check_invariants(path)


def test_no_connection_is_closed_or_used_in_the_child(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    touched: list[str] = []
    home = os.getpid()

    class Homebound(dial.Connection):
        def __init__(self, *args: object, **options: object) -> None:
            super().__init__(*args, **options)  # type: ignore[arg-type]
            self.pid = os.getpid()

        def _check(self, what: str) -> None:
            if os.getpid() != self.pid:
                touched.append(what)

        def close(self) -> None:
            self._check("close")
            super().close()

        def execute(self, *args: object) -> sqlite3.Cursor:  # type: ignore[override]
            self._check("execute")
            return super().execute(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(dial, "connection_class", Homebound)
    with closing(SqliteStorage(path)) as storage:
        enqueue(storage, "parent", 3)
        storage.jobs(Selector())

        def work() -> list[object]:
            enqueue(storage, "child", 3)
            found = len(storage.jobs(Selector()))
            storage.close()
            return [touched, found, os.getpid() != home]

        assert forked(work) == [[], 6, True]
        enqueue(storage, "parent-again", 3)


def test_a_fork_in_the_middle_of_a_transaction_leaves_it_to_the_parent(
    file: SqliteStorage,
) -> None:
    answers: list[str] = []

    def body(con: sqlite3.Connection) -> None:
        con.execute(
            "insert into huey_flag (queue, kind, name, since) values ('huey', 'revoked-id', 'x', 0)"
        )

        def work() -> str:
            try:
                file.put("name", b"value")
            except StorageError as error:
                return f"refused: {error}"
            return "written"

        answers.append(forked(work))

    file.db.transact(body)

    assert answers[0].startswith("refused"), answers
    assert [order.name for order in file.revocations()] == ["x"]
    assert file.get("name", peek=True) is None
    file.put("name", b"value")
    check_invariants(file.db.path)


def test_a_child_that_returns_into_its_parents_transaction_cannot_commit_it(
    file: SqliteStorage,
) -> None:
    """The fork is inside of the body, and the child goes on with it."""
    receive, send = os.pipe()
    statement = (
        "insert into huey_flag (queue, kind, name, since) values ('huey', 'revoked-id', ?, 0)"
    )
    child = 0

    def body(con: sqlite3.Connection) -> None:
        nonlocal child
        con.execute(statement, ("parent",))
        child = os.fork()

    try:
        file.db.transact(body)
        outcome = b"committed"
    except BaseException as error:
        outcome = type(error).__name__.encode()
    if child == 0:
        os.write(send, outcome)
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(receive, 100)
    os.close(receive)
    os.close(send)

    assert outcome == b"committed"
    assert theirs == b"StorageError"
    assert [order.name for order in file.revocations()] == ["parent"]
    file.put("name", b"value")


@contextmanager
def busy(work: object, number: int = 1) -> Iterator[None]:
    """Other threads that never stop."""
    leaving = threading.Event()
    failures: list[BaseException] = []

    def run(place: int) -> None:
        try:
            while not leaving.is_set():
                work(place)  # type: ignore[operator]
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(n,), daemon=True) for n in range(number)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        leaving.set()
        for thread in threads:
            thread.join(20)
    assert failures == []


def test_a_fork_while_other_threads_enqueue_leaves_the_child_no_closed_door(
    file: SqliteStorage,
) -> None:
    stored: list[str] = []

    with busy(lambda n: stored.append(file.enqueue([new()])[0].id), 4):
        theirs = [forked(lambda: enqueue(file, f"child-{n}", 5)) for n in range(15)]  # noqa: B023

    expected = {*stored, *(one for answer in theirs for one in answer)}
    assert ids(file.db.path) == expected
    assert len(stored) > 15
    check_invariants(file.db.path)


def test_a_fork_while_another_thread_reads_leaves_the_child_able_to_read(
    file: SqliteStorage,
) -> None:
    enqueue(file, "before", 30)

    with busy(lambda _: file.jobs(Selector()), 2):
        for _ in range(15):
            assert forked(lambda: file.count(Selector())) == 30


def test_a_fork_while_another_thread_holds_the_lock_for_long_does_not_hang_the_child(
    file: SqliteStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fork waits for the other thread, but not for ever; then the child is refused the use."""
    monkeypatch.setattr(connections, "DEADLINE", 0.05)
    inside, leave = threading.Event(), threading.Event()

    def body(con: sqlite3.Connection) -> None:
        inside.set()
        assert leave.wait(20)

    holder = threading.Thread(target=lambda: file.db.transact(body), daemon=True)
    holder.start()
    assert inside.wait(10)

    def work() -> str:
        try:
            file.put("name", b"value")
        except StorageError as error:
            return f"refused: {error}"
        return "written"

    answer = forked(work)
    leave.set()
    holder.join(10)

    assert answer.startswith("refused")
    file.put("name", b"value")
    assert file.get("name", peek=True) == b"value"


def test_a_fork_waits_for_a_short_transaction_of_another_thread(file: SqliteStorage) -> None:
    with busy(lambda n: file.incr("counter"), 2):
        for number in range(10):
            assert forked(lambda: file.incr("children")) == number + 1


def test_ids_differ_after_a_fork() -> None:
    new_id()  # the pool of random numbers is full now

    child = fork(lambda: [new_id() for _ in range(300)])
    mine = [new_id() for _ in range(300)]
    theirs = finish(child)

    assert not {one[19:] for one in mine} & {one[19:] for one in theirs}


def test_a_queue_in_memory_refuses_to_work_in_a_child() -> None:
    def work() -> list[str]:
        found = []
        for verb in (lambda: storage.enqueue([new()]), lambda: storage.jobs(Selector())):
            try:
                verb()
            except StorageError as error:
                found.append(str(error))
        return found

    with closing(SqliteStorage(":memory:")) as storage:
        storage.enqueue([new()])
        refused = "an in-memory queue cannot be used in a forked process"
        assert forked(work) == [refused, refused]
        with busy(lambda _: storage.enqueue([new()]), 2):
            for _ in range(10):
                assert forked(work) == [refused, refused]
        assert storage.count(Selector()) > 1


def test_lock_bytes_belong_to_the_parent_only(file: SqliteStorage) -> None:
    enqueue(file, "job", 2)
    number = worker(file)
    claims = take(file, number, 2)
    side = file.side()
    assert side is not None

    def work() -> list[object]:
        # Alive, because the parent holds the byte: the child cannot take it, nor recover its jobs.
        seen = [(row.id, row.alive) for row in file.workers()]
        answer = [seen, side.lock(number), [one.job.seq for one in file.recover()]]
        file.close()
        return [*answer, sorted(side._held)]

    assert forked(work) == [[[number, True]], False, [], []]

    # The child has closed its descriptors and is gone; the byte is still held here.
    with closing(sqlite3.connect(file.db.path)) as con:
        assert con.execute("select id from huey_worker").fetchall() == [(number,)]
    assert forked(lambda: side.locked(number)) is True
    assert len(claims) == 2
    file.unregister(number)
    assert forked(lambda: side.locked(number)) is False


def test_a_child_can_be_a_worker_of_its_own(file: SqliteStorage) -> None:
    mine = worker(file, "parent")

    def work() -> list[object]:
        number = worker(file, "child")
        alive = {row.name: row.alive for row in file.workers()}
        file.unregister(number)
        return [number != mine, alive]

    assert forked(work) == [True, {"parent": True, "child": True}]
    assert [row.name for row in file.workers()] == ["parent"]
    file.unregister(mine)
