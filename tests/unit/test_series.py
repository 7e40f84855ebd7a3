"""What ended in the steps of a window."""

from __future__ import annotations

import pytest

from hueycore.model.reports import Metric
from hueyctl.answers.series import series

HOUR = 3600.0
NOW = 1_800_000_000.0 + 59 * 60 + 30  # half a minute before a full hour


def metric(minute: int, done: int = 1, retried: int = 0, dead: int = 0) -> Metric:
    return Metric("q", minute, "t", done, retried, dead, 0, 0, 1.0, 1.0, {40: done}, {20: done})


def test_every_ending_of_the_window_is_in_one_step() -> None:
    minutes = range(int((NOW - HOUR) // 60), int(NOW // 60) + 1)
    found = series([metric(minute, 2, 1, 1) for minute in minutes], NOW - HOUR, NOW)

    assert sum(step.ended for step in found.steps) == 4 * len(minutes)
    assert (found.run, found.wait) == ({40: 2 * len(minutes)}, {20: 2 * len(minutes)})
    assert found.until >= NOW > found.steps[-1].at


@pytest.mark.parametrize(
    ("hours", "step_s"), [(1 / 12, 60), (1, 60), (6, 600), (24, 1800), (168, 14400)]
)
def test_steps_begin_at_round_times_and_stay_there(hours: float, step_s: float) -> None:
    early = series([], NOW - hours * HOUR, NOW)
    later = series([], NOW + 20 - hours * HOUR, NOW + 20)

    assert early.step_s == step_s
    assert all(step.at % step_s == 0 for step in early.steps)
    assert {step.at for step in early.steps[1:]} == {
        step.at for step in later.steps[-len(early.steps) + 1 :]
    }
    assert len(early.steps) <= 61
