"""Periodic tasks that an operator has paused."""

from __future__ import annotations

import pytest

from hueycore import Huey, every
from hueycore.consumer.scheduler import Scheduler
from tests.helpers import Clock, jobs

START = 1_893_456_000.0


def test_a_paused_scheduler_fires_nothing_and_makes_up_for_the_last_run_when_it_goes_on(
    huey: Huey, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    clock.freeze(START)

    @huey.periodic_task(every("60s"))
    def tick() -> None: ...

    scheduler = Scheduler(huey, periodic=True, interval=1)
    scheduler.declare()
    huey.storage.pause(scheduler=True)
    clock.freeze(START + 600)
    scheduler.step()

    assert jobs(huey) == []

    huey.storage.resume(scheduler=True)
    scheduler.step()

    assert [job.scheduled_for for job in jobs(huey)] == [START + 600]
