"""Error handlers: called once for a job that failed for good, in the commit that says so."""

from __future__ import annotations

from typing import Any

import pytest

from hueycore import (
    CancelExecution,
    Huey,
    JSONSerializer,
    TaskException,
    chord,
    group,
)
from hueycore.model.jobs import Selector
from tests.helpers import Clock, consuming, drain, job, jobs, run_one, states, wait_until
from tests.storage.engines import lab_of

NOW = 2_000_000_000.0


class Odd(Exception):
    """Can be written and not be read."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} {two}")


@pytest.fixture
def told(huey: Huey) -> list[Any]:
    """What the handler was called with."""
    return []


@pytest.fixture
def tell(huey: Huey, told: list[Any]) -> Any:
    @huey.task()
    def tell(*args: Any, **kwargs: Any) -> str:
        told.append((*args, kwargs) if kwargs else args)
        return "told"

    return tell


@pytest.fixture
def fail(huey: Huey) -> Any:
    @huey.task()
    def fail(kind: str = "value", *args: Any) -> str:
        match kind:
            case "value":
                raise ValueError("no", 7)
            case "odd":
                raise Odd(1, 2)
            case "lambda":
                raise ValueError(lambda: None)
            case "cancel":
                raise CancelExecution("rather not", retry=False)
        return "fine"

    return fail


@pytest.mark.feature("on_error")
def test_the_handler_is_called_with_the_exception_after_its_own_arguments(
    huey: Huey, fail: Any, tell: Any, told: list[Any]
) -> None:
    huey.enqueue(fail.s().error(tell, "who", k=1))
    assert states(huey) == {"pending": 1}
    drain(huey)

    ((who, error, kwargs),) = told
    assert (who, type(error), error.args, kwargs) == ("who", ValueError, ("no", 7), {"k": 1})
    assert states(huey) == {"dead": 1, "done": 1}


@pytest.mark.feature("on_error")
def test_the_handler_becomes_a_job_with_the_commit_that_ends_the_other(
    huey: Huey, fail: Any, tell: Any
) -> None:
    huey.enqueue(fail.s().error(tell))
    task = huey.dequeue()
    before = lab_of(huey.storage).commits()  # type: ignore[attr-defined]
    assert task is not None
    huey.execute(task)

    assert lab_of(huey.storage).commits() == before + 1  # type: ignore[attr-defined]
    assert states(huey) == {"dead": 1, "pending": 1}


@pytest.mark.feature("on_error")
def test_nothing_is_called_when_all_goes_well(
    huey: Huey, fail: Any, tell: Any, told: list[Any]
) -> None:
    huey.enqueue(fail.s("fine").error(tell))
    drain(huey)
    assert (told, states(huey)) == ([], {"done": 1})
    assert huey.storage.purge(Selector()) == 1
    assert lab_of(huey.storage).count("handlers") == 0


def test_the_handler_waits_for_the_last_try(huey: Huey, tell: Any, told: list[Any]) -> None:
    tries: list[int] = []

    @huey.task(retries=2)
    def flaky() -> None:
        tries.append(1)
        raise ValueError(len(tries))

    huey.enqueue(flaky.s().error(tell))
    drain(huey)
    assert len(tries) == 3
    assert [error.args for (error,) in told] == [(3,)]


def test_a_job_that_cancels_itself_has_failed_and_a_revoked_one_has_not(
    huey: Huey, fail: Any, tell: Any, told: list[Any]
) -> None:
    huey.enqueue(fail.s("cancel").error(tell))
    drain(huey)
    assert [type(error) for (error,) in told] == [CancelExecution]

    handle = huey.enqueue(fail.s().error(tell))
    assert handle is not None
    handle.revoke()
    drain(huey)
    assert len(told) == 1


@pytest.mark.parametrize("kind", ["odd", "lambda"])
def test_an_exception_that_cannot_be_carried_arrives_as_what_is_told_of_it(
    huey: Huey, fail: Any, tell: Any, told: list[Any], kind: str
) -> None:
    huey.enqueue(fail.s(kind).error(tell))
    drain(huey)
    ((error,),) = told
    assert isinstance(error, TaskException)
    assert error.metadata["error"].startswith(("Odd(", "ValueError(<function"))
    assert "Traceback" in error.metadata["traceback"]


def test_with_json_what_is_told_of_the_exception_arrives(path: str) -> None:
    huey = Huey("app", url=path, serializer=JSONSerializer(), results=False)
    told: list[Any] = []
    tell = huey.task(name="tell")(lambda error: told.append(error))
    fail = huey.task(name="fail")(lambda: 1 // 0)
    huey.enqueue(fail.s().error(tell))
    drain(huey)
    assert isinstance(told[0], TaskException)
    assert "ZeroDivisionError" in told[0].metadata["error"]
    huey.close()


@pytest.mark.feature("on_error")
def test_whichever_stage_of_a_pipeline_fails_its_handler_is_called_once(
    huey: Huey, fail: Any, tell: Any, told: list[Any]
) -> None:
    pipeline = (fail.s("fine") | fail.s("fine") | fail.s("value") | fail.s("fine")).error(tell, 1)
    huey.enqueue(pipeline)
    drain(huey)

    assert [(number, type(error)) for number, error in told] == [(1, ValueError)]
    assert states(huey) == {"done": 3, "dead": 1, "revoked": 1}


def test_a_stage_with_a_handler_of_its_own_calls_that(
    huey: Huey, fail: Any, tell: Any, told: list[Any]
) -> None:
    own = fail.s("value").error(tell, "own")
    huey.enqueue((fail.s("fine") | own).error(tell, "pipeline"))
    drain(huey)
    assert [name for name, _ in told] == ["own"]


def test_the_handler_of_a_group_is_that_of_each_member_and_of_a_chord_that_of_its_callback(
    huey: Huey, fail: Any, tell: Any, told: list[Any]
) -> None:
    huey.enqueue(group([fail.s(), fail.s("fine"), fail.s()]).error(tell, "member"))
    huey.enqueue(chord([fail.s(), fail.s("fine")], fail.s("odd")).error(tell, "callback"))
    drain(huey)
    assert sorted(name for name, _ in told) == ["callback", "member", "member"]


def test_a_second_handler_is_for_when_the_first_one_fails(
    huey: Huey, fail: Any, tell: Any, told: list[Any]
) -> None:
    huey.enqueue(fail.s().error(fail.s("odd")).error(tell, "second"))
    huey.enqueue(fail.s().error(tell, "first").error(tell, "second"))
    huey.enqueue(group([fail.s()] * 2).error(tell, "a").error(tell, "b"))
    drain(huey)
    assert sorted(name for name, _ in told) == ["a", "a", "first", "second"]


def test_a_handler_may_be_a_pipeline_and_run_later(
    huey: Huey, fail: Any, tell: Any, told: list[Any], clock: Clock
) -> None:
    clock.freeze(NOW)
    handler = tell.s("x", delay=10, expires=60, priority=5) | tell.s("y")
    huey.enqueue(fail.s().error(handler))
    clock.jump(100)
    run_one(huey)

    row = jobs(huey)[1]
    assert (row.state, row.run_at, row.expires_at) == ("scheduled", NOW + 110, NOW + 170)
    assert row.priority == 5
    clock.jump(10)
    drain(huey)
    assert [line[0] for line in told] == ["x", "y"]
    assert told[1] == ("y", "told")


def test_a_job_that_is_retried_by_hand_and_fails_again_calls_its_handler_again(
    huey: Huey, fail: Any, tell: Any, told: list[Any]
) -> None:
    huey.enqueue(fail.s().error(tell))
    drain(huey)
    huey.retry_dead()
    drain(huey)
    assert len(told) == 2


def test_a_handler_that_is_no_single_call_or_handles_itself_is_refused(
    huey: Huey, fail: Any, tell: Any
) -> None:
    with pytest.raises(ValueError, match="one call"):
        huey.enqueue(fail.s().error(group([tell.s(), tell.s()])))
    circle = tell.s()
    circle.error(fail.s().error(circle))
    with pytest.raises(ValueError, match="of itself"):
        huey.enqueue(circle)
    assert states(huey) == {}


def test_a_job_of_an_unknown_task_calls_its_handler_when_it_is_given_up(
    huey: Huey, tell: Any, told: list[Any], clock: Clock
) -> None:
    clock.freeze(NOW)
    gone = huey.task(name="gone")(lambda: None)
    handle = huey.enqueue(gone.s().error(tell))
    assert handle is not None
    gone.unregister()
    while job(huey, handle).state != "dead":
        clock.jump(300)
        task = huey.dequeue()
        assert task is None or task.task_name == tell.name
        if task:
            huey.execute(task)
    drain(huey)
    ((error,),) = told
    assert isinstance(error, TaskException)
    assert "UnknownTask" in str(error)


@pytest.mark.feature("on_error")
def test_a_consumer_calls_handlers(huey: Huey, fail: Any, tell: Any, told: list[Any]) -> None:
    huey.enqueue(fail.s().error(tell))
    with consuming(huey, workers=2):
        wait_until(lambda: told)
