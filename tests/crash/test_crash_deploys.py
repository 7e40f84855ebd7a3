"""What a deploy and a kill do to the jobs of a consumer, on every kind of workers."""

from __future__ import annotations

import time
from signal import SIGTERM
from typing import Any

import pytest

from hueycore import Result
from hueycore.model.states import State
from tests.crash.crashkit import DEADLINE, Place, every_kind, overlaps
from tests.helpers import stays_true, wait_until


def long_jobs(place: Place, number: int) -> list[Result[Any]]:
    task = place.app.agated if place.kind == "asyncio" else place.app.gated
    return list(place.huey.enqueue_many(task.s(place.gate()) for _ in range(number)))


@pytest.mark.feature("several consumers")
@every_kind
def test_jobs_of_a_killed_consumer_run_again_in_another_within_two_seconds(place: Place) -> None:
    jobs = long_jobs(place, 2)
    dying = place.consumer(workers=2)
    place.wait_for_runs(2)
    other = place.consumer()
    other.wait_ready()
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
    place.check_rows()


@pytest.mark.feature("deployment")
@pytest.mark.parametrize(
    ("kind", "deploys"),
    [("thread", 5), ("greenlet", 2), ("asyncio", 2), ("process", 2)],
    indirect=["kind"],
)
def test_deploys_over_a_long_job_are_no_crash_and_never_run_it_beside_itself(
    place: Place, deploys: int
) -> None:
    """TERM, the next release beside it, and KILL when its time is over."""
    (job,) = long_jobs(place, 1)
    old = place.consumer("-t", "60", workers=2)
    for deploy in range(1, deploys + 1):
        place.wait_for_runs(deploy)
        old.signal(SIGTERM)
        wait_until(
            lambda old=old: [row.state for row in old.rows() if row.running] == ["stopping"],  # type: ignore[misc]
            DEADLINE,
        )
        new = place.consumer("-t", "60", workers=2)
        new.wait_ready()
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
    place.check_rows()
