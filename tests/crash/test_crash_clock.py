"""A wall clock that jumps under consumers that work, on every kind of workers: ``c/wrongclock.c``
moves it for their processes. The test's own clock stays right."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from signal import SIGTERM

import pytest

from hueycore.model.states import State
from tests.crash.crashkit import DEADLINE, Place, every_kind
from tests.helpers import stays_true, wait_until

HOUR, DAY = 3600, 86_400
#: Of the periodic tasks, of a retry, of a delayed job; until a consumer has noticed; seconds.
PERIOD, RETRY_DELAY, DELAY, NOTICED = 0.5, 1.0, 2.0, 3.0

pytestmark = pytest.mark.slow


class WrongClock(Place):
    def __init__(self, folder: Path, kind: str, library: Path) -> None:
        super().__init__(folder, folder / "queue.db", kind=kind, every=PERIOD)
        self._library = library
        self._shift = folder / "shift"
        self._shift.write_bytes(bytes(8))

    def environment(self) -> dict[str, str]:
        wrong = {"LD_PRELOAD": str(self._library), "WRONG_CLOCK": str(self._shift)}
        return super().environment() | wrong

    def be_wrong_by(self, seconds: int) -> None:
        with self._shift.open("r+b") as file:
            file.write(seconds.to_bytes(8, "little", signed=True))

    def wait_for_periodic(self, number: int) -> None:
        """So many more runs of a periodic task."""
        before = self._fired()
        wait_until(lambda: self._fired() - before >= number, DEADLINE, f"{number} periodic runs")

    def _fired(self) -> int:
        return sum(number for key, number in self.ran().items() if "latest@" in key)


@pytest.fixture
def place(tmp_path: Path, kind: str, library: Callable[[str], Path]) -> Iterator[WrongClock]:
    made = WrongClock(tmp_path, kind, library("wrongclock"))
    yield made
    made.close()


@every_kind
@pytest.mark.feature("crash", "one-off", "periodic_task", "retries")
def test_a_clock_that_jumps_doubles_nothing_and_silences_nothing(place: WrongClock) -> None:
    """What waits for a while waits no longer than that; what has a moment of its own, until the
    clock says so."""
    app = place.app
    running = (app.agated if place.kind == "asyncio" else app.gated)(place.gate("long"))
    delayed = app.work.schedule(delay=DELAY)
    moment = app.work.schedule(eta=datetime.fromtimestamp(time.time() + 3 * HOUR))
    retried = place.huey.enqueue(
        app.fickle.s(place.gate(), "late", retries=99, retry_delay=RETRY_DELAY)
    )
    assert retried is not None
    consumer = place.consumer("-q", workers=3)
    wait_until(lambda: place.job(retried.id).errors, DEADLINE, "a failure")
    place.wait_for_periodic(1)

    place.be_wrong_by(-HOUR)
    place.open_gate()
    begun = time.monotonic()
    assert retried.get(blocking=True, timeout=DEADLINE) == "late"
    place.wait_for_periodic(2)
    wait_until(lambda: delayed.state is State.DONE, DEADLINE, "the delayed job")
    assert time.monotonic() - begun < DELAY + NOTICED
    assert moment.state is State.SCHEDULED

    place.be_wrong_by(DAY)
    wait_until(lambda: moment.state is State.DONE, DEADLINE, "the job with an eta")
    place.be_wrong_by(-DAY)
    place.wait_for_periodic(2)
    assert stays_true(lambda: place.ran("start")[running.id] == 1, 1.1)
    place.open_gate("long")
    assert running.get(blocking=True, timeout=DEADLINE) == "attempt 1"

    once = {job.id: (job.claim, job.crashes) for job in place.jobs(State.DONE)}
    assert [once[handle.id] for handle in (running, delayed, moment)] == [(1, 0)] * 3
    consumer.signal(SIGTERM)
    assert consumer.wait() == 0
    place.check_rows()
