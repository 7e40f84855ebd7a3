"""Which failures are tried again, and when: back-off and rules about exceptions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hueycore import (
    Backoff,
    Huey,
    RetryTask,
    State,
    TaskLockedException,
    TaskTimeout,
)
from hueycore.signals import SIGNAL_TASK_FAILED
from tests.helpers import Clock, Signals, drain, job, run_one

pytestmark = pytest.mark.feature("retries")


def raising(huey: Huey, *errors: BaseException, **options: Any) -> Any:
    """A task that raises these one after the other, and then is done."""
    left = list(errors)

    @huey.task(**options)
    def work() -> str:
        if left:
            raise left.pop(0)
        return "done"

    return work


def delays(huey: Huey, handle: Any, clock: Clock) -> list[float]:
    """Run the job to its end; the seconds that it waited before each retry."""
    waits = []
    while True:
        run_one(huey)
        row = job(huey, handle)
        if row.state is not State.SCHEDULED:
            return waits
        waits.append(round(row.run_at - clock.now(), 6))
        clock.jump(waits[-1] + 0.001)


def test_a_backoff_waits_longer_each_time_up_to_its_cap(huey: Huey, clock: Clock) -> None:
    clock.freeze(2_000_000_000.0)
    errors = [ValueError() for _ in range(5)]
    work = raising(huey, *errors, retries=5, retry_delay=Backoff(2, factor=3, cap=30))

    handle = work()

    assert delays(huey, handle, clock) == [2, 6, 18, 30, 30]
    assert handle() == "done"


def test_jitter_spreads_jobs_and_can_be_told_beforehand(huey: Huey, clock: Clock) -> None:
    clock.freeze(2_000_000_000.0)
    policy = Backoff(100, jitter=0.5)

    @huey.task(retries=2, retry_delay=policy)
    def work() -> None:
        raise ValueError

    seen = set()
    for n in range(5):
        handle = work.schedule(delay=0, id=f"job-{n}")
        waits = delays(huey, handle, clock)
        expected = [policy.spread(100, f"job-{n}", 1), policy.spread(200, f"job-{n}", 2)]
        assert waits == pytest.approx(expected, abs=1e-5)
        seen.add(waits[0])
    assert len(seen) == 5


def test_a_call_may_begin_a_backoff_elsewhere(huey: Huey, clock: Clock) -> None:
    clock.freeze(2_000_000_000.0)
    work = raising(huey, OSError(), OSError(), retries=2, retry_delay=Backoff(1, factor=2, cap=15))

    handle = huey.enqueue(work.s(retry_delay=10))

    assert delays(huey, handle, clock) == [10, 15]
    with pytest.raises(TypeError, match="option of the task"):
        work.s(retry_delay=Backoff(1))


def test_a_backoff_has_its_own_factor(huey: Huey) -> None:
    with pytest.raises(ValueError, match="retry_backoff"):
        huey.task(retry_delay=Backoff(1), retry_backoff=2)


def test_only_what_is_named_is_retried(huey: Huey) -> None:
    signals = Signals(huey)
    work = raising(huey, ConnectionError(), ValueError("bad"), retries=5, retry_on=(OSError,))

    handle = work()
    drain(huey)

    row = job(huey, handle)
    assert (row.state, row.attempt, row.retries, row.reason) == (State.DEAD, 2, 4, "failed")
    assert signals.names() == [
        *("enqueued", "executing", "error", "retrying", "enqueued", "executing", "error"),
    ]


def test_what_is_never_to_be_retried_is_dead_at_once_and_tells_so(huey: Huey) -> None:
    failed: list[str] = []

    @huey.signal()
    def dead_letter(signal: str, task: Any, exc: Any = None) -> None:
        if signal == SIGNAL_TASK_FAILED:
            failed.append(f"{task.id} {exc!r}")

    handle = raising(huey, PermissionError("no"), retries=5, never_on=PermissionError)()
    drain(huey)

    assert failed == [f"{handle.id} PermissionError('no')"]
    assert huey.dead_count() == 1
    assert huey.retry_dead() == 1
    drain(huey)
    assert handle() == "done"


@pytest.mark.parametrize(
    ("answer", "waits"),
    [
        (7, [7, 7]),
        (timedelta(minutes=1), [60, 60]),
        (True, [3, 3]),
        (0, []),
        (None, []),
        (False, []),
    ],
)
def test_a_rule_decides_by_job_and_exception(
    huey: Huey, clock: Clock, answer: Any, waits: list[float]
) -> None:
    clock.freeze(2_000_000_000.0)
    asked: list[tuple[int, str]] = []

    def rule(task: Any, error: BaseException) -> Any:
        asked.append((task.attempt, str(error)))
        return answer

    work = raising(
        huey, ValueError("a"), ValueError("b"), ValueError("c"), retries=2, retry_delay=3,
        retry_on=rule,
    )  # fmt: skip
    handle = work()

    assert delays(huey, handle, clock) == waits
    drain(huey)
    row = job(huey, handle)
    assert row.state is State.DEAD
    retried = answer is True or (answer is not None and answer is not False)
    assert asked == ([(1, "a"), (2, "b")] if retried else [(1, "a")]), "not when none is left"


def test_a_delay_of_a_rule_leaves_the_usual_one_as_it_is(huey: Huey, clock: Clock) -> None:
    clock.freeze(2_000_000_000.0)
    answers = iter((100, True, True))
    work = raising(
        huey, OSError(), OSError(), OSError(), retries=3, retry_delay=5, retry_backoff=2,
        retry_on=lambda task, error: next(answers),
    )  # fmt: skip

    assert delays(huey, work(), clock) == [100, 5, 10]


@pytest.mark.parametrize("answer", [float("nan"), "soon"])
def test_an_impossible_delay_of_a_rule_kills_the_job_and_not_the_worker(
    huey: Huey, answer: Any
) -> None:
    handle = raising(huey, ValueError(), retries=1, retry_on=lambda task, error: answer)()

    run_one(huey)

    assert job(huey, handle).state is State.DEAD


def test_what_steers_a_run_is_no_error_of_the_task(huey: Huey) -> None:
    work = raising(huey, RetryTask(), TaskLockedException("x"), retries=1, retry_on=(OSError,))

    handle = work()
    drain(huey)

    assert handle() == "done"


def test_a_timeout_is_judged_like_an_exception(huey: Huey) -> None:
    one = raising(huey, TaskTimeout(), retries=1, name="one", never_on=TaskTimeout)()
    two = raising(huey, TaskTimeout(), retries=1, name="two", retry_on=TaskTimeout)()
    drain(huey)

    assert job(huey, one).reason == "timeout"
    assert two() == "done"
