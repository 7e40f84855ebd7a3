"""A clock that was set back: what was to last for a while lasts no longer, a moment stays one."""

from __future__ import annotations

import pytest

from hueycore.model.endings import Done, Retry, Snoozed
from hueycore.model.jobs import Selector
from hueycore.model.limits import Limit
from hueycore.model.plan import Edge, Plan
from hueycore.model.states import State
from hueycore.storage.base import Storage
from tests.helpers import Clock
from tests.storage.kit import DAY, born, by_seq, new, row, run, state, take, tasks, worker

NOW = 2_000_000_000.0
HOUR = 3600.0


@pytest.fixture(autouse=True)
def noon(clock: Clock) -> None:
    clock.freeze(NOW)


def test_a_job_waits_no_longer_than_its_delay_and_its_eta_stays(
    storage: Storage, clock: Clock
) -> None:
    delayed = born(storage, run_at=NOW + 60, delay=60)
    moment = born(storage, run_at=NOW + 60)
    clock.jump(-HOUR)

    storage.mend(set_back=True)
    storage.mend(set_back=True)

    assert row(storage, delayed).run_at == NOW - HOUR + 60
    assert row(storage, moment).run_at == NOW + 60


def test_a_clock_that_was_not_set_back_changes_no_time(storage: Storage, clock: Clock) -> None:
    jobs = [born(storage, run_at=NOW + at, delay=60) for at in (30, 60)]
    jobs.append(born(storage))
    before = [row(storage, job) for job in jobs]
    clock.jump(1)

    storage.mend(set_back=True)

    assert [row(storage, job) for job in jobs] == before


@pytest.mark.parametrize("again", [Retry(NOW + 60, 1, 0, None, 60), Snoozed(NOW + 60, None, 60)])
def test_a_retry_waits_no_longer_than_its_delay(
    storage: Storage, clock: Clock, again: Retry | Snoozed
) -> None:
    job = born(storage, retries=2)
    run(storage, worker(storage), again)
    clock.jump(-DAY)

    storage.mend(set_back=True)

    assert row(storage, job).run_at == NOW - DAY + 60


def test_a_retry_at_a_moment_of_its_own_comes_at_that_moment(
    storage: Storage, clock: Clock
) -> None:
    job = born(storage, run_at=NOW + 5, delay=5, retries=2)
    clock.jump(5)
    storage.promote()
    run(storage, worker(storage), Retry(NOW + 60, 1, 0))
    clock.jump(-DAY)

    storage.mend(set_back=True)

    assert row(storage, job).run_at == NOW + 60


def test_what_an_operator_gives_a_time_comes_at_that_time(storage: Storage, clock: Clock) -> None:
    moved, again = (born(storage, run_at=NOW + 60, delay=60) for _ in range(2))
    storage.revoke(by_seq(again.seq))
    storage.reschedule(by_seq(moved.seq), run_at=NOW + DAY)
    storage.requeue(by_seq(again.seq), run_at=NOW + DAY)

    storage.mend(set_back=True)

    assert [row(storage, job).run_at for job in (moved, again)] == [NOW + DAY] * 2


def test_a_stage_waits_no_longer_than_its_delay_unless_it_has_an_eta(
    storage: Storage, clock: Clock
) -> None:
    jobs = [new("first"), new("delayed", delay=60), new("moment", run_at=NOW + DAY)]
    edges = [Edge(0, 1), Edge(0, 2)]
    first, delayed, moment = storage.enqueue(jobs, Plan(edges, {1: 60.0, 2: 60.0}))
    assert run(storage, worker(storage), Done()).seq == first.seq
    clock.jump(-HOUR)

    storage.mend(set_back=True)

    assert row(storage, delayed).run_at == NOW - HOUR + 60
    assert row(storage, moment).run_at == NOW + DAY


def test_jobs_that_are_due_are_not_overtaken_by_those_that_come_later(
    storage: Storage, clock: Clock
) -> None:
    born(storage, "first")
    clock.jump(1)
    born(storage, "second")
    clock.jump(-HOUR)

    storage.mend(set_back=True)
    clock.jump(1)
    born(storage, "third")

    assert tasks(take(storage, worker(storage), 9)) == ["first", "second", "third"]


def test_jobs_of_a_key_are_not_overtaken_either(storage: Storage, clock: Clock) -> None:
    storage.declare_limits([Limit("task", "k", 1)])
    jobs = [born(storage, key_name="k") for _ in range(2)]
    clock.jump(-HOUR)

    storage.mend(set_back=True)
    clock.jump(1)
    jobs.append(born(storage, key_name="k"))

    number = worker(storage)
    assert [run(storage, number, Done()).seq for _ in jobs] == [job.seq for job in jobs]


def test_a_pause_lasts_no_longer_than_it_was_to_last(storage: Storage, clock: Clock) -> None:
    storage.declare_limits([Limit("keyed", "k", 1)])
    storage.pause(until=NOW + 60)
    for task in ("task", "keyed"):
        storage.pause(task=task, until=NOW + 60)
    storage.pause(scheduler=True, until=NOW + 60)
    born(storage)
    keyed = born(storage, "keyed", key_name="k")
    number = worker(storage)
    clock.jump(-HOUR)

    storage.mend(set_back=True)

    clock.jump(59)
    storage.promote()
    assert storage.revocation("paused-scheduler", "") is not None
    assert take(storage, number, 9) == []
    clock.jump(2)
    storage.promote()
    assert storage.revocation("paused-scheduler", "") is None
    assert state(storage, keyed) is State.PENDING
    assert len(take(storage, number, 9)) == 2


def test_revocations_until_a_moment_and_pauses_for_good_stay(
    storage: Storage, clock: Clock
) -> None:
    storage.set_revocation("revoked-task", "task", until=NOW + 60)
    storage.pause(task="task")
    before = storage.revocations()
    clock.jump(-HOUR)

    storage.mend(set_back=True)

    assert storage.revocations() == before
    assert storage.count(Selector()) == 0
