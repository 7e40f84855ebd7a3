"""Calls that go into a batch, or into a transaction of the application's own."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from psycopg.pq import TransactionStatus

from hueycore import (
    ClaimLost,
    ConfigurationError,
    Huey,
    MemoryHuey,
    SerializationError,
    State,
    TaskWrapper,
    UnknownJob,
)
from tests.helpers import Signals, consuming, drain, job, jobs, run_one, states, wait_until
from tests.storage.engines import lab_of


@pytest.fixture
def add(huey: Huey) -> TaskWrapper[[int, int], int]:
    @huey.task()
    def add(a: int, b: int) -> int:
        return a + b

    return add


Add = TaskWrapper[[int, int], int]

# --- batch ----------------------------------------------------------------------------------------


@pytest.mark.feature("calling")
def test_a_batch_is_stored_in_one_transaction_at_its_end(huey: Huey, add: Add) -> None:
    signals = Signals(huey)
    before = lab_of(huey.storage).commits()  # type: ignore[attr-defined]

    with huey.batch() as batch:
        first = add(1, 2)
        second = add.schedule((3, 4), delay=60)
        more = huey.enqueue_many(add.s(n, n) for n in range(3))
        group = add.map([(5, 6)])
        assert jobs(huey) == []
        assert len(batch) == 6
        with pytest.raises(UnknownJob):
            first.get()

    assert lab_of(huey.storage).commits() == before + 1  # type: ignore[attr-defined]
    assert states(huey) == {"pending": 5, "scheduled": 1}
    assert [handle.seq for handle in (first, second, *more)] == [1, 2, 3, 4, 5]
    assert [handle.id for handle in batch.results][:2] == [first.id, second.id]
    assert signals.names() == ["enqueued", "enqueued", "scheduled", *["enqueued"] * 4]
    drain(huey)
    assert (first(), group()) == (3, [11])


def test_after_an_exception_nothing_of_a_batch_is_stored(huey: Huey, add: Add) -> None:
    with pytest.raises(ZeroDivisionError), huey.batch():
        add(1, 2)
        1 / 0

    assert jobs(huey) == []
    add(1, 2)
    assert len(jobs(huey)) == 1


def test_an_inner_batch_becomes_part_of_the_outer_one_or_is_dropped(huey: Huey, add: Add) -> None:
    with huey.batch() as outer:
        add(1, 1)
        with huey.batch():
            add(2, 2)
        with pytest.raises(ZeroDivisionError), huey.batch():
            add(3, 3)
            1 / 0
        add(4, 4)
        assert jobs(huey) == []

    assert [job(huey, handle).preview for handle in outer.results] == ["1, 1", "2, 2", "4, 4"]
    assert len(jobs(huey)) == 3


def test_arguments_are_those_of_the_moment_of_the_call(huey: Huey) -> None:
    @huey.task()
    def total(numbers: list[int]) -> int:
        return sum(numbers)

    with huey.batch():
        numbers = [1, 2]
        result = total(numbers)
        numbers.append(100)
        with pytest.raises(SerializationError):
            total(lambda: 1)  # type: ignore[arg-type]

    drain(huey)
    assert result() == 3


def test_other_threads_and_instances_are_not_in_the_batch(huey: Huey, add: Add) -> None:
    memory = MemoryHuey("other")
    elsewhere = memory.task()(add.func)
    with huey.batch():
        thread = threading.Thread(target=add, args=(1, 2))
        thread.start()
        thread.join()
        elsewhere(1, 2)
        assert len(jobs(huey)) == len(jobs(memory)) == 1
    memory.close()


def test_coroutines_have_batches_of_their_own(huey: Huey, add: Add) -> None:
    async def one(number: int, fails: bool) -> None:
        try:
            with huey.batch():
                add(number, 0)
                await asyncio.sleep(0)
                add(number, 1)
                if fails:
                    raise ValueError
        except ValueError:
            pass

    async def main() -> None:
        await asyncio.gather(*(one(n, n % 2 == 1) for n in range(6)))

    asyncio.run(main())

    assert [row.preview for row in jobs(huey)] == [f"{n}, {m}" for n in (0, 2, 4) for m in (0, 1)]


def test_a_coroutine_that_outlives_the_batch_it_began_in_loses_nothing(
    huey: Huey, add: Add
) -> None:
    async def later() -> None:
        await asyncio.sleep(0.01)
        add(1, 2)

    async def main() -> None:
        with huey.batch():
            task = asyncio.create_task(later())
        await task

    asyncio.run(main())

    assert len(jobs(huey)) == 1


def test_a_batch_with_duplicates_gives_one_handle(huey: Huey) -> None:
    @huey.task(unique=True)
    def sync(user: int) -> None: ...

    with huey.batch():
        handles = [sync(7), sync(7), sync(8)]

    assert handles[0].id == handles[1].id != handles[2].id
    assert len(jobs(huey)) == 2


def test_a_batch_in_immediate_mode_runs_at_its_end() -> None:
    huey = MemoryHuey("now", immediate=True)
    ran: list[int] = []
    work = huey.task()(ran.append)

    with huey.batch():
        work(1)
        assert ran == []

    assert ran == [1]
    huey.close()


# --- using ----------------------------------------------------------------------------------------


def connect(huey: Huey) -> Any:
    """A connection of the application's own to where the queue is."""
    return lab_of(huey.storage).connect()


@contextmanager
def transaction(connection: Any) -> Iterator[None]:
    """What both drivers' own blocks do; psycopg's closes its connection as well."""
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def is_idle(connection: Any) -> bool:
    if isinstance(connection, sqlite3.Connection):
        return not connection.in_transaction
    return bool(connection.info.transaction_status == TransactionStatus.IDLE)


@pytest.fixture
def connection(huey: Huey) -> Iterator[Any]:
    if not lab_of(huey.storage).transactional:
        pytest.skip("this engine has no part in an application's transaction, and says so")
    with closing(connect(huey)) as opened:
        opened.execute("create table account (name text primary key, euros int)")
        opened.execute("insert into account values ('ann', 100), ('bob', 0)")
        opened.commit()
        yield opened


def euros(huey: Huey) -> tuple[int, int]:
    with closing(connect(huey)) as other:
        (ann,), (bob,) = other.execute("select euros from account order by name").fetchall()
        return ann, bob


@pytest.mark.feature("transactional enqueue")
def test_jobs_and_rows_are_committed_together(huey: Huey, add: Add, connection: Any) -> None:
    signals = Signals(huey)
    with transaction(connection), huey.using(connection):
        connection.execute("update account set euros = euros - 5 where name = 'ann'")
        result = add(1, 2)
        huey.enqueue_many([add.s(3, 4)])
        assert jobs(huey) == []

    assert euros(huey) == (95, 0)
    assert len(jobs(huey)) == 2
    assert signals.seen == [], "a signal tells of what is committed, which nobody here can know"
    drain(huey)
    assert result() == 3


def test_rolled_back_together(huey: Huey, add: Add, connection: Any) -> None:
    with pytest.raises(ZeroDivisionError), transaction(connection), huey.using(connection):
        connection.execute("update account set euros = euros - 5 where name = 'ann'")
        add(1, 2)
        1 / 0

    assert euros(huey) == (100, 0)
    assert jobs(huey) == []
    assert add(1, 2).state is State.PENDING


def test_a_batch_and_a_transaction_within_each_other(huey: Huey, add: Add, connection: Any) -> None:
    with transaction(connection), huey.using(connection), huey.batch():
        add(1, 1)
        assert is_idle(connection)
    assert len(jobs(huey)) == 1

    with huey.batch():
        with transaction(connection), huey.using(connection):
            add(2, 2)
        assert len(jobs(huey)) == 2, "the innermost counts"


def test_the_transaction_is_of_its_thread_alone(huey: Huey, add: Add, connection: Any) -> None:
    with huey.using(connection):
        thread = threading.Thread(target=add, args=(1, 2))
        thread.start()
        thread.join()
        assert len(jobs(huey)) == 1, "a plain thread knows nothing of it"

        async def elsewhere() -> None:
            await asyncio.to_thread(add, 1, 2)

        with pytest.raises(ConfigurationError, match="thread"):
            asyncio.run(elsewhere())
    add(1, 2)
    assert len(jobs(huey)) == 2


@pytest.mark.sqlite_only("files are attached")
def test_what_is_no_connection_to_the_queue_is_refused(huey: Huey, tmp_path: Any) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        with pytest.raises(ConfigurationError, match="the queue is in"), huey.using(other):
            pytest.fail("it must not get here")
        other.execute("attach ? as q", (huey.filename,))
        with pytest.raises(ConfigurationError, match="attached"), huey.using(other):
            pytest.fail("it must not get here")


def test_unique_jobs_and_ids_hold_inside(huey: Huey, connection: Any) -> None:
    @huey.task(unique=True)
    def sync(user: int) -> None: ...

    outside = sync(7)
    with transaction(connection), huey.using(connection):
        assert sync(7).id == outside.id
        assert sync(8).id == sync(8).id
        assert sync.schedule((9,), delay=5, id="x").id == "x"

    assert len(jobs(huey)) == 3


def test_a_consumer_starts_the_job_after_the_commit(huey: Huey, add: Add, connection: Any) -> None:
    with consuming(huey):
        with huey.using(connection):
            result = add(1, 2)
        connection.commit()

        assert result.get(blocking=True, timeout=10) == 3


@pytest.mark.sqlite_only("a queue in memory takes a connection of sqlite3")
def test_in_memory_the_jobs_are_stored_at_once(connection: Any) -> None:
    huey = MemoryHuey("test", immediate=True)
    double = huey.task()(lambda n: 2 * n)

    with huey.using(connection):
        assert double(2)() == 4
    huey.close()


# --- complete_in ----------------------------------------------------------------------------------


def transfer_task(huey: Huey, **how: Any) -> TaskWrapper[..., str]:
    """Move five euros, exactly once; ``how`` says what goes wrong."""

    @huey.task(context=True, retries=how.get("retries", 0))
    def transfer(task: Any = None) -> str:
        with closing(connect(huey)) as con, transaction(con):
            con.execute("update account set euros = euros - 5 where name = 'ann'")
            con.execute("update account set euros = euros + 5 where name = 'bob'")
            task.complete_in(con, result="moved")
            if how.get("inside") and task.attempt == 1:
                raise ValueError("before the commit")
        if how.get("after"):
            raise ValueError("after the commit")
        return "ignored"

    return transfer


def test_the_end_of_a_run_is_committed_with_its_rows(huey: Huey, connection: Any) -> None:
    signals = Signals(huey)
    result = transfer_task(huey)()

    run_one(huey)

    assert euros(huey) == (95, 5)
    assert job(huey, result).state is State.DONE
    assert result() == "moved"
    assert signals.names() == ["enqueued", "executing", "complete"]
    assert sum(metric.done for metric in huey.storage.metrics(0)) == 1


def test_a_consumer_reports_no_lost_claim(huey: Huey, connection: Any) -> None:
    signals = Signals(huey)
    with consuming(huey):
        result = transfer_task(huey)()
        assert result.get(blocking=True, timeout=10) == "moved"
        wait_until(lambda: "complete" in signals.names())

    assert signals.names() == ["enqueued", "executing", "complete"]


def test_after_a_rollback_the_run_is_retried_as_usual(huey: Huey, connection: Any) -> None:
    result = transfer_task(huey, inside=True, retries=1)()
    signals = Signals(huey)

    run_one(huey)
    assert euros(huey) == (100, 0)
    assert job(huey, result).state is State.PENDING
    run_one(huey)

    assert euros(huey) == (95, 5)
    assert result() == "moved"
    assert signals.names() == [
        "executing", "error", "retrying", "enqueued", "executing", "complete",
    ]  # fmt: skip


def test_an_exception_after_the_commit_changes_nothing(huey: Huey, connection: Any) -> None:
    signals = Signals(huey)
    result = transfer_task(huey, after=True, retries=3)()

    drain(huey)

    assert euros(huey) == (95, 5)
    assert (job(huey, result).state, result()) == (State.DONE, "moved")
    assert signals.names() == ["enqueued", "executing", "complete"]


def test_a_run_that_lost_its_job_cannot_complete_it(huey: Huey, connection: Any) -> None:
    caught: list[BaseException] = []

    @huey.task(context=True)
    def transfer(task: Any = None) -> None:
        huey.flush()
        try:
            with connection:
                connection.execute("update account set euros = 0")
                task.complete_in(connection)
        except ClaimLost as error:
            caught.append(error)

    transfer()
    run_one(huey)

    assert len(caught) == 1
    assert euros(huey) == (100, 0), "the rows went back with it"


def test_only_a_run_can_complete_itself(huey: Huey, add: Add) -> None:
    with pytest.raises(ConfigurationError, match="context=True"):
        add.s(1, 2).complete_in(None)


# --- on a loop ------------------------------------------------------------------------------------


@pytest.mark.feature("async")
def test_what_is_enqueued_on_a_loop_goes_into_the_batch_or_the_transaction(
    huey: Huey, add: Add, connection: Any
) -> None:
    async def main() -> None:
        with huey.batch():
            first = await add.aenqueue(1, 1)
            assert jobs(huey) == []
        assert first.seq == 1
        with huey.using(connection):
            second = await add.aenqueue(2, 2)
        assert len(jobs(huey)) == 1
        connection.commit()
        assert second.state is State.PENDING

    asyncio.run(main())
    assert len(jobs(huey)) == 2
