"""What holds jobs back holds when processes die: limits, and locks whose owner is killed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable

import pytest

from tests.crash.crashkit import DEADLINE, Ledger, Line, Place
from tests.helpers import wait_until

NARROW = 300


def most_at_once(lines: Iterable[Line], killed: dict[int, float]) -> int:
    """How many runs were under way at the same time; those of a killed process until it was."""
    # A run that had ended and was not committed is no attempt: the next one has its number.
    open_ = {(line.key, line.attempt, line.pid): line for line in lines if line.what == "start"}
    events = []
    for line in lines:
        events.append((line.at, 1 if line.what == "start" else -1))
        if line.what == "end":
            del open_[line.key, line.attempt, line.pid]
    events += [(killed[line.pid], -1) for line in open_.values()]
    most = now = 0
    for _, step in sorted(events):
        now += step
        most = max(most, now)
    return most


@pytest.mark.slow
@pytest.mark.feature("max_concurrent")
def test_no_more_than_two_run_at_once_over_two_consumers_one_of_which_is_killed(
    place: Place,
) -> None:
    ledger = Ledger(place)
    ledger.enqueue(place.app.narrow.s(0.004) for _ in range(NARROW))
    consumers = [place.consumer("-q"), place.consumer("-q")]
    for consumer in consumers:
        consumer.wait_ready()

    def busy() -> bool:
        """The one that dies has some of the runs; the other may have had none so far."""
        runs = Counter(line.pid for line in place.lines())
        consumers.sort(key=lambda consumer: -runs[consumer.pid])
        return runs[consumers[0].pid] > 20

    wait_until(busy, DEADLINE, "20 lines")
    dying, other = consumers

    dying.kill()
    killed = {dying.pid: time.monotonic()}
    ledger.note_kill()
    wait_until(lambda: place.states() == {"done": NARROW}, DEADLINE, "all done")

    lines = place.lines()
    assert {line.pid for line in lines} == {dying.pid, other.pid}
    assert most_at_once(lines, killed) == 2
    ledger.check()
    assert place.storage.mend() == []


@pytest.mark.every_engine
@pytest.mark.feature("lock_task")
def test_a_lock_of_a_killed_consumer_is_free_at_once(place: Place) -> None:
    place.huey.enqueue(place.app.under_lock.s(place.gate()))
    dying = place.consumer(workers=1)
    place.wait_for_runs(1)
    assert place.huey.is_locked("lock")

    dying.kill()
    place.wait_dead(dying.pid)

    assert not place.huey.is_locked("lock")
    with place.huey.lock_task("lock"):
        assert place.huey.is_locked("lock")
