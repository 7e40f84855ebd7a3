"""What a deploy and a kill do to the jobs of a consumer, on every kind of workers."""

from __future__ import annotations

import time
from signal import SIGTERM
from typing import Any

import pytest

from hueycore import Result
from hueycore.storage.base import State
from tests.crash.crashkit import DEADLINE, ConsumerProcess, Place, overlaps, stays_true
from tests.helpers import wait_until

KINDS = ("thread", "greenlet", "asyncio", "process")


def start(place: Place, kind: str, *options: str, workers: int = 2) -> ConsumerProcess:
    if kind == "greenlet":
        pytest.importorskip("gevent")
    return place.consumer("-k", kind, *options, workers=workers)


def long_jobs(place: Place, kind: str, number: int) -> list[Result[Any]]:
    task = place.app.agated if kind == "asyncio" else place.app.gated
    return list(place.huey.enqueue_many(task.s(place.gate()) for _ in range(number)))


@pytest.mark.feature("several consumers")
@pytest.mark.parametrize("kind", KINDS)
def test_jobs_of_a_killed_consumer_run_again_in_another_within_two_seconds(
    place: Place, kind: str
) -> None:
    jobs = long_jobs(place, kind, 2)
    dying = start(place, kind)
    place.wait_for_runs(2)
    other = start(place, kind, workers=4)
    other.wait_at_work()
    assert stays_true(lambda: sum(place.ran("start").values()) == 2, 0.3)

    dying.kill_all()
    killed = time.monotonic()
    place.wait_for_runs(4)

    assert time.monotonic() - killed < 2.0
    place.open_gate()
    wait_until(lambda: place.states() == {"done": 2}, DEADLINE)
    assert [place.job(job.id).crashes for job in jobs] == [1, 1]
    assert set(place.ran("end").values()) == {1}
    assert overlaps(place.lines()) == []
    other.signal(SIGTERM)
    assert other.wait() == 0
    assert place.workers() == []
    place.check_file()


@pytest.mark.feature("deployment")
@pytest.mark.parametrize(
    ("kind", "deploys"), [("thread", 5), ("greenlet", 2), ("asyncio", 2), ("process", 2)]
)
def test_deploys_over_a_long_job_are_no_crash_and_never_run_it_beside_itself(
    place: Place, kind: str, deploys: int
) -> None:
    """TERM, the next release beside it, and KILL when its time is over."""
    (job,) = long_jobs(place, kind, 1)
    old = start(place, kind, "-t", "60")
    for deploy in range(1, deploys + 1):
        place.wait_for_runs(deploy)
        old.signal(SIGTERM)
        wait_until(
            lambda old=old: [row.state for row in old.rows() if row.running] == ["stopping"],  # type: ignore[misc]
            DEADLINE,
        )
        new = start(place, kind, "-t", "60")
        new.wait_at_work()
        assert sum(place.ran("start").values()) == deploy
        old.kill_all()
        killed = time.monotonic()
        place.wait_for_runs(deploy + 1)
        assert time.monotonic() - killed < 2.0
        assert (place.job(job.id).state, place.job(job.id).crashes) == (State.RUNNING, 0)
        old = new

    place.open_gate()
    wait_until(lambda: place.states() == {"done": 1}, DEADLINE)
    assert (place.job(job.id).crashes, place.job(job.id).reason) == (0, None)
    assert place.ran("end")[job.id] == 1
    assert overlaps(place.lines()) == []
    old.signal(SIGTERM)
    assert old.wait() == 0
    place.check_file()
