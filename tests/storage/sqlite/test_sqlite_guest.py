"""A guest in the application's transaction: both commit or neither, whatever connection it is."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hueycore.exceptions import (
    ConfigurationError,
    QueueFull,
    StorageBusy,
    StorageError,
    StorageMoved,
    StorageTooNew,
)
from hueycore.model.endings import Completed, Done
from hueycore.model.jobs import Selector, Want
from hueycore.model.limits import Limit
from hueycore.model.states import State
from hueycore.storage.sqlite import SqliteStorage
from tests.storage.conftest import Maker
from tests.storage.kit import born, ended, new, one, pipeline, row, state, take, worker
from tests.storage.sql.lab import sql, write
from tests.storage.sqlite.invariants import check_invariants

Connect = Callable[..., sqlite3.Connection]


@pytest.fixture
def connect(file: SqliteStorage) -> Iterator[Connect]:
    """The application's own connections to the queue's file, which has a table of its own."""
    opened: list[sqlite3.Connection] = []

    def open_(path: str = file.db.path, **options: Any) -> sqlite3.Connection:
        opened.append(sqlite3.connect(path, **{"timeout": 0.1, **options}))
        return opened[-1]

    with closing(sqlite3.connect(file.db.path)) as con:
        con.execute("create table account (name text, euros int)")
        con.commit()
    yield open_
    for connection in opened:
        connection.close()


def count(file: SqliteStorage) -> tuple[int, int]:
    """(business rows, jobs) as everybody else sees them."""
    return sql(file, "select (select count(*) from account), (select count(*) from huey_job)")[0]


def pay(connection: sqlite3.Connection) -> None:
    connection.execute("insert into account values ('ann', 5)")


# --- the modes of a connection --------------------------------------------------------------------

MODES: dict[str, dict[str, Any]] = {
    "implicit": {},
    "implicit immediate": {"isolation_level": "IMMEDIATE"},
    "explicit": {"isolation_level": None},
}
if hasattr(sqlite3, "LEGACY_TRANSACTION_CONTROL"):
    MODES["autocommit off"] = {"autocommit": False}
    MODES["autocommit on"] = {"autocommit": True}
BEGINS = ("explicit", "autocommit on")


@pytest.fixture(params=MODES)
def connection(request: pytest.FixtureRequest, connect: Connect) -> sqlite3.Connection:
    """In a transaction if it is for the caller to begin one."""
    opened = connect(**MODES[request.param])
    if request.param in BEGINS:
        opened.execute("begin")
    return opened


def finish(connection: sqlite3.Connection, word: str) -> None:
    """Commit or roll back; in autocommit mode the methods do nothing."""
    if connection.in_transaction:
        connection.execute(word)


@pytest.mark.parametrize("job_first", [True, False], ids=["job first", "row first"])
def test_in_each_mode_a_commit_brings_both(
    file: SqliteStorage, connection: sqlite3.Connection, job_first: bool
) -> None:
    guest = file.on(connection)
    if not job_first:
        pay(connection)

    (answer,) = guest.enqueue([new(id="mine")])

    assert connection.in_transaction
    if job_first:
        pay(connection)
    assert count(file) == (0, 0), "nobody sees it before the commit"
    finish(connection, "commit")
    assert count(file) == (1, 1)
    assert row(file, answer).id == "mine"


def test_in_each_mode_a_rollback_leaves_neither(
    file: SqliteStorage, connection: sqlite3.Connection
) -> None:
    pay(connection)
    file.on(connection).enqueue([new(), new()])

    finish(connection, "rollback")

    assert count(file) == (0, 0)
    assert born(file).fresh


def test_the_with_block_of_a_connection_commits_or_rolls_back(
    file: SqliteStorage, connect: Connect
) -> None:
    connection = connect()
    with connection:
        pay(connection)
        file.on(connection).enqueue([new()])
    assert count(file) == (1, 1)

    with pytest.raises(ZeroDivisionError), connection:
        pay(connection)
        file.on(connection).enqueue([new()])
        1 / 0
    assert count(file) == (1, 1)


@pytest.mark.parametrize("options", [MODES[name] for name in MODES if name in BEGINS])
def test_autocommit_without_a_transaction_is_refused(
    file: SqliteStorage, connect: Connect, options: dict[str, Any]
) -> None:
    connection = connect(**options)

    with pytest.raises(ConfigurationError, match="BEGIN one first"):
        file.on(connection).enqueue([new()])

    assert count(file) == (0, 0)


def test_rows_and_texts_are_the_applications_own_affair(
    file: SqliteStorage, connect: Connect
) -> None:
    connection = connect()
    connection.row_factory = lambda cursor, values: {"dict": values}
    connection.text_factory = bytes
    guest = file.on(connection)
    guest.enqueue([new(id="one")])

    (again,) = guest.enqueue([new(id="one")])
    (unique,) = guest.enqueue([new(unique_key="k", unique_until="end")])
    (kept,) = guest.enqueue([new(unique_key="k", unique_until="end")])

    assert (again.id, again.fresh) == ("one", False)
    assert kept[:4] == (*unique[:3], False)
    assert connection.execute("select 'x'").fetchall() == [{"dict": (b"x",)}]
    connection.commit()
    check_invariants(file.db.path)


# --- what is refused ------------------------------------------------------------------------------


def test_a_connection_to_another_file_is_refused(
    file: SqliteStorage, connect: Connect, tmp_path: Path
) -> None:
    for other in (str(tmp_path / "other.db"), ":memory:"):
        with pytest.raises(ConfigurationError, match="the queue is in"):
            file.on(connect(other))


def test_a_queue_that_is_only_attached_is_refused(
    file: SqliteStorage, connect: Connect, tmp_path: Path
) -> None:
    connection = connect(str(tmp_path / "other.db"))
    connection.execute("attach ? as queue", (file.db.path,))

    with pytest.raises(ConfigurationError, match=r"only attached.*as queue.*two commits"):
        file.on(connection)


def test_another_name_of_the_file_is_the_file(
    file: SqliteStorage, connect: Connect, tmp_path: Path
) -> None:
    os.symlink(file.db.path, tmp_path / "link.db")
    connection = connect(f"file:{tmp_path}/link.db?mode=rw", uri=True)

    file.on(connection).enqueue([new()])
    connection.commit()

    assert count(file) == (0, 1)


def test_a_file_that_was_replaced_is_refused(
    file: SqliteStorage, connect: Connect, tmp_path: Path
) -> None:
    connection = connect()
    guest = file.on(connection)
    os.rename(file.db.path, tmp_path / "away.db")

    with pytest.raises(StorageMoved):
        guest.enqueue([new()])
    os.rename(tmp_path / "away.db", file.db.path)


def test_a_newer_schema_is_refused(file: SqliteStorage, connect: Connect) -> None:
    write(file, "update huey_meta set value = '99' where name = 'schema'")

    with pytest.raises(StorageTooNew):
        file.on(connect()).enqueue([new()])
    write(file, "update huey_meta set value = '1' where name = 'schema'")


def test_a_transaction_older_than_the_queue_is_refused(make_file: Maker, path: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("pragma journal_mode=wal")
        connection.execute("create table account (name)")
        connection.execute("begin")
        connection.execute("select * from account").fetchall()
        guest = make_file().on(connection)

        with pytest.raises(ConfigurationError, match="began before the queue"):
            guest.enqueue([new()])


# --- when it fails --------------------------------------------------------------------------------


def test_a_refused_call_that_began_the_transaction_ends_it(
    file: SqliteStorage, connect: Connect
) -> None:
    file.max_pending = 0
    connection = connect()

    with pytest.raises(QueueFull):
        file.on(connection).enqueue([new()])

    assert not connection.in_transaction


def test_a_busy_file_is_told_and_the_transaction_stays(
    file: SqliteStorage, connect: Connect
) -> None:
    connection, other = connect(), connect(isolation_level=None)
    connection.execute("begin")
    connection.execute("select * from account").fetchall()
    other.execute("begin immediate")

    with pytest.raises(StorageBusy):
        file.on(connection).enqueue([new()])

    assert connection.in_transaction
    other.execute("rollback")
    file.on(connection).enqueue([new()])
    connection.commit()
    assert count(file) == (0, 1)


def test_a_full_disk_is_told_and_sqlite_has_rolled_back(
    file: SqliteStorage, connect: Connect
) -> None:
    from hueycore.exceptions import StorageFull

    connection = connect()
    pay(connection)
    pages = connection.execute("pragma page_count").fetchone()[0]
    connection.execute(f"pragma max_page_count={pages}")

    with pytest.raises(StorageFull):
        file.on(connection).enqueue([new(payload=b"x" * 100_000)])

    connection.rollback()
    assert count(file) == (0, 0)


def test_a_thread_that_did_not_make_the_connection_gets_an_error_of_the_library(
    file: SqliteStorage, connect: Connect
) -> None:
    connection = connect()
    guest = file.on(connection)
    caught: list[BaseException] = []

    def work() -> None:
        try:
            guest.enqueue([new()])
        except Exception as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert isinstance(caught[0], StorageError)


# --- ending a run ---------------------------------------------------------------------------------


def test_what_follows_is_committed_with_the_end(file: SqliteStorage, connect: Connect) -> None:
    first, second = pipeline(file, 2)
    file.declare_limits([Limit("task", "k", 1)])
    _, keyed = file.enqueue([new(key_name="k"), new(key_name="k")])
    number = worker(file)
    claims = take(file, number, 2)
    connection = connect()

    for claim in claims:
        assert file.on(connection).end(ended(claim))
    connection.commit()

    assert (state(file, second), state(file, keyed)) == (State.PENDING, State.PENDING)
    before = row(file, first)
    late = [ended(claim, Completed(Done())) for claim in claims]
    assert file.exchange(number, late, Want(0)).lost == []
    assert row(file, first) == before


def test_in_memory_a_guest_is_its_own_transaction(connect: Connect) -> None:
    with closing(SqliteStorage(":memory:")) as storage:
        guest = storage.on(connect())
        (job,) = guest.enqueue([new()])
        claim = one(storage, worker(storage))

        assert guest.end(ended(claim, Done(b"mine")))
        assert state(storage, job) is State.DONE


def test_a_step_that_fails_anywhere_leaves_nothing_of_itself(
    file: SqliteStorage, connect: Connect
) -> None:
    """SQLite is interrupted after so many instructions, in whatever statement that is."""
    born(file, id="there", unique_key="k", unique_until="end", run_at=4e9)
    steps, connection = 0, connect(isolation_level=None)
    guest = file.on(connection)
    failures = 0
    while True:
        steps += 3
        ticks = iter(range(steps))
        connection.execute("begin immediate")
        pay(connection)
        connection.set_progress_handler(lambda left=ticks: next(left, None) is None, 4)
        try:
            guest.enqueue(
                [new(id="a"), new(unique_key="k", unique_until="end", on_conflict="replace")]
            )
        except StorageError:
            failures += 1
            connection.set_progress_handler(None, 0)
            seen = connection.execute("select id, run_at from huey_job").fetchall()
            assert seen == [("there", 4e9)], f"after {steps} steps"
            if connection.in_transaction:
                connection.execute("commit")
            continue
        connection.set_progress_handler(None, 0)
        connection.execute("commit")
        break
    assert failures > 50
    assert {job.id for job in file.jobs(Selector())} == {"there", "a"}
    check_invariants(file.db.path)
