"""What a task may raise or return on workers of every kind, so that no job is lost in it."""

from __future__ import annotations

from typing import Any

import pytest

from hueycore import Result, SqliteHuey, State
from tests.helpers import consuming, job, wait_until

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
    pytest.mark.usefixtures("kind"),
]


@pytest.fixture(params=["thread", "asyncio", "process"])
def kind(request: pytest.FixtureRequest, huey: SqliteHuey) -> str:
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
    huey: SqliteHuey, error: type[BaseException]
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
    huey: SqliteHuey,
) -> None:
    @huey.task(retries=1)
    def give(*args: Any) -> Unwritable:
        return Unwritable()

    with consuming(huey):
        handles = [give(), give(Unreadable())]
        assert [ended(handle) for handle in handles] == [State.DEAD, State.DEAD]

    assert [job(huey, handle).reason for handle in handles] == ["failed", "failed"]


def test_hooks_that_raise_a_keyboard_interrupt_do_not_give_the_job_back(huey: SqliteHuey) -> None:
    @huey.task(retries=1)
    def nothing() -> None: ...

    huey.pre_execute("strike")(lambda task: interrupt())
    with consuming(huey):
        handle = nothing()
        assert ended(handle) is State.DEAD

    assert job(huey, handle).attempt == 2
