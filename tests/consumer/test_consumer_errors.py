"""What a task may raise or return on workers of every kind, so that no job is lost in it."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import ContextVar
from fractions import Fraction
from typing import Any

import pytest

from hueycore import Huey, Result, State
from tests.helpers import consuming, job, jobs, states, wait_until

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
    pytest.mark.usefixtures("kind"),
]


@pytest.fixture(params=["thread", "asyncio", "process"])
def kind(request: pytest.FixtureRequest, huey: Huey) -> str:
    """The consumers of the test have workers of each kind that this process can have."""
    kind: str = request.param
    huey.consumer_defaults["worker_type"] = kind
    return kind


class Base(BaseException):
    """Nothing that anybody expects."""


class Speechless(Exception):
    """Whatever is asked of it ends in ^C."""

    def __str__(self) -> str:
        raise KeyboardInterrupt

    __repr__ = __str__

    def __reduce__(self) -> Any:
        raise KeyboardInterrupt


class Unwritable:
    def __reduce__(self) -> Any:
        raise KeyboardInterrupt


class Unreadable:
    def __reduce__(self) -> Any:
        return interrupt, ()


def interrupt() -> None:
    raise KeyboardInterrupt


def ended(handle: Result[Any]) -> State:
    wait_until(lambda: handle.state not in (State.PENDING, State.RUNNING), 20)
    return handle.state


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit, Base, Speechless])
def test_whatever_a_task_raises_is_a_failure_like_any_other(
    huey: Huey, error: type[BaseException]
) -> None:
    @huey.task(retries=2)
    def plain() -> None:
        raise error

    @huey.task(retries=2)
    async def coroutine() -> None:
        raise error

    with consuming(huey, workers=2):
        handles = [plain(), coroutine()]
        assert [ended(handle) for handle in handles] == [State.DEAD, State.DEAD]

    for handle in handles:
        row = job(huey, handle)
        assert (row.attempt, row.reason) == (3, "failed")
        assert {one["type"] for one in row.errors} == {error.__name__}


def test_a_value_and_arguments_that_raise_a_keyboard_interrupt_are_failures(
    huey: Huey,
) -> None:
    @huey.task(retries=1)
    def give(*args: Any) -> Unwritable:
        return Unwritable()

    with consuming(huey):
        handles = [give(), give(Unreadable())]
        assert [ended(handle) for handle in handles] == [State.DEAD, State.DEAD]

    assert [job(huey, handle).reason for handle in handles] == ["failed", "failed"]


def test_hooks_that_raise_a_keyboard_interrupt_do_not_give_the_job_back(huey: Huey) -> None:
    @huey.task(retries=1)
    def nothing() -> None: ...

    huey.pre_execute("strike")(lambda task: interrupt())
    with consuming(huey):
        handle = nothing()
        assert ended(handle) is State.DEAD

    assert job(huey, handle).attempt == 2


# --- work that a call only makes ------------------------------------------------------------------


def logged(function: Callable[..., Any]) -> Callable[..., Any]:
    """A plain decorator, as many are."""

    @functools.wraps(function)
    def call(*args: Any) -> Any:
        return function(*args)

    return call


@pytest.mark.parametrize("context", [False, True])
def test_what_a_call_gives_is_awaited_however_often(huey: Huey, context: bool) -> None:
    async def twice(number: int) -> int:
        await asyncio.sleep(0)
        return number * 2

    class Lazy:
        def __init__(self, number: int) -> None:
            self.number = number

        def __await__(self) -> Any:
            return twice(self.number).__await__()

    @huey.task(context=context)
    def plain(number: int, task: Any = None) -> Any:
        return logged(twice)(number)

    @huey.task(context=context)
    async def coroutine(number: int, task: Any = None) -> Any:
        return logged(twice)(number)

    @huey.task(context=context)
    def lazy(number: int, task: Any = None) -> Any:
        return Lazy(number)

    with consuming(huey, workers=2):
        handles = [task(4) for task in (plain, coroutine, lazy)]
        assert [handle.get(blocking=True, timeout=10) for handle in handles] == [8, 8, 8]


def test_what_is_awaited_has_the_rest_of_the_time_limit(huey: Huey) -> None:
    @huey.task(timeout=0.5)
    @logged
    async def work() -> None:
        await asyncio.sleep(60)

    with consuming(huey):
        handle = work()
        assert ended(handle) is State.DEAD
    assert job(huey, handle).reason == "timeout"


def test_what_is_awaited_can_fail_and_be_stopped(huey: Huey) -> None:
    @huey.task(retries=1)
    @logged
    async def fail() -> None:
        raise LookupError

    @huey.task()
    @logged
    async def hang() -> None:
        huey.incr("hanging")
        await asyncio.sleep(60)

    with consuming(huey, workers=2):
        failing, hanging = fail(), hang()
        wait_until(lambda: huey.incr("hanging", 0))
        hanging.revoke(terminate=True)
        assert (ended(failing), ended(hanging)) == (State.DEAD, State.REVOKED)
    assert job(huey, failing).attempt == 2


@pytest.mark.parametrize("results", [False, True])
def test_a_generator_is_refused_by_name(huey: Huey, results: bool) -> None:
    huey.results = results

    @huey.task()
    def export() -> Iterator[int]:
        yield huey.incr("ran")

    @huey.task()
    @logged
    async def stream() -> AsyncIterator[int]:
        yield huey.incr("ran")

    with consuming(huey):
        export()
        stream()
        dead = wait_until(lambda: jobs(huey, State.DEAD)[1:] and jobs(huey, State.DEAD), 20)

    said = [row.errors[-1]["message"] for row in sorted(dead)]
    assert "export returned a generator" in said[0]
    assert "stream returned an async generator" in said[1]
    assert huey.incr("ran", 0) == 0


def test_a_handle_that_a_task_returns_is_not_waited_for(huey: Huey) -> None:
    huey.results = False

    @huey.task()
    def other() -> None: ...

    @huey.task()
    def work() -> Any:
        return other()

    with consuming(huey):
        work()
        wait_until(lambda: states(huey) == {"done": 2}, 20)


# --- context --------------------------------------------------------------------------------------

tenant: ContextVar[str | None] = ContextVar("tenant", default=None)


def test_each_run_has_its_own_copy_of_what_the_startup_hooks_left(huey: Huey) -> None:
    huey.on_startup("set")(lambda: tenant.set("nobody"))

    @huey.task()
    def plain(name: str) -> str | None:
        before = tenant.get()
        tenant.set(name)
        return before

    @huey.task()
    async def coroutine(name: str) -> str | None:
        before = tenant.get()
        tenant.set(name)
        return before

    with consuming(huey):
        handles = [task(name) for name in "ab" for task in (plain, coroutine)]
        found = [handle.get(blocking=True, timeout=10) for handle in handles]
    assert found == ["nobody"] * 4


@pytest.mark.parametrize("fails", [False, True])
def test_the_hooks_of_a_run_share_its_context(huey: Huey, fails: bool) -> None:
    def work() -> None:
        assert tenant.get() == "hook"
        tenant.set("task")
        if fails:
            raise LookupError

    @huey.task()
    def plain() -> None:
        work()

    @huey.task()
    async def coroutine() -> None:
        await asyncio.sleep(0)
        work()

    @huey.pre_execute()
    def before(task: Any) -> None:
        huey.put(f"{task.name}-before", tenant.get())
        tenant.set("hook")

    @huey.post_execute()
    def after(task: Any, value: Any, error: Any) -> None:
        huey.put(f"{task.name}-after", (tenant.get(), type(error).__name__))

    error = "LookupError" if fails else "NoneType"
    with consuming(huey):
        for name, task in (("plain", plain), ("coroutine", coroutine)):
            ended(task())
            assert huey.get(f"{name}-before") is None
            assert huey.get(f"{name}-after") == ("task", error)


def test_an_ending_that_cannot_be_written_does_not_stop_a_consumer(
    huey: Huey,
) -> None:
    @huey.task(context=True, retries=1)
    def odd(task: Any = None) -> None:
        task.retry_delay = Fraction(1, 3)
        raise LookupError("odd")

    @huey.task()
    def even() -> int:
        return 2

    bad = odd()
    with consuming(huey, workers=2):
        assert [even().get(blocking=True, timeout=10) for _ in range(5)] == [2] * 5
        wait_until(lambda: bad.state is State.DEAD)

    assert job(huey, bad).reason == "unwritable"
