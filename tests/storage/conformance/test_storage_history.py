"""What the command line asks of a storage: stages, tasks seen, small things counted and cleared."""

from __future__ import annotations

import pytest

from hueycore.model.endings import Dead, Done
from hueycore.model.jobs import Selector
from hueycore.model.plan import Edge, Plan
from hueycore.model.reports import SeenTask
from hueycore.model.retention import Keeping
from hueycore.model.states import State
from hueycore.storage.base import Storage
from tests.helpers import Clock
from tests.storage.conftest import Maker
from tests.storage.kit import DAY, FAILURE, born, by_seq, new, pipeline, row, run, worker
from tests.storage.lab import Lab

NOW = 2_000_000_000.0
KINDS = ("results", "values", "counters", "locks", "events")


def seqs(storage: Storage, of: int, **how: int) -> list[int]:
    return [job.seq for job in storage.stages(of, **how)]


# --- stages ---------------------------------------------------------------------------------------


def test_every_stage_of_a_pipeline_knows_all_of_it(storage: Storage) -> None:
    born(storage)
    stages = [stage.seq for stage in pipeline(storage, 4)]
    born(storage)

    for seq in stages:
        assert seqs(storage, seq) == stages
    assert seqs(storage, stages[0], limit=2) == stages[:2]


def test_a_job_on_its_own_is_alone(storage: Storage) -> None:
    job = born(storage)

    assert seqs(storage, job.seq) == [job.seq]
    assert seqs(storage, 99) == []


def test_the_members_of_a_chord_and_what_comes_before_and_after(storage: Storage) -> None:
    # The members are 1 and 2; only the first of them has something before it.
    plan = Plan([Edge(0, 1), Edge(1, 3, 0), Edge(2, 3, 1), Edge(3, 4)])

    for stage in storage.enqueue([new(f"t{n}") for n in range(5)], plan):
        assert seqs(storage, stage.seq) == [1, 2, 3, 4, 5]


def test_a_thousand_stages_are_one_question(storage: Storage) -> None:
    stages = pipeline(storage, 1000)

    assert len(storage.stages(stages[500].seq)) == 1000


def test_a_stage_whose_follower_is_gone_or_that_follows_itself(storage: Storage, lab: Lab) -> None:
    job = born(storage)
    lab.set(job.seq, next=77)
    assert seqs(storage, job.seq) == [job.seq]

    lab.set(job.seq, next=job.seq)
    assert seqs(storage, job.seq) == [job.seq]
    lab.set(job.seq, next=None)


# --- tasks ----------------------------------------------------------------------------------------


def test_tasks_are_seen_with_their_jobs_and_their_last_sign_of_life(
    make: Maker, clock: Clock
) -> None:
    clock.freeze(NOW)
    storage, other = make(), make("other")
    born(storage, "b")
    run(storage, worker(storage))
    born(other, "c")
    clock.jump(10)
    born(storage, "a")
    born(storage, "b")

    seen = [one for one in storage.tasks_seen() if one.queue == "huey"]

    assert seen == [SeenTask("huey", "a", 1, NOW + 10), SeenTask("huey", "b", 2, NOW + 10)]


def test_a_task_is_seen_as_long_as_one_of_its_jobs_is_kept(storage: Storage, clock: Clock) -> None:
    clock.freeze(NOW)
    number = worker(storage)
    for name in ("a", "b"):
        born(storage, name)
        run(storage, number)
        clock.jump(600)
    storage.keep(Keeping())

    storage.purge(Selector(task="a"))
    assert [one[:3] for one in storage.tasks_seen()] == [("huey", "b", 1)]
    storage.purge(Selector())
    assert storage.tasks_seen() == []


def test_a_task_is_seen_in_jobs_that_are_done_for_longer_than_endings_are_counted(
    storage: Storage, clock: Clock
) -> None:
    clock.freeze(NOW)
    number = worker(storage)
    born(storage, "a")
    run(storage, number)
    rules = Keeping(done_age=99 * DAY)
    for _ in range(2):
        clock.jump(30 * DAY)
        storage.keep(rules)
        assert [one[:3] for one in storage.tasks_seen()] == [("huey", "a", 1)]
    born(storage, "b")
    run(storage, number)

    assert [one[:3] for one in storage.tasks_seen()] == [("huey", "a", 1), ("huey", "b", 1)]


def test_jobs_that_ended_without_a_run_are_seen(storage: Storage) -> None:
    storage.revoke(by_seq(born(storage, "a")))
    born(storage, "b", expires_at=1.0)
    storage.expire()

    assert [one[:3] for one in storage.tasks_seen()] == [("huey", "a", 1), ("huey", "b", 1)]


def test_an_empty_storage_has_seen_no_task(storage: Storage) -> None:
    assert storage.tasks_seen() == []


# --- clearing -------------------------------------------------------------------------------------


def fill(storage: Storage) -> None:
    """Two of each kind."""
    number = worker(storage)
    for name in ("one", "two"):
        storage.record_events(True)
        born(storage)
        storage.record_events(False)
        run(storage, number, Done(b"x"))
        storage.put(name, b"x")
        storage.incr(name)
        storage.lock(name, number, b"token")


@pytest.mark.parametrize("kind", KINDS)
def test_one_kind_is_cleared_and_the_others_stay(storage: Storage, kind: str) -> None:
    fill(storage)

    assert storage.clear(kind, limit=1) == 1
    assert storage.clear(kind) == 1
    assert storage.clear(kind) == 0

    assert {each: storage.holding(each) for each in KINDS} == {
        each: 0 if each == kind else 2 for each in KINDS
    }
    assert storage.count(Selector()) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_another_queue_is_left_alone(make: Maker, kind: str) -> None:
    storage, other = make(), make("other")
    fill(storage)

    assert other.holding(kind) == 0
    assert other.clear(kind) == 0
    assert storage.holding(kind) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_younger_stays(storage: Storage, kind: str) -> None:
    fill(storage)

    assert storage.holding(kind, older_than=0.5) == 0
    assert storage.clear(kind, older_than=0.5) == 0
    assert storage.holding(kind, older_than=NOW * 2) == 2
    assert storage.clear(kind, older_than=NOW * 2) == 2


def test_a_result_that_was_cleared_counts_as_taken(storage: Storage) -> None:
    job = born(storage)
    run(storage, worker(storage), Done(b"x"))

    storage.clear("results")

    assert (row(storage, job).state, row(storage, job).taken) == (State.DONE, True)
    assert storage.result(job.id, preserve=True) == (job.seq, State.DONE, None, None, True)


def test_a_result_that_a_later_stage_needs_is_neither_counted_nor_cleared(
    storage: Storage,
) -> None:
    first, _ = pipeline(storage, 2)
    run(storage, worker(storage), Done(b"x"))

    assert storage.holding("results") == 0
    assert storage.clear("results") == 0
    assert row(storage, first).taken is False


# --- reasons --------------------------------------------------------------------------------------


def test_the_reason_of_a_change_stays_until_the_job_ends(storage: Storage) -> None:
    number = worker(storage)
    job = born(storage)
    storage.reschedule(by_seq(job), priority=5, reason="sooner")
    assert row(storage, job).reason == "sooner"
    storage.reschedule(by_seq(job), priority=6)
    assert row(storage, job).reason == "sooner"

    run(storage, number, Dead("failed", FAILURE))
    assert row(storage, job).reason == "failed"
    storage.requeue(by_seq(job), reason="fixed")
    assert (row(storage, job).state, row(storage, job).reason) == (State.PENDING, "fixed")

    run(storage, number)
    assert row(storage, job).reason is None
    storage.requeue(by_seq(job))
    assert row(storage, job).reason is None
