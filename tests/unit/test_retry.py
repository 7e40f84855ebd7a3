"""Pure arithmetic of what follows a failed attempt."""

from __future__ import annotations

from typing import Any

import pytest

from hueycore.model.retry import (
    UNKNOWN_TASK_PATIENCE,
    Backoff,
    next_delay,
    unknown_task_delay,
    verdict,
)


def test_a_delay_without_backoff_stays() -> None:
    assert next_delay(5, 0) == 5
    assert next_delay(0, 0) == 0


def test_a_delay_is_multiplied_by_its_backoff() -> None:
    delays = [1.5]
    for _ in range(4):
        delays.append(next_delay(delays[-1], 2))

    assert delays == [1.5, 3, 6, 12, 24]
    assert next_delay(8, 0.5) == 4


def test_an_unknown_task_is_looked_for_less_and_less_often() -> None:
    looks = [0.0]
    while looks[-1] < UNKNOWN_TASK_PATIENCE:
        looks.append(looks[-1] + unknown_task_delay(looks[-1]))

    assert looks[:8] == [0, 1, 3, 7, 15, 31, 63, 123]
    assert 600 <= looks[-1] <= 660
    assert unknown_task_delay(-3600) == 1  # the clock was set back


@pytest.mark.feature("retries")
def test_a_backoff_grows_to_its_cap() -> None:
    policy = Backoff(2, factor=3, cap=30)
    delays = [policy.base]
    for _ in range(4):
        delays.append(next_delay(delays[-1], policy.factor, policy))

    assert delays == [2, 6, 18, 30, 30]
    assert Backoff(50, cap=30).limit(50) == 30


def test_jitter_is_different_for_each_job_and_the_same_when_asked_again() -> None:
    policy = Backoff(10, jitter=0.2)
    delays = [policy.spread(10, f"job-{n}", 1) for n in range(500)]

    assert delays == [policy.spread(10, f"job-{n}", 1) for n in range(500)]
    assert 8 <= min(delays) < 8.1 and 11.9 < max(delays) <= 12
    assert 9.8 < sum(delays) / len(delays) < 10.2
    assert policy.spread(10, "job-1", 1) != policy.spread(10, "job-1", 2)
    assert Backoff(10).spread(10, "job-1", 1) == 10


@pytest.mark.parametrize(
    "wrong",
    [{"base": -1}, {"base": 1, "factor": 0}, {"base": 1, "cap": -1}, {"base": 1, "jitter": 2}],
)
def test_numbers_that_are_no_delays_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="Backoff"):
        Backoff(**wrong)


class Asked:
    """A job as a rule sees it."""

    task_name = "task"


@pytest.mark.parametrize(
    ("error", "retry_on", "never_on", "expected"),
    [
        (ValueError(), None, (), True),
        (ValueError(), (OSError, ValueError), (), True),
        (ConnectionError(), OSError, (), True),
        (ValueError(), (OSError,), (), False),
        (ValueError(), None, ValueError, False),
        (ConnectionError(), OSError, (ConnectionError,), False),
        (ValueError(), lambda task, error: 5, (), 5),
        (ValueError(), lambda task, error: 0, (), 0),
        (ValueError(), lambda task, error: True, (), True),
        (ValueError(), lambda task, error: None, (), False),
        (ValueError(), lambda task, error: False, (), False),
        (ValueError(), lambda task, error: 5, ValueError, False),
        (ValueError(), lambda task, error: 1 / 0, (), True),
    ],
)
def test_what_a_task_says_of_its_exceptions(
    error: Exception, retry_on: Any, never_on: Any, expected: Any
) -> None:
    answer = verdict(Asked(), error, retry_on, never_on)

    assert answer == expected and (answer is True) == (expected is True)
