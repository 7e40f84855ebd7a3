"""Async tasks step by step, and producing and waiting from an event loop."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from hueycore import (
    AsyncTaskWrapper,
    Huey,
    MemoryHuey,
    PayloadTooLarge,
    QueueFull,
    Result,
    ResultGroup,
    ResultTimeout,
    SerializationError,
    State,
    StorageError,
    TaskException,
    TaskWrapper,
    UnknownJob,
    chord,
    every,
    group,
)
from hueycore.api.aio import PAUSE
from hueycore.contrib.asyncio import aget_result, aget_result_group
from tests.helpers import Signals, consuming, drain, job, jobs, run_one, run_python, states
from tests.storage.engines import lab_of

T = TypeVar("T")


def run(main: Coroutine[Any, Any, T]) -> T:
    """On a loop that shows what it finds wrong, and within half a minute."""

    async def whole() -> T:
        loop = asyncio.get_running_loop()
        wrong: list[dict[str, Any]] = []
        loop.set_exception_handler(lambda _, context: wrong.append(context))
        value = await asyncio.wait_for(main, 30)
        gc.collect()
        await asyncio.sleep(0)
        assert wrong == []
        return value

    return asyncio.run(whole())


class Turns:
    """How long the loop did not turn, at worst."""

    def __init__(self) -> None:
        self.worst = 0.0

    async def __aenter__(self) -> Turns:
        self._task = asyncio.create_task(self._turn())
        return self

    async def __aexit__(self, *unused: object) -> None:
        self._task.cancel()

    async def _turn(self) -> None:
        while True:
            last = time.monotonic()
            await asyncio.sleep(0.001)
            self.worst = max(self.worst, time.monotonic() - last)


@pytest.fixture
def tasks(huey: Huey) -> Any:
    class Tasks:
        @staticmethod
        @huey.task()
        async def double(n: int) -> int:
            await asyncio.sleep(0)
            return 2 * n

        @staticmethod
        @huey.task()
        async def fail(text: str) -> None:
            raise LookupError(text)

    return Tasks


# --- declaring and stepping -----------------------------------------------------------------------


@pytest.mark.feature("async")
def test_an_async_function_is_a_task_like_any_other(huey: Huey) -> None:
    @huey.task
    async def bare() -> int:
        return 1

    @huey.periodic_task(every(60))
    async def beat() -> int:
        return 2

    @huey.task()
    def plain() -> int:
        return 3

    assert [task.is_async for task in (bare, beat, plain)] == [True, True, False]
    assert [type(task) for task in (bare, plain)] == [AsyncTaskWrapper, TaskWrapper]
    assert [huey.execute(task) for task in huey.read_periodic()] == [2]
    handle = bare()
    assert run_one(huey) == 1
    assert handle.get() == 1


def test_call_local_gives_the_coroutine(tasks: Any) -> None:
    assert run(tasks.double.call_local(4)) == 8


def test_a_step_has_a_loop_of_its_own_that_is_closed_after_it(huey: Huey) -> None:
    loops: list[asyncio.AbstractEventLoop] = []

    @huey.task()
    async def note() -> None:
        loops.append(asyncio.get_running_loop())

    note(), note()
    drain(huey)

    assert loops[0] is not loops[1]
    assert all(loop.is_closed() for loop in loops)


def test_a_step_within_a_running_loop_gets_another_thread(huey: Huey) -> None:
    threads: list[threading.Thread] = []

    @huey.task(timeout=5)
    async def note() -> int:
        threads.append(threading.current_thread())
        await asyncio.sleep(0)
        return 1

    async def main() -> None:
        handle = note()
        assert drain(huey) == 1
        assert handle.get() == 1

    run(main())

    assert threads[0] is not threading.main_thread()
    assert not threads[0].is_alive()


def test_a_timeout_holds_without_a_consumer_too(huey: Huey) -> None:
    @huey.task(timeout=0.02)
    async def slow() -> None:
        await asyncio.sleep(3600)

    handle = slow()
    drain(huey)

    assert (handle.state, job(huey, handle).reason) == (State.DEAD, "timeout")


def test_a_ctrl_c_in_a_step_gives_the_job_back(huey: Huey) -> None:
    runs: list[int] = []

    @huey.task()
    async def work() -> int:
        runs.append(1)
        if len(runs) == 1:
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(3600)
        return 7

    handle = work()
    with pytest.raises(KeyboardInterrupt):
        run_one(huey)
    assert (handle.state, job(huey, handle).attempt) == (State.PENDING, 0)
    run_one(huey)
    assert handle.get() == 7


# --- enqueueing -----------------------------------------------------------------------------------


@pytest.mark.feature("async", "calling")
def test_aenqueue_stores_the_job_and_tells_like_enqueue(huey: Huey, tasks: Any) -> None:
    seen = Signals(huey)

    async def main() -> list[Any]:
        first = await tasks.double.aenqueue(4)
        second = await huey.aenqueue(tasks.double.s(5, priority=7, delay=3600))
        return [first, second]

    first, second = run(main())

    assert [first.state, second.state] == [State.PENDING, State.SCHEDULED]
    assert (job(huey, second).priority, first.seq, second.seq) == (7, 1, 2)
    assert seen.names() == ["enqueued", "enqueued", "scheduled"]
    assert seen.of("enqueued")[0][1] == "pending"
    drain(huey)
    assert first.get() == 8


def test_jobs_enqueued_together_share_commits_and_keep_their_order(huey: Huey, tasks: Any) -> None:
    async def main() -> list[Result[int]]:
        await tasks.double.aenqueue(-1)
        before = lab_of(huey.storage).commits()  # type: ignore[attr-defined]
        handles = await asyncio.gather(*(tasks.double.aenqueue(n) for n in range(1000)))
        assert lab_of(huey.storage).commits() - before < 10  # type: ignore[attr-defined]
        return handles

    handles = run(main())

    assert [handle.seq for handle in handles] == list(range(2, 1002))
    assert states(huey) == {"pending": 1001}


@pytest.mark.sql_only("a writer holds a lock")
def test_the_loop_goes_on_while_a_job_is_written(huey: Huey, tasks: Any) -> None:
    async def main() -> None:
        with lab_of(huey.storage).writing:
            writing = [asyncio.create_task(tasks.double.aenqueue(n)) for n in range(10)]
            async with Turns() as turns:
                await asyncio.sleep(0.6)
            assert not any(task.done() for task in writing)
        await asyncio.gather(*writing)
        assert turns.worst < 0.5

    run(main())

    assert states(huey) == {"pending": 10}


def test_what_is_wrong_with_one_job_is_told_to_its_coroutine_alone(path: str) -> None:
    huey = Huey("app", url=path, max_pending=5, max_payload=1000)

    @huey.task()
    async def nothing(argument: Any = None) -> None: ...

    async def main() -> list[Any]:
        calls = [nothing.aenqueue() for _ in range(8)]
        wrong = [nothing.aenqueue("x" * 2000), nothing.aenqueue(lambda: 1)]
        return await asyncio.gather(*wrong, *calls, return_exceptions=True)

    large, unreadable, *others = run(main())

    assert (type(large), type(unreadable)) == (PayloadTooLarge, SerializationError)
    assert [type(other) for other in others] == [Result] * 5 + [QueueFull] * 3
    assert states(huey) == {"pending": 5}
    huey.close()


@pytest.mark.sqlite_only("a file is renamed")
def test_an_error_of_the_storage_reaches_everybody(huey: Huey, tasks: Any, path: str) -> None:
    tasks.double(0)
    os.rename(path, path + ".away")
    try:

        async def main() -> list[Any]:
            calls = [tasks.double.aenqueue(n) for n in range(5)]
            waits = [Result(huey, "any").aget() for _ in range(5)]
            return await asyncio.gather(*calls, *waits, return_exceptions=True)

        assert all(isinstance(error, StorageError) for error in run(main()))
    finally:
        os.rename(path + ".away", path)


@pytest.mark.sql_only("a writer holds a lock")
def test_who_is_cancelled_before_the_write_has_written_nothing(huey: Huey, tasks: Any) -> None:
    async def main() -> None:
        with lab_of(huey.storage).writing:
            under_way = asyncio.create_task(tasks.double.aenqueue(1))
            await asyncio.sleep(0.05)
            waiting = asyncio.create_task(tasks.double.aenqueue(2))
            await asyncio.sleep(0.05)
            waiting.cancel()
            under_way.cancel()
            await asyncio.sleep(0)
        assert (await tasks.double.aenqueue(3)).seq == 2

    run(main())

    assert len(jobs(huey)) == 2


@pytest.mark.feature("immediate mode")
def test_immediate_mode_runs_async_tasks_in_a_loop_too(path: str) -> None:
    huey = Huey("app", url=path, immediate=True)
    threads: list[threading.Thread] = []

    @huey.task()
    async def double(n: int) -> int:
        threads.append(threading.current_thread())
        await asyncio.sleep(0)
        return 2 * n

    @huey.task()
    async def whole(n: int) -> int:
        return await (await double.aenqueue(n)) + 1

    async def main() -> None:
        handle = await whole.aenqueue(4)
        assert handle.state is State.DONE
        assert await handle == 9
        plain = double(5)  # which holds the loop up, as a plain call does
        assert (plain.state, await plain) == (State.DONE, 10)

    run(main())
    assert threading.main_thread() not in threads
    huey.close()


def test_without_results_aenqueue_answers_none(path: str) -> None:
    huey = Huey("app", url=path, results=False)

    @huey.task()
    async def nothing() -> None: ...

    assert run(nothing.aenqueue()) is None  # type: ignore[func-returns-value, unused-ignore]
    huey.close()


# --- waiting --------------------------------------------------------------------------------------


@pytest.mark.feature("async", "Result")
def test_a_result_can_be_awaited(huey: Huey, tasks: Any) -> None:
    async def main() -> list[Any]:
        handle = await tasks.double.aenqueue(4)
        late: Result[int] = Result(huey, handle.id)
        return [await handle, await handle, handle.get(), await late, late.state]

    with consuming(huey):
        assert run(main()) == [8, 8, 8, None, State.DONE]


def test_awaiting_raises_what_get_raises(huey: Huey, tasks: Any) -> None:
    async def main() -> None:
        with pytest.raises(TaskException, match="gone"):
            await tasks.fail("gone")
        revoked = tasks.double.schedule((1,), delay=3600)
        revoked.revoke()
        with pytest.raises(TaskException, match="revoked"):
            await revoked
        with pytest.raises(UnknownJob, match="no job nonsense"):
            await Result(huey, "nonsense")

    with consuming(huey):
        run(main())


def test_what_cannot_be_read_here_stays_for_those_who_can(huey: Huey) -> None:
    serializer = huey.serializer

    @huey.task()
    async def value() -> int:
        return 5

    handle = value()
    drain(huey)

    async def main() -> None:
        huey.serializer = Broken()
        with pytest.raises(SerializationError):
            await handle
        huey.serializer = serializer
        assert await handle == 5

    class Broken(type(serializer)):  # type: ignore[misc]
        def _deserialize(self, data: bytes) -> Any:
            raise ValueError("not today")

    run(main())


def test_aget_waits_no_longer_than_it_is_told(huey: Huey, tasks: Any) -> None:
    done, waiting, unwanted = tasks.double(4), tasks.double(5), tasks.double(6)
    run_one(huey)

    async def main() -> None:
        assert await done.aget(timeout=0, preserve=True) == 8
        for timeout in (0, 0.05):
            started = time.monotonic()
            with pytest.raises(ResultTimeout, match=f"within {timeout} s"):
                await waiting.aget(timeout=timeout)
            assert timeout <= time.monotonic() - started < timeout + 2
        with pytest.raises(TimeoutError):
            await unwanted.aget(timeout=0.01, revoke_on_timeout=True)

    run(main())

    assert [handle.state for handle in (waiting, unwanted)] == [State.PENDING, State.REVOKED]
    assert job(huey, done).taken is False


def test_preserve_leaves_the_value_for_others(huey: Huey, tasks: Any) -> None:
    handle = tasks.double(4)
    drain(huey)

    async def main() -> list[Any]:
        twin: Result[int] = Result(huey, handle.id)
        return [await twin.aget(preserve=True), await handle, huey.result(handle.id)]

    assert run(main()) == [8, 8, None]


def test_several_coroutines_may_await_one_handle(huey: Huey, tasks: Any) -> None:
    async def main() -> list[int]:
        handle = await tasks.double.aenqueue(4)
        return await asyncio.gather(*(handle.aget() for _ in range(20)))

    with consuming(huey):
        assert run(main()) == [8] * 20


def test_a_thousand_coroutines_wait_without_threads_or_much_work(huey: Huey, tasks: Any) -> None:
    async def main() -> None:
        handles = await asyncio.gather(*(tasks.double.aenqueue(n) for n in range(1000)))
        waits = [asyncio.ensure_future(handle) for handle in handles]
        await asyncio.sleep(0.1)
        cpu, wall, before = time.process_time(), time.monotonic(), looks(huey)
        await asyncio.sleep(0.5)
        used = (time.process_time() - cpu) / (time.monotonic() - wall)
        # One look at a number each 20 ms, for all of them.
        assert looks(huey) - before < 60
        assert used < 0.5
        assert len([t for t in threading.enumerate() if t.name.startswith("asyncio_")]) <= 8
        with consuming(huey, workers=2):
            async with Turns() as turns:
                assert await asyncio.gather(*waits) == [2 * n for n in range(1000)]
        assert turns.worst < 1

    run(main())


def looks(huey: Huey) -> int:
    """How often the version was asked for, from now on counted."""
    storage: Any = huey.storage
    if not hasattr(storage, "looks"):
        asked = storage.version
        storage.looks = 0

        def version() -> int:
            storage.looks += 1
            return int(asked())

        storage.version = version
    return int(storage.looks)


@pytest.mark.sql_only("a reader holds a lock")
def test_the_loop_goes_on_while_the_storage_is_read(huey: Huey, tasks: Any) -> None:
    handle = tasks.double(4)
    drain(huey)

    async def main() -> int:
        with lab_of(huey.storage).reading:
            wait = asyncio.ensure_future(handle)
            async with Turns() as turns:
                await asyncio.sleep(0.6)
            assert not wait.done()
        assert turns.worst < 0.5
        return await wait

    assert run(main()) == 8


def test_a_waiter_that_is_cancelled_leaves_nothing_behind(huey: Huey, tasks: Any) -> None:
    handle = tasks.double(4)

    async def main() -> None:
        waits = [asyncio.ensure_future(handle) for _ in range(10)]
        await asyncio.sleep(0)
        (watch,) = huey._loops._watches.values()
        while watch._version is None or watch._timer is None:  # between two looks
            await asyncio.sleep(0)
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        assert (watch._waiters, watch._timer) == ({}, None)
        before = looks(huey)
        await asyncio.sleep(0.1)
        assert watch._timer is None
        assert looks(huey) - before <= 1  # one that was under way
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(handle.aget(), 0.05)
        drain(huey)
        assert await handle == 8

    run(main())
    gc.collect()

    assert len(huey._loops._watches) == len(huey._loops._writers) == 0


def test_who_comes_late_is_looked_for_at_once_and_alone(huey: Huey, tasks: Any) -> None:
    storage: Any = huey.storage
    asked: list[int] = []
    pauses: list[float] = []
    over = storage.over

    def counted(ids: Any) -> Any:
        (watch,) = huey._loops._watches.values()
        asked.append(len(ids))
        pauses.append(watch._pause)
        return over(ids)

    storage.over = counted
    handles = [tasks.double(n) for n in range(11)]
    # As it is while nobody commits; a server may have other users, whose commits count as well.
    version = storage.version()
    storage.version = lambda: version

    async def main() -> None:
        waits = [asyncio.ensure_future(handle) for handle in handles[:10]]
        await asyncio.sleep(0)
        (watch,) = huey._loops._watches.values()
        while watch._pause < PAUSE[1]:
            await asyncio.sleep(0.001)
        waits.append(asyncio.ensure_future(handles[10]))
        while len(asked) < 2:
            await asyncio.sleep(0)
        for wait in waits:
            wait.cancel()

    run(main())

    assert asked == [10, 1]
    assert pauses[1] < PAUSE[1]


def test_a_group_is_awaited_together(huey: Huey, tasks: Any) -> None:
    async def main() -> None:
        assert await tasks.double.map(range(5)) == [0, 2, 4, 6, 8]
        assert await ResultGroup([]) == []
        mixed = ResultGroup([tasks.double.schedule((1,), delay=3600), tasks.fail("one")])
        with pytest.raises(TaskException, match="one"):
            await mixed
        never = ResultGroup([*tasks.double.map([1]), tasks.double.schedule((1,), delay=3600)])
        with pytest.raises(ResultTimeout):
            await never.aget(timeout=0.2, preserve=True)

    with consuming(huey):
        run(main())


def test_an_outcome_is_noticed_within_milliseconds(huey: Huey, tasks: Any) -> None:
    async def main() -> list[float]:
        times = []
        for n in range(30):
            handle = await tasks.double.aenqueue(n)
            started = time.monotonic()
            assert await handle == 2 * n
            times.append(time.monotonic() - started)
        return sorted(times)

    with consuming(huey):
        assert run(main())[15] < 0.1


def test_a_queue_in_memory_can_be_used_from_a_loop() -> None:
    huey = MemoryHuey("app")

    @huey.task()
    async def double(n: int) -> int:
        return 2 * n

    async def main() -> list[Any]:
        return await asyncio.gather(*[await double.aenqueue(n) for n in range(10)])

    with consuming(huey):
        assert run(main()) == [2 * n for n in range(10)]
    huey.close()


def test_two_loops_in_two_threads_keep_apart(huey: Huey, tasks: Any) -> None:
    values: list[Any] = []

    async def main(start: int) -> None:
        handles = [await tasks.double.aenqueue(n) for n in range(start, start + 20)]
        values.extend(await asyncio.gather(*handles))

    with consuming(huey, workers=2):
        threads = [threading.Thread(target=run, args=(main(start),)) for start in (0, 20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)

    assert sorted(values) == [2 * n for n in range(40)]


# --- Huey's names ---------------------------------------------------------------------------------


def test_the_helpers_of_huey_take_what_they_take_in_huey(huey: Huey, tasks: Any) -> None:
    async def main() -> None:
        handle = tasks.double(4)
        assert await aget_result(handle, 1.5, 0.5, True) == 8
        assert await aget_result(handle, preserve=True, timeout=5) == 8
        assert await aget_result_group(tasks.double.map([1, 2]), preserve=True, timeout=5) == [2, 4]
        with pytest.raises(ResultTimeout):
            await aget_result(tasks.double.schedule((1,), delay=3600), timeout=0.02)

    with consuming(huey):
        run(main())


@pytest.mark.sqlite_only("psycopg imports it")
def test_who_runs_no_loop_does_not_import_asyncio(path: str) -> None:
    out = run_python(
        """
        import sys
        import hueycore.contrib.asyncio
        from hueycore import Huey

        huey = Huey("app", url=sys.argv[1])

        @huey.task()
        def plain(): return 1

        @huey.task()
        async def fetch(): return 2

        plain(), fetch.map([(), ()])
        huey.execute(huey.dequeue())
        print("asyncio" in sys.modules)
        huey.close()
        """,
        path,
    )

    assert out.strip() == "False"


@pytest.mark.feature("async", "pipeline", "chord")
def test_stages_are_enqueued_and_awaited_on_a_loop(huey: Huey) -> None:
    @huey.task()
    async def double(number: int) -> int:
        return 2 * number

    @huey.task()
    def total(numbers: list[int]) -> int:
        return sum(numbers)

    async def main() -> list[Any]:
        line = await huey.aenqueue(double.s(1) | double.s())
        joined = await huey.aenqueue(chord([double.s(1), double.s(2)], total))
        both = await huey.aenqueue(group([double.s(3), chord([double.s(4)], total)]))
        assert line is not None and joined is not None and both is not None
        return [await line, await joined, await joined.aget(timeout=5), await both]

    with consuming(huey, workers=2):
        assert run(main()) == [[2, 4], 6, 6, [6, 8]]
