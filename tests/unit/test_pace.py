"""How many jobs of a task make a group."""

from __future__ import annotations

from itertools import repeat

import pytest

from hueycore.consumer.pace import AHEAD, GROUP_LIMIT, GROUP_SECONDS, WINDOW, Pace
from hueycore.model.endings import Done
from hueycore.model.jobs import Claim, Ended
from hueycore.runs.finished import Finished
from hueycore.system import clock

NOOP = 2e-6


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, to be moved."""
    now = [1000.0]
    monkeypatch.setattr(clock, "monotonic", lambda: now[0])
    return now


def ended(task: str, run_s: float, started_at: float | None = 1.0) -> Finished:
    claim = Claim._make([1, 1, "id", task, *repeat(None, len(Claim._fields) - 4)])
    return Finished(Ended(claim, Done(), started_at, run_s))


def work(
    pace: Pace, now: list[float], task: str, run_s: float, *, busy: int, windows: int = 5
) -> None:
    """So many workers run jobs of a task one after the other, for so many windows."""
    for _ in range(windows):
        now[0] += WINDOW
        pace.learn([ended(task, run_s)] * round(busy * WINDOW / run_s))


def test_a_group_is_what_all_the_workers_get_done_in_its_time(now: list[float]) -> None:
    pace = Pace(8)
    work(pace, now, "short", 0.001, busy=8)
    assert pace.quick == {"short": round(8 * GROUP_SECONDS / 0.001)}


def test_workers_that_are_inside_of_long_jobs_do_not_count(now: list[float]) -> None:
    pace = Pace(8)
    work(pace, now, "short", 0.001, busy=8)
    work(pace, now, "short", 0.001, busy=2)
    assert pace.quick == {"short": round(2 * GROUP_SECONDS / 0.001)}
    now[0] += 60
    pace.learn([ended("long", 60.0)] * 6)
    assert pace.quick == {"short": round(GROUP_SECONDS / 0.001)}


def test_no_group_has_more_jobs_than_the_limit(now: list[float]) -> None:
    pace = Pace(8)
    pace.learn([ended("noop", NOOP)])
    assert pace.quick == {"noop": GROUP_LIMIT}


@pytest.mark.parametrize("workers", [1, 8])
def test_one_run_that_was_held_up_does_not_end_the_groups_and_two_do(
    now: list[float], workers: int
) -> None:
    pace = Pace(workers)
    pace.learn([ended("noop", NOOP)] * 100)
    pace.learn([ended("noop", 1.0)])
    assert pace.quick["noop"] > 1
    pace.learn([ended("noop", 1.0)])
    assert pace.quick == {}


def test_one_run_that_was_held_up_among_many_leaves_a_large_group(now: list[float]) -> None:
    pace = Pace(1)
    pace.learn([ended("noop", NOOP)] * GROUP_LIMIT)
    pace.learn([*[ended("noop", NOOP)] * (GROUP_LIMIT - 1), ended("noop", GROUP_SECONDS)])
    assert pace.quick["noop"] > GROUP_LIMIT / 2


def test_a_slow_task_that_is_quick_once_gets_no_group(now: list[float]) -> None:
    pace = Pace(1)
    pace.learn([ended("work", 1.0)])
    for _ in range(20):
        pace.learn([ended("work", NOOP)])
        assert pace.quick == {}
    for _ in range(300):
        pace.learn([ended("work", NOOP)])
    assert pace.quick == {"work": GROUP_LIMIT}


def test_where_exchanges_overlap_groups_of_very_short_jobs_are_halves(now: list[float]) -> None:
    pace = Pace(1, overlaps=True)
    pace.learn([ended("noop", NOOP)] * 100)
    pace.learn([ended("brief", GROUP_SECONDS / (AHEAD + 4))] * 100)
    pace.learn([ended("short", GROUP_SECONDS / 8)] * 100)
    assert pace.quick == {"noop": GROUP_LIMIT // 2, "brief": AHEAD, "short": 8}


def test_claims_that_were_not_started_say_nothing(now: list[float]) -> None:
    pace = Pace(1)
    pace.learn([ended("work", 0.0, started_at=None)])
    assert pace.quick == {}
