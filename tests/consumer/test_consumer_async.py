"""Async tasks on thread workers: a loop each, timeouts by cancellation, nothing left behind."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from hueycore import CancelExecution, Huey, RetryTask, State, TaskException
from hueycore.runs import coroutines
from tests.helpers import Signals, consuming, job, jobs, run_python, running, wait_until

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


@pytest.fixture
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that ignores its timeout is overdue almost at once."""
    monkeypatch.setattr("hueycore.tasks.options.GRACE", 0.05)


# --- running --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("any_kind")
@pytest.mark.feature("async")
def test_an_async_task_gives_what_it_returns_when_awaited(huey: Huey) -> None:
    @huey.task(context=True)
    async def fetch(n: int, task: Any = None) -> tuple[int, str]:
        await asyncio.sleep(0)
        return 2 * n, task.id

    with consuming(huey, workers=2):
        handles = [fetch(n) for n in range(50)]
        values = [handle.get(blocking=True, timeout=20) for handle in handles]

    assert values == [(2 * n, handles[n].id) for n in range(50)]


@pytest.mark.usefixtures("any_kind")
def test_signals_and_hooks_are_those_of_a_plain_task(huey: Huey) -> None:
    hooked: list[Any] = []

    @huey.task()
    async def fetch() -> int:
        await asyncio.sleep(0)
        return 1

    huey.pre_execute()(lambda task: hooked.append("before"))
    huey.post_execute()(lambda task, value, error: hooked.append((value, error)))
    seen = Signals(huey)
    handle = fetch()
    with consuming(huey):
        assert handle.get(blocking=True, timeout=10) == 1
        wait_until(lambda: seen.of("complete"))

    assert hooked == ["before", (1, None)]
    assert seen.names() == ["enqueued", "executing", "complete"]


@pytest.mark.usefixtures("any_kind")
@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [
        (LookupError("no"), State.DEAD, "failed"),
        (SystemExit(3), State.DEAD, "failed"),
        (asyncio.CancelledError(), State.DEAD, "failed"),
        (TimeoutError("mine"), State.DEAD, "failed"),
        (CancelExecution(retry=False), State.REVOKED, "canceled"),
        (RetryTask(delay=3600), State.SCHEDULED, None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
@pytest.mark.parametrize("timeout", [None, 60])
def test_what_an_async_task_raises_means_what_it_means_in_a_plain_one(
    huey: Huey, error: BaseException, state: State, reason: str | None, timeout: float | None
) -> None:
    @huey.task(timeout=timeout)
    async def fail() -> None:
        await asyncio.sleep(0)
        raise error

    @huey.task()
    async def after() -> int:
        return 1

    handle = fail()
    with consuming(huey, workers=1):
        wait_until(lambda: handle.state is state)
        assert after().get(blocking=True, timeout=10) == 1

    assert (job(huey, handle).reason, job(huey, handle).attempt) == (reason, 1)


@pytest.mark.usefixtures("any_kind")
def test_the_traceback_shows_the_task_and_not_the_loop(huey: Huey) -> None:
    @huey.task()
    async def fail() -> None:
        await asyncio.sleep(0)
        raise LookupError("no")

    handle = fail()
    with consuming(huey):
        wait_until(lambda: handle.state is State.DEAD)

    trace = job(huey, handle).errors[0]["traceback"]
    assert 'raise LookupError("no")' in trace
    assert "base_events.py" not in trace


def test_a_worker_keeps_its_loop_and_closes_it_when_it_leaves(huey: Huey) -> None:
    loops: list[tuple[int, asyncio.AbstractEventLoop]] = []
    executors: list[threading.Thread] = []

    @huey.task()
    async def note() -> None:
        loops.append((threading.get_ident(), asyncio.get_running_loop()))
        executors.append(await asyncio.to_thread(threading.current_thread))

    with consuming(huey, workers=2):
        handles = [note() for _ in range(30)]
        wait_until(lambda: all(handle.is_complete() for handle in handles))
        assert not any(loop.is_closed() for _, loop in loops)

    assert len({id(loop) for _, loop in loops}) == len({thread for thread, _ in loops})
    assert all(loop.is_closed() for _, loop in loops)
    assert not any(thread.is_alive() for thread in executors)


def test_a_plain_task_does_not_meet_the_loop_of_its_thread(huey: Huey) -> None:
    async def value() -> int:
        return 7

    @huey.task()
    async def before() -> int:
        return await value()

    @huey.task()
    def plain() -> int:
        with pytest.raises(RuntimeError, match="no current event loop"):
            asyncio.get_event_loop()
        return asyncio.run(value())

    with consuming(huey, workers=1):
        for task in (before, plain, before):
            assert task().get(blocking=True, timeout=10) == 7


@pytest.mark.sqlite_only("psycopg imports it")
def test_asyncio_is_not_imported_before_the_first_async_task(path: str) -> None:
    out = run_python(
        """
        import sys
        from hueycore import Huey

        huey = Huey("app", url=sys.argv[1])

        @huey.task()
        def plain(): return 1

        @huey.task()
        async def fetch(): return 2

        consumer = huey.create_consumer()
        consumer.start()
        plain().get(blocking=True, timeout=10)
        print("asyncio" in sys.modules)
        fetch().get(blocking=True, timeout=10)
        print("asyncio" in sys.modules)
        consumer.stop(graceful=True)
        huey.close()
        """,
        path,
    )

    assert out.split() == ["False", "True"]


# --- one job and the next -------------------------------------------------------------------------


def test_what_a_job_leaves_behind_ends_with_it(
    huey: Huey, caplog: pytest.LogCaptureFixture
) -> None:
    ended: list[str] = []
    others: list[int] = []

    async def forever(name: str) -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            await asyncio.sleep(0.01)
            ended.append(name)
            if name == "first":
                keep.append(asyncio.create_task(forever("of the first's end")))
                await asyncio.sleep(0)
            raise

    keep: list[asyncio.Task[None]] = []

    @huey.task()
    async def leave() -> int:
        keep.append(asyncio.create_task(forever("first")))
        keep.append(asyncio.create_task(forever("second")))
        await asyncio.sleep(0)
        return 1

    @huey.task()
    async def look() -> int:
        others.append(len(asyncio.all_tasks()) - 1)
        return 2

    with consuming(huey, workers=1):
        first, second = leave(), look()
        assert second.get(blocking=True, timeout=10) == 2
        assert first.get() == 1

    assert sorted(ended) == ["first", "of the first's end", "second"]
    assert others == [0]
    assert "cancelled 2 asyncio tasks that a job left behind" in caplog.text


@pytest.mark.usefixtures("any_kind")
def test_an_async_generator_that_is_not_finished_is_closed_within_its_job(
    huey: Huey,
) -> None:
    closed: list[str] = []
    after: list[int] = []

    async def pages() -> AsyncIterator[int]:
        try:
            for number in range(10):
                yield number
        finally:
            closed.append("closed")

    @huey.task()
    async def read() -> int:
        async for number in pages():
            return number
        return -1

    huey.post_execute()(lambda task, value, error: after.append(len(closed)))
    with consuming(huey, workers=1):
        handles = [read(), read()]
        wait_until(lambda: all(handle.is_complete() for handle in handles))

    assert after == [1, 2]


@pytest.mark.usefixtures("any_kind")
def test_each_run_has_a_context_of_its_own(huey: Huey) -> None:
    @huey.task()
    async def change(text: str) -> str:
        found = variable.get()
        variable.set(text)
        return found

    huey.pre_execute()(lambda task: variable.set(f"set by the hook for {task.id}"))
    with consuming(huey, workers=1):
        first, second = change("a"), change("b")
        assert first.get(blocking=True, timeout=10) == f"set by the hook for {first.id}"
        assert second.get(blocking=True, timeout=10) == f"set by the hook for {second.id}"


# --- timeouts -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("any_kind")
@pytest.mark.feature("async", "timeouts")
def test_a_timeout_cancels_the_coroutine_in_its_loop(huey: Huey) -> None:
    seen_by_task: list[str] = []

    @huey.task(timeout=0.05)
    async def slow() -> None:
        try:
            await asyncio.sleep(3600)
        except BaseException as error:
            seen_by_task.append(type(error).__name__)
            await asyncio.sleep(0.01)  # it may still clean up
            seen_by_task.append("cleaned up")
            raise

    seen = Signals(huey)
    handle = slow()
    with consuming(huey, workers=1):
        with pytest.raises(TaskException, match="TaskTimeout"):
            handle.get(blocking=True, timeout=10)
        wait_until(lambda: seen.of("timeout"))

    row = job(huey, handle)
    assert (row.state, row.reason) == (State.DEAD, "timeout")
    assert row.errors[0]["type"] == "TaskTimeout"
    assert "await asyncio.sleep(3600)" in row.errors[0]["traceback"]
    assert 0.05 <= row.errors[0]["run_s"] < 0.05 + coroutines.PATIENCE
    assert seen_by_task == ["CancelledError", "cleaned up"]
    assert seen.names() == ["enqueued", "executing", "timeout"]


@pytest.mark.usefixtures("any_kind")
def test_an_async_task_may_swallow_its_timeout(huey: Huey) -> None:
    @huey.task(timeout=0.05)
    async def careful() -> str:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            return "cleaned up"
        return "never"

    with consuming(huey):
        assert careful().get(blocking=True, timeout=10) == "cleaned up"


@pytest.mark.parametrize("where", ["in the task", "in a task of it", "in a callback"])
def test_a_coroutine_that_blocks_its_loop_is_interrupted_like_a_plain_task(
    huey: Huey, where: str
) -> None:
    def spin() -> None:
        while True:
            pass

    async def spinning() -> None:
        spin()

    @huey.task(timeout=0.05)
    async def block() -> None:
        if where == "in a task of it":
            await asyncio.gather(spinning(), asyncio.sleep(3600))
        elif where == "in a callback":
            asyncio.get_running_loop().call_soon(spin)
            await asyncio.sleep(3600)
        spin()

    @huey.task()
    async def after() -> int:
        await asyncio.sleep(0.01)
        return 1

    with consuming(huey, workers=1) as consumer:
        handle = block()
        with pytest.raises(TaskException, match="TaskTimeout"):
            handle.get(blocking=True, timeout=10)
        assert after().get(blocking=True, timeout=10) == 1
        assert consumer._timeouts._runs == {}

    row = job(huey, handle)
    assert (row.state, row.reason, row.attempt) == (State.DEAD, "timeout", 1)


def test_a_loop_that_an_exception_has_struck_is_replaced(
    huey: Huey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limiter is too early for once, and its exception arrives where the loop waits."""
    monkeypatch.setattr("hueycore.runs.coroutines.PATIENCE", -0.15)
    loops: list[asyncio.AbstractEventLoop] = []

    @huey.task(timeout=0.2)
    async def slow() -> None:
        loops.append(asyncio.get_running_loop())
        while True:
            await asyncio.sleep(0.001)

    @huey.task()
    async def after() -> int:
        loops.append(asyncio.get_running_loop())
        return len(asyncio.all_tasks())

    with consuming(huey, workers=1):
        for _ in range(10):
            handle = slow()
            with pytest.raises(TaskException, match="TaskTimeout"):
                handle.get(blocking=True, timeout=10)
            assert after().get(blocking=True, timeout=10) == 1

    assert all(loop.is_closed() for loop in loops)


@pytest.mark.usefixtures("any_kind")
def test_a_job_in_time_is_left_alone_also_afterwards(huey: Huey) -> None:
    @huey.task(timeout=0.02)
    async def quick(n: int) -> int:
        await asyncio.sleep(0.019 if n % 10 == 0 else 0)
        return n

    @huey.task()
    async def after() -> str:
        await asyncio.sleep(0.002)
        return "untouched"

    with consuming(huey, workers=2):
        handles = [(quick(n), after()) for n in range(60)]
        for _, handle in handles:
            assert handle.get(blocking=True, timeout=20) == "untouched"

    assert {str(handle.state) for handle, _ in handles} <= {"done", "dead"}


@pytest.mark.usefixtures("any_kind")
def test_a_coroutine_that_ignores_its_cancellation_is_overdue_and_another_takes_its_place(
    huey: Huey, short_grace: None, caplog: pytest.LogCaptureFixture
) -> None:
    let_go = threading.Event()

    @huey.task(timeout=0.02)
    async def stubborn() -> str:
        while not let_go.is_set():
            try:
                await asyncio.sleep(0.005)
            except asyncio.CancelledError:
                pass
        return "in the end"

    @huey.task()
    async def other() -> int:
        return 1

    handle = stubborn()
    with running(huey, workers=1):
        wait_until(lambda: "ignores its timeout" in caplog.text)
        assert other().get(blocking=True, timeout=10) == 1
        assert handle.state is State.RUNNING
        let_go.set()
        assert handle.get(blocking=True, timeout=10) == "in the end"


# --- stopping -------------------------------------------------------------------------------------


@pytest.mark.feature("revoke")
@pytest.mark.usefixtures("any_kind")
def test_a_running_async_job_that_is_revoked_is_cancelled_and_may_refuse(huey: Huey) -> None:
    ended: list[str] = []

    @huey.task(retries=3, at_most_once=True)
    async def work(refuses: bool) -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append("cleaned up")
            if not refuses:
                raise
        return "refused"

    seen = Signals(huey)
    with consuming(huey, workers=3):
        yielding, refusing, other = work(False), work(True), work(False)
        wait_until(lambda: len(jobs(huey, State.RUNNING)) == 3)
        wait_until(lambda: len(seen.of("executing")) == 3)
        yielding.revoke()
        refusing.revoke()
        wait_until(lambda: yielding.state is State.REVOKED, 3)
        assert refusing.get(blocking=True, timeout=10) == "refused"
        wait_until(lambda: seen.of("revoked"))
        assert other.state is State.RUNNING
        other.revoke()
        wait_until(other.is_complete)

    row = job(huey, yielding)
    assert (row.reason, row.attempt, row.retries) == ("revoked", 1, 3)
    assert seen.of("revoked")[0][0] == yielding.id
    assert ended == ["cleaned up"] * 3


@pytest.mark.usefixtures("any_kind")
def test_a_stop_waits_for_async_jobs(huey: Huey) -> None:
    entered = threading.Event()

    @huey.task()
    async def work() -> int:
        entered.set()
        await asyncio.sleep(0.1)
        return 1

    with consuming(huey):
        handle = work()
        assert entered.wait(10)

    assert handle.get() == 1


@pytest.mark.usefixtures("any_kind")
@pytest.mark.parametrize("at_most_once", [False, True])
def test_a_stop_that_does_not_wait_cancels_async_jobs_and_gives_them_back(
    huey: Huey, at_most_once: bool
) -> None:
    entered, cleaned_up = threading.Event(), threading.Event()

    @huey.task(at_most_once=at_most_once, timeout=3600)
    async def work() -> None:
        entered.set()
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0.01)
            cleaned_up.set()

    seen = Signals(huey)
    handle = work()
    consumer = huey.create_consumer(workers=2)
    consumer.start()
    assert entered.wait(10)

    assert consumer.stop() == 1

    assert cleaned_up.is_set()
    row = job(huey, handle)
    if at_most_once:
        assert (row.state, row.reason) == (State.DEAD, "interrupted")
    else:
        assert (row.state, row.attempt, row.crashes) == (State.PENDING, 0, 0)
    assert seen.names() == ["enqueued", "executing", "interrupted"]
    assert huey.storage.workers() == []


@pytest.mark.usefixtures("any_kind")
def test_a_stop_does_not_wait_long_for_a_job_that_ignores_its_cancellation(
    huey: Huey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hueycore.consumer.base.CLEAN_UP", 0.05)
    entered, let_go = threading.Event(), threading.Event()

    @huey.task()
    async def stubborn() -> int:
        entered.set()
        while not let_go.is_set():
            try:
                await asyncio.sleep(0.005)
            except asyncio.CancelledError:
                pass
        return 1

    consumer = huey.create_consumer()
    consumer.start()
    handle = stubborn()
    assert entered.wait(10)

    assert consumer.stop() == 1

    assert handle.state is State.RUNNING
    let_go.set()
    assert handle.get(blocking=True, timeout=10) == 1


def test_a_signal_gives_async_jobs_back_before_the_process_is_gone(huey: Huey, path: str) -> None:
    code = """
        import asyncio, os, signal, sys
        from hueycore import Huey

        huey = Huey("app", url=sys.argv[1])

        @huey.task(name="work")
        async def work():
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(3600)

        work()
        sys.exit(huey.create_consumer(shutdown_timeout=0.05).run())
        """
    run_python(code, path, exits=1)

    (row,) = jobs(huey)
    assert (row.state, row.attempt, row.crashes) == (State.PENDING, 0, 0)


def test_workers_replaced_by_number_take_their_loops_along(huey: Huey) -> None:
    loops: list[asyncio.AbstractEventLoop] = []

    @huey.task()
    async def note() -> None:
        loops.append(asyncio.get_running_loop())

    with consuming(huey, workers=1, max_tasks=2):
        handles = [note() for _ in range(6)]
        wait_until(lambda: all(handle.is_complete() for handle in handles))
        wait_until(lambda: sum(loop.is_closed() for loop in loops) == 6)

    assert len({id(loop) for loop in loops}) == 3


@pytest.mark.usefixtures("any_kind")
def test_jobs_may_await_jobs(huey: Huey) -> None:
    @huey.task()
    async def child(n: int) -> int:
        await asyncio.sleep(0)
        return n * n

    @huey.task()
    async def parent(n: int) -> int:
        children = await asyncio.gather(*(child.aenqueue(i) for i in range(n)))
        return sum(await asyncio.gather(*children))

    with consuming(huey, workers=3):
        parents = [parent(5), parent(6)]
        assert [handle.get(blocking=True, timeout=20) for handle in parents] == [30, 55]
