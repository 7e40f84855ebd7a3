"""Killed between promote, fire and claim: every time is run once, none that was due is lost."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from signal import SIGTERM

import pytest

from hueycore.model.states import State
from tests.crash.crashkit import DEADLINE, Ledger, Place
from tests.helpers import wait_until

PERIOD = 0.2


def fired(place: Place, name: str) -> list[float]:
    """The planned times of a periodic task's jobs, sorted."""
    times = [
        job.scheduled_for
        for job in place.jobs()
        if job.task.endswith(f".{name}") and job.scheduled_for is not None
    ]
    return sorted(times)


def looks(place: Place, name: str) -> dict[float, list[float]]:
    """The planned times that were fired together, by the moment."""
    found: dict[float, list[float]] = {}
    for job in sorted(place.jobs(), key=lambda job: job.scheduled_for or 0.0):
        if job.task.endswith(f".{name}") and job.scheduled_for is not None:
            found.setdefault(job.enqueued_at, []).append(job.scheduled_for)
    return found


def test_periodic_and_scheduled_jobs_run_once_each_whatever_is_killed(
    place_every: Callable[[float], Place], chance: random.Random
) -> None:
    place = place_every(PERIOD)
    ledger = Ledger(place)
    begun = time.time()
    tasks = [place.app.work.s() for _ in range(200)]
    for task in tasks:
        task.run_at = begun + chance.random() * 3
    ledger.enqueue(tasks)
    for _ in range(5):
        consumer = place.consumer("-q", workers=2)
        consumer.wait_ready()
        time.sleep(0.1 + chance.random() * 0.5)
        consumer.kill()
        ledger.note_kill()
    last = place.consumer("-q", workers=2)
    last.wait_ready()
    wait_until(lambda: not place.jobs(State.SCHEDULED), DEADLINE, "all scheduled jobs done")
    end = time.time()
    wait_until(lambda: max(fired(place, "latest")) > end, DEADLINE)
    wait_until(lambda: max(fired(place, "all_of_them")) > end, DEADLINE)
    wait_until(lambda: place.states().keys() == {"done"}, DEADLINE)
    last.signal(SIGTERM)
    assert last.wait() == 0
    place.drain()

    check_periodic(place, PERIOD)
    ended = place.ran("end")
    assert set(ledger.acked.values()) <= ended.keys()
    assert {ended[key] for key in set(ledger.acked.values()) - ledger.in_flight} == {1}
    assert all(
        job.started_at is not None and job.started_at >= job.run_at - 0.001 for job in place.jobs()
    )
    place.check_rows()


def check_periodic(place: Place, period: float) -> None:
    latest, all_ = fired(place, "latest"), fired(place, "all_of_them")
    for times in (latest, all_):
        assert Counter(times).most_common(1)[0][1] == 1, "a fire time gave two jobs"
        assert all(abs(when / period - round(when / period)) < 1e-4 for when in times)
    gaps = [round((b - a) / period) for a, b in pairwise(all_)]
    assert set(gaps) == {1}, f"catch_up='all' left out a time: {gaps}"
    # Whenever a consumer looked: all that was due of the one, the last of it of the other.
    assert looks(place, "latest") == {
        at: times[-1:] for at, times in looks(place, "all_of_them").items()
    }


@pytest.mark.feature("durable periodic tasks")
def test_two_schedulers_make_one_job_of_each_fire_time(
    place_every: Callable[[float], Place],
) -> None:
    place = place_every(0.1)
    kinds = ("thread", "asyncio", "process")
    consumers = [place.consumer("-q", "-k", kind, workers=1) for kind in kinds]
    for consumer in consumers:
        consumer.wait_ready()

    wait_until(lambda: len(set(fired(place, "latest"))) >= 15, DEADLINE)

    for consumer in consumers:
        consumer.signal(SIGTERM)
        assert consumer.wait() == 0
    check_periodic(place, 0.1)
    runs = [line for line in place.lines() if line.what == "start"]
    assert set(Counter(line.key for line in runs).values()) == {1}
    place.check_rows()
