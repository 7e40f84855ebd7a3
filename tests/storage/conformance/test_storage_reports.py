"""Figures for operators: rates and totals, from the rows that endings leave behind."""

from __future__ import annotations

import pytest

from hueycore.model.endings import Dead, Done, Retry
from hueycore.model.histogram import percentile
from hueycore.model.retention import Keeping
from hueycore.storage.base import Storage
from tests.helpers import Clock
from tests.storage.conftest import Maker
from tests.storage.kit import DAY, FAILURE, born, one, run, worker

NOW = 2_000_000_040.0


def totals(storage: Storage) -> dict[tuple[str, str], tuple[int, int, int, int]]:
    return {
        (row.queue, row.task): (row.done, row.retried, row.dead, sum(row.run_hist.values()))
        for row in storage.totals()
    }


def test_totals_are_empty_when_nothing_ended(storage: Storage) -> None:
    born(storage)

    assert storage.totals() == []


@pytest.mark.feature("metrics")
def test_totals_count_every_minute_of_every_task(storage: Storage, clock: Clock) -> None:
    clock.freeze(NOW)
    number = worker(storage)
    for name, ending in (("a", Done()), ("a", Dead("failed", FAILURE)), ("b", Done())):
        born(storage, name)
        run(storage, number, ending)
        clock.jump(60)

    found = totals(storage)

    assert found == {("huey", "a"): (1, 0, 1, 2), ("huey", "b"): (1, 0, 0, 1)}
    assert all(row.minute == 0 for row in storage.totals())


def test_totals_never_shrink_when_minutes_are_purged(storage: Storage, clock: Clock) -> None:
    clock.freeze(NOW)
    number = worker(storage)
    for seen in range(1, 7):
        born(storage, "a")
        run(storage, number, Done())
        clock.jump(3 * DAY)
        storage.keep(Keeping())
        storage.keep(Keeping())
        assert totals(storage) == {("huey", "a"): (seen, 0, 0, seen)}

    assert len(storage.metrics(0)) == 2


def test_folding_twice_counts_once(storage: Storage, clock: Clock) -> None:
    clock.freeze(NOW)
    number = worker(storage)
    born(storage, "a", retries=1)
    run(storage, number, Retry(NOW, 0, 0, FAILURE))
    for _ in range(4):
        clock.jump(120)
        storage.keep(Keeping())

    assert totals(storage) == {("huey", "a"): (0, 1, 0, 1)}


def test_the_row_of_the_totals_is_no_minute(storage: Storage, clock: Clock) -> None:
    clock.freeze(NOW)
    number = worker(storage)
    born(storage, "a")
    run(storage, number, Done())
    clock.jump(600)
    storage.keep(Keeping())

    assert [row.minute for row in storage.metrics(0)] == [int(NOW // 60)]


def test_metrics_are_told_for_every_queue_in_the_order_of_time(
    make: Maker, engine: object, clock: Clock
) -> None:
    clock.freeze(NOW)
    storage = make()
    for name in ("b", "a"):
        born(storage, name)
        run(storage, worker(storage), Done())
        clock.jump(60)

    found = [(row.minute, row.task) for row in storage.metrics(NOW - 60)]

    assert found == [(int(NOW // 60), "b"), (int(NOW // 60) + 1, "a")]


def test_arrivals_are_counted_since_a_time(storage: Storage, clock: Clock) -> None:
    clock.freeze(NOW)
    for _ in range(20):
        born(storage)
        clock.jump(1)

    assert storage.arrivals(NOW - 1) == {"huey": 20}
    assert storage.arrivals(NOW + 15) == {"huey": 5}
    assert storage.arrivals(NOW + 19) == {"huey": 1}
    assert storage.arrivals(NOW + 20) == {}


def test_due_is_the_earliest_scheduled_job_of_a_queue(storage: Storage, clock: Clock) -> None:
    clock.freeze(NOW)

    assert storage.due() == {}
    born(storage)
    assert storage.due() == {}
    for later in (500, 100, 300):
        born(storage, run_at=NOW + later)
    assert storage.due() == {"huey": NOW + 100}


@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
def test_percentiles_of_totals_are_near_the_durations(
    storage: Storage, clock: Clock, share: float
) -> None:
    clock.freeze(NOW)
    number = worker(storage)
    born(storage, "a")
    run(storage, number, Done())
    (row,) = storage.totals()
    found = percentile(row.run_hist, share)

    assert found is not None
    assert row.run_s * 0.8 <= found + 0.0001


def test_slots_are_the_workers_and_their_spares_are_seen_too(storage: Storage) -> None:
    number = storage.register(name="box", kind="thread", slots=2)
    job = born(storage)
    claim = one(storage, number)
    storage.slots(number).start(3, claim.seq, claim.claim)

    (row,) = storage.workers()
    assert (row.slots, row.running) == (2, [(3, job.seq)])


def test_metrics_end_before_a_minute_that_is_named(storage: Storage) -> None:
    born(storage)
    run(storage, worker(storage), Done())
    (line,) = storage.metrics(0)
    at = 60.0 * line.minute

    assert storage.metrics(0, at) == []
    assert storage.metrics(0, at + 1) == [line]
    assert storage.metrics(at, at + 60) == [line]
    assert storage.metrics(at + 60, at + 120) == []
