"""A guest in the application's transaction: both commit or neither, whatever connection it is."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row, namedtuple_row, scalar_row, tuple_row

from hueycore.exceptions import (
    ConfigurationError,
    QueueFull,
    StorageError,
)
from hueycore.model.endings import Completed, Done
from hueycore.model.jobs import Ended, Selector, Want
from hueycore.model.limits import Limit
from hueycore.model.plan import Edge, Plan
from hueycore.model.states import State
from hueycore.storage.postgres import PostgresStorage
from tests.helpers import wait_until
from tests.storage.kit import born, ended, new, one, pipeline, state, worker
from tests.storage.postgres.conftest import Connect, Open
from tests.storage.sql.lab import sql
from tests.storage.sqlite.faults.rig import Crew

IDLE = psycopg.pq.TransactionStatus.IDLE


def count(storage: PostgresStorage) -> tuple[int, int]:
    """(business rows, jobs) as everybody else sees them."""
    schema = storage.db.schema
    query = f"select (select count(*) from {schema}.account), (select count(*) from huey_job)"
    return sql(storage, query)[0]


def pay(connection: psycopg.Connection[Any]) -> None:
    connection.execute("insert into account values ('ann', 5)")


# --- the modes of a connection --------------------------------------------------------------------


def test_the_blocks_of_a_connection_commit_or_roll_back(
    storage: PostgresStorage, connect: Connect
) -> None:
    connection = connect(autocommit=True)
    with connection.transaction():
        pay(connection)
        storage.on(connection).enqueue([new(id="stays")])
        with pytest.raises(ZeroDivisionError), connection.transaction():
            storage.on(connection).enqueue([new(id="goes")])
            1 / 0
    assert [job.id for job in storage.jobs(Selector())] == ["stays"]

    with pytest.raises(ZeroDivisionError), connection.transaction():
        storage.on(connection).enqueue([new()])
        1 / 0
    assert count(storage) == (1, 1)


def test_autocommit_without_a_transaction_is_refused_with_what_to_do(
    storage: PostgresStorage, connect: Connect
) -> None:
    connection = connect(autocommit=True)

    with pytest.raises(ConfigurationError, match=r"BEGIN one first.*connection\.transaction\(\)"):
        storage.on(connection).enqueue([new()])

    assert connection.info.transaction_status == IDLE
    assert count(storage) == (0, 0)


@pytest.mark.parametrize("factory", [tuple_row, dict_row, namedtuple_row, scalar_row])
def test_rows_types_and_cursors_are_the_applications_own_affair(
    storage: PostgresStorage, connect: Connect, factory: Any
) -> None:
    class Cursor(psycopg.Cursor[Any]):
        def execute(self, *_: Any, **__: Any) -> Any:
            raise AssertionError("this is the application's")

    connection = connect(row_factory=factory)
    connection.adapters.register_loader("text", psycopg.types.string.TextBinaryLoader)
    connection.adapters.register_loader("float8", psycopg.types.string.TextLoader)
    connection.cursor_factory = Cursor
    guest = storage.on(connection)
    guest.enqueue([new(id="one")])

    (again,) = guest.enqueue([new(id="one")])
    (unique,) = guest.enqueue([new(unique_key="k", unique_until="end")])
    (kept,) = guest.enqueue([new(unique_key="k", unique_until="end")])

    assert (again.id, again.fresh) == ("one", False)
    assert kept[:4] == (*unique[:3], False)
    assert (connection.row_factory, connection.cursor_factory) == (factory, Cursor)
    connection.commit()
    assert count(storage) == (0, 2)


def test_the_settings_of_a_connection_stay_as_they_are(
    storage: PostgresStorage, connect: Connect
) -> None:
    connection = connect()
    names = ("search_path", "lock_timeout", "synchronous_commit", "transaction_isolation")
    before = [connection.execute(f"show {name}".encode()).fetchall() for name in names]

    storage.on(connection).enqueue([new(), new(key_name="k")])

    assert [connection.execute(f"show {name}".encode()).fetchall() for name in names] == before


def test_a_transaction_begins_as_the_connection_would_begin_it(
    storage: PostgresStorage, connect: Connect
) -> None:
    connection = connect()
    connection.isolation_level = psycopg.IsolationLevel.SERIALIZABLE

    storage.on(connection).enqueue([new()])

    assert connection.execute("show transaction_isolation").fetchone() == ("serializable",)


# --- asynchronous connections ---------------------------------------------------------------------


def with_loop(
    storage: PostgresStorage, work: Callable[[psycopg.AsyncConnection[Any]], Awaitable[None]]
) -> None:
    async def main() -> None:
        async with await psycopg.AsyncConnection.connect(
            storage.db.dsn, row_factory=dict_row
        ) as connection:
            await connection.execute(f"set search_path to {storage.db.schema}".encode())
            await connection.commit()
            await work(connection)

    asyncio.run(main())


def test_an_asynchronous_connection_commits_both_or_neither(
    storage: PostgresStorage, connect: Connect
) -> None:
    async def work(connection: psycopg.AsyncConnection[Any]) -> None:
        await connection.execute("insert into account values ('ann', 5)")
        storage.on(connection).enqueue([new(id="mine")])
        await connection.commit()
        assert count(storage) == (1, 1)
        storage.on(connection).enqueue([new(id="gone")])
        await connection.execute("insert into account values ('bob', 5)")
        await connection.rollback()
        await connection.set_autocommit(True)
        async with connection.transaction():
            storage.on(connection).enqueue([new(id="too")])
        with pytest.raises(ConfigurationError, match="BEGIN one first"):
            storage.on(connection).enqueue([new()])

    with_loop(storage, work)

    assert count(storage) == (1, 2)


def test_an_asynchronous_connection_begins_as_it_would(
    storage: PostgresStorage, connect: Connect
) -> None:
    async def work(connection: psycopg.AsyncConnection[Any]) -> None:
        await connection.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
        storage.on(connection).enqueue([new()])
        cursor = await connection.execute("show transaction_isolation")
        assert await cursor.fetchone() == {"transaction_isolation": "repeatable read"}

    with_loop(storage, work)


def test_an_asynchronous_connection_that_is_in_use_is_refused(
    storage: PostgresStorage, connect: Connect
) -> None:
    async def work(connection: psycopg.AsyncConnection[Any]) -> None:
        guest = storage.on(connection)
        busy = asyncio.ensure_future(connection.execute("select pg_sleep(0.2)"))
        await asyncio.sleep(0.05)
        with pytest.raises(ConfigurationError, match="another task is using"):
            guest.enqueue([new()])
        await busy
        with pytest.raises(ConfigurationError, match="event loop"):
            await asyncio.to_thread(guest.enqueue, [new()])
        guest.enqueue([new()])
        await connection.commit()

    with_loop(storage, work)

    assert count(storage) == (0, 1)


# --- what is refused ------------------------------------------------------------------------------


def test_a_connection_to_other_data_is_refused_by_its_identity(
    storage: PostgresStorage, open_: Open, connect: Connect, postgres: str
) -> None:
    elsewhere = psycopg.conninfo.make_conninfo(postgres, dbname="postgres")
    with psycopg.connect(elsewhere) as connection:
        with pytest.raises(ConfigurationError, match=r'"postgres".*does not hold this queue'):
            storage.on(connection).enqueue([new()])
        assert connection.info.transaction_status == IDLE

    storage.db.identity = "the same names on another server"
    connection = connect()
    pay(connection)
    with pytest.raises(ConfigurationError, match="does not hold this queue"):
        storage.on(connection).enqueue([new()])
    connection.commit()
    assert count(storage) == (1, 0)


def test_what_cannot_be_used_is_refused(storage: PostgresStorage, connect: Connect) -> None:
    closed, failed, piping = connect(), connect(), connect()
    closed.close()
    with pytest.raises(psycopg.Error):
        failed.execute("select 1 / 0")
    for wrong, why in (
        (None, "NoneType"),
        ("postgresql://", "str"),
        (closed, "closed"),
        (failed, "rolled back"),
    ):
        with pytest.raises(ConfigurationError, match=why):
            storage.on(wrong)
    with piping.pipeline(), pytest.raises(ConfigurationError, match="pipeline"):
        storage.on(piping)


def test_a_transaction_older_than_the_queue_is_refused(open_: Open, postgres: str) -> None:
    with psycopg.connect(postgres) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.execute("select 1")
        guest = open_().on(connection)

        with pytest.raises(ConfigurationError, match="began before the queue"):
            guest.enqueue([new()])


# --- when it fails --------------------------------------------------------------------------------


def test_a_refused_call_that_began_the_transaction_ends_it(
    storage: PostgresStorage, connect: Connect
) -> None:
    storage.max_pending = 0
    connection = connect()

    with pytest.raises(QueueFull):
        storage.on(connection).enqueue([new()])

    assert connection.info.transaction_status == IDLE


def test_a_connection_that_breaks_is_an_error_of_the_library(
    storage: PostgresStorage, connect: Connect
) -> None:
    connection, other = connect(), connect(autocommit=True)
    pay(connection)
    guest = storage.on(connection)
    pid = (connection.info.backend_pid,)
    other.execute("select pg_terminate_backend(%s)", pid)
    wait_until(
        lambda: not other.execute("select 1 from pg_stat_activity where pid = %s", pid).fetchall()
    )

    with pytest.raises(StorageError):
        guest.enqueue([new()])

    assert count(storage) == (0, 0)


def test_nobody_waits_for_the_commit_of_a_plain_job(
    storage: PostgresStorage, connect: Connect
) -> None:
    first, second = connect(), connect()
    number = worker(storage)
    storage.on(first).enqueue([new("open")])
    storage.on(second).enqueue([new("quick")])
    second.commit()

    assert one(storage, number).task == "quick"
    born(storage, "later")
    assert one(storage, number).task == "later"
    first.commit()
    assert one(storage, number).task == "open"


# --- ending a run ---------------------------------------------------------------------------------


def late(claim: Any, otherwise: Any) -> Ended:
    """What the worker says of a run that has ended itself."""
    return ended(claim, Completed(otherwise))


def test_what_follows_comes_with_the_runs_exchange(
    storage: PostgresStorage, connect: Connect
) -> None:
    _, second = pipeline(storage, 2)
    number = worker(storage)
    claim = one(storage, number)
    connection = connect()

    assert storage.on(connection).end(ended(claim, Done()))
    connection.commit()

    assert state(storage, second) is State.BLOCKED
    assert storage.exchange(number, [late(claim, Done())], Want(0)).lost == []
    assert state(storage, second) is State.PENDING
    assert sql(storage, "select * from huey_completed") == []


@pytest.mark.feature("crash")
def test_who_dies_after_the_commit_leaves_the_rest_to_the_recovery(
    storage: PostgresStorage, connect: Connect, crew: Crew
) -> None:
    storage.declare_limits([Limit("limited", "k", 1)])
    first, second = pipeline(storage, 2)
    limited, next_one = storage.enqueue([new("limited", key_name="k") for _ in range(2)])
    member = crew.start("complete", storage.db.dsn, storage.db.schema, 2)
    assert member.hear() == [first.seq, limited.seq]
    assert (state(storage, first), state(storage, second)) == (State.DONE, State.BLOCKED)

    member.kill()

    wait_until(lambda: storage.recover() == [] and storage.workers() == [])
    assert (state(storage, second), state(storage, next_one)) == (State.PENDING, State.PENDING)
    assert sum(metric.done for metric in storage.metrics(0)) == 2
    assert sql(storage, "select * from huey_completed") == []


def test_two_threads_end_their_runs_while_a_third_claims(
    storage: PostgresStorage, connect: Connect
) -> None:
    storage.enqueue([new() for _ in range(3)])
    number = worker(storage)
    claims = [one(storage, number), one(storage, number)]
    held = [connect(), connect()]

    def complete(place: int) -> None:
        assert storage.on(held[place]).end(ended(claims[place]))

    threads = [threading.Thread(target=complete, args=(place,)) for place in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert one(storage, number).seq == 3, "no lock of the queue is held over the transactions"
    for connection in held:
        connection.commit()


# --- births that take no lock of the queue --------------------------------------------------------


def test_nobody_waits_for_the_commit_of_jobs_with_keys_and_stages(
    storage: PostgresStorage, connect: Connect
) -> None:
    storage.declare_limits([Limit("task", "k", 1)])
    number = worker(storage)
    first, second = connect(), connect()
    keyed = [new(key_name="k"), new(key_name="k", unique_key="u", unique_until="end")]
    storage.on(first).enqueue(keyed)
    storage.on(second).enqueue([new("a"), new("b")], Plan([Edge(0, 1)]))
    born(storage, "meanwhile", key_name="k")
    assert one(storage, number).task == "meanwhile"
    second.commit()
    assert one(storage, number).task == "a"

    first.commit()

    assert storage.next_run_at() == 0.0, "somebody has to settle the key"
    storage.promote()
    assert sql(storage, "select * from huey_todo") == []
    assert [state(storage, job_of(storage, job.id)) for job in keyed] == [State.BLOCKED] * 2


def test_a_keyed_job_of_a_guest_runs_when_the_key_has_room(
    storage: PostgresStorage, connect: Connect
) -> None:
    storage.declare_limits([Limit("task", "k", 1)])
    number = worker(storage)
    connection = connect()
    (job,) = storage.on(connection).enqueue([new(key_name="k")])
    assert job.state is State.BLOCKED
    assert storage.promote() == [], "nobody sees it before the commit"
    connection.commit()

    storage.promote()

    assert one(storage, number).seq == job.seq
    assert storage.mend() == []


def test_mending_does_not_take_what_was_put_off_for_a_bug(
    storage: PostgresStorage, connect: Connect
) -> None:
    connection = connect()
    (job,) = storage.on(connection).enqueue([new(key_name="k")])
    connection.commit()

    assert storage.mend() == []

    assert state(storage, job) is State.PENDING


def test_a_job_that_was_born_meanwhile_stands_for_the_guests(
    storage: PostgresStorage, connect: Connect
) -> None:
    first, second = connect(), connect(autocommit=True)
    storage.on(first).enqueue([new(id="same")])
    answers: list[Any] = []

    def other() -> None:
        with second.transaction():
            answers.extend(storage.on(second).enqueue([new(id="same"), new(id="new")]))

    thread = threading.Thread(target=other)
    thread.start()
    wait_until(
        lambda: sql(storage, "select 1 from pg_stat_activity where wait_event = 'transactionid'")
    )
    first.commit()
    thread.join(10)

    assert [(answer.id, answer.fresh) for answer in answers] == [("same", False), ("new", True)]


def job_of(storage: PostgresStorage, id_: str) -> int:
    found = storage.job(id_)
    assert found is not None
    return found.seq


def test_what_was_put_off_is_no_finding_of_the_doctor(
    storage: PostgresStorage, connect: Connect
) -> None:
    connection = connect()
    storage.on(connection).enqueue([new(key_name="k")])
    connection.commit()

    before = storage.examine(full=True)
    storage.promote()

    assert before == storage.examine(full=True) == []
