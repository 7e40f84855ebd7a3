"""Unique keys: one job per queue, task and key, and who gives way to whom."""

from __future__ import annotations

from typing import Any

import pytest

from hueycore.exceptions import DuplicateJob
from hueycore.model.endings import Blocked, Dead, Done, Released, Retry, Snoozed
from hueycore.model.jobs import Enqueued, NewJob, Selector, Want
from hueycore.model.plan import Edge, Plan
from hueycore.model.schedules import Fire, Periodic
from hueycore.model.states import State
from hueycore.storage.base import Storage
from tests.helpers import Clock
from tests.storage.conftest import Maker
from tests.storage.kit import (
    FAILURE,
    born,
    by_seq,
    end,
    new,
    one,
    row,
    run,
    state,
    take,
    worker,
)
from tests.storage.lab import Lab


def keyed(key: str = "key", until: str = "end", **fields: Any) -> NewJob:
    return new(unique_key=key, unique_until=until, **fields)


def put(storage: Storage, **fields: Any) -> Enqueued:
    return storage.enqueue([keyed(**fields)])[0]


def put_behind(storage: Storage) -> Enqueued:
    """A unique job that waits for another one."""
    _, child = storage.enqueue([new("parent"), keyed()], Plan([Edge(0, 1)]))
    return child


def count(storage: Storage) -> int:
    return storage.count(Selector())


# --- keep -----------------------------------------------------------------------------------------


@pytest.mark.feature("unique")
@pytest.mark.parametrize("live", ["scheduled", "pending", "blocked", "running"])
def test_a_key_that_is_live_answers_with_the_job_that_has_it(
    storage: Storage, clock: Clock, live: str
) -> None:
    now = clock.freeze()
    if live == "blocked":
        first = put_behind(storage)
    else:
        first = put(storage, run_at=now + 50 if live == "scheduled" else None)
    if live == "running":
        one(storage, worker(storage))
    before = row(storage, first)

    again = put(storage, payload=b"other", priority=9)

    assert again[:4] == (first.seq, first.id, State(live), False)
    assert row(storage, first) == before


@pytest.mark.parametrize("final", [Done(), Dead("failed")], ids=["done", "dead"])
def test_the_key_is_free_when_the_job_is_over(storage: Storage, final: Any) -> None:
    first = put(storage)
    run(storage, worker(storage), final)

    again = put(storage)

    assert again.fresh and again.seq != first.seq


def test_until_the_start_the_key_is_free_once_the_job_runs(storage: Storage) -> None:
    first = put(storage, until="start")
    assert not put(storage, until="start").fresh
    one(storage, worker(storage))

    second = put(storage, until="start")

    assert second.fresh
    assert put(storage, until="start").seq == second.seq
    assert state(storage, first) is State.RUNNING


def test_keys_are_of_a_task_and_of_a_queue(make_shared: Maker) -> None:
    ours, theirs = make_shared("ours"), make_shared("theirs")

    answers = [put(ours), put(ours, task="other"), put(theirs)]

    assert all(answer.fresh for answer in answers)


def test_duplicates_within_one_call_are_one_job(storage: Storage) -> None:
    jobs = [keyed(id="a"), keyed(id="b"), new(id="c"), keyed("else", id="d"), keyed(id="e")]

    answers = storage.enqueue(jobs)

    assert [(answer.id, answer.fresh) for answer in answers] == [
        ("a", True), ("a", False), ("c", True), ("d", True), ("a", False),
    ]  # fmt: skip
    assert count(storage) == 3


def test_an_id_that_is_live_wins_over_the_key(storage: Storage) -> None:
    first = put(storage, id="mine")

    again = storage.enqueue([keyed("another", id="mine")])[0]

    assert again[:4] == (first.seq, "mine", State.PENDING, False)


def test_a_final_job_of_the_same_id_stays_when_the_key_is_taken(storage: Storage) -> None:
    old = born(storage, id="mine")
    run(storage, worker(storage))
    holder = put(storage)

    again = put(storage, id="mine")

    assert again.seq == holder.seq
    assert state(storage, old) is State.DONE


# --- fail -----------------------------------------------------------------------------------------


def test_fail_names_the_job_that_is_there_and_stores_nothing(storage: Storage) -> None:
    first = put(storage)

    with pytest.raises(DuplicateJob, match='has the unique key "key"') as caught:
        storage.enqueue([new(), keyed(on_conflict="fail"), new()])

    assert (caught.value.key, caught.value.id) == ("key", first.id)
    assert count(storage) == 1


# --- replace --------------------------------------------------------------------------------------


def test_replace_gives_the_waiting_job_the_new_call_and_keeps_its_id(
    storage: Storage, clock: Clock
) -> None:
    now = clock.freeze()
    first = put(storage, run_at=now + 10, retries=1)
    number = worker(storage)
    clock.jump(20)
    storage.promote()
    run(storage, number, Retry(now + 100, 0, 5, FAILURE))

    again = put(
        storage, payload=b"newer", preview="newer", priority=3, run_at=now + 60, retries=4,
        on_conflict="replace",
    )  # fmt: skip

    assert again[:4] == (first.seq, first.id, State.SCHEDULED, False)
    found = row(storage, first)
    assert (found.run_at, found.priority, found.retries, found.preview) == (now + 60, 3, 4, "newer")
    assert (found.attempt, found.errors, found.claim) == (0, [], 1)
    assert storage.payload(first.seq) == b"newer"
    assert put(storage, on_conflict="replace").state is State.PENDING


def test_replace_of_a_later_stage_keeps_it_waiting_for_its_parent(storage: Storage) -> None:
    child = put_behind(storage)

    again = put(storage, payload=b"newer", on_conflict="replace")

    assert (again.seq, again.state) == (child.seq, State.BLOCKED)
    run(storage, worker(storage), Done(b"result"))
    assert state(storage, child) is State.PENDING


def test_replace_of_a_running_job_is_a_new_one_that_has_the_key(storage: Storage) -> None:
    first = put(storage)
    number = worker(storage)
    claim = one(storage, number)

    second = put(storage, payload=b"newer", on_conflict="replace")

    assert second.fresh and second.seq != first.seq
    assert put(storage, payload=b"newest", on_conflict="replace").seq == second.seq
    end(storage, number, claim, Retry(None, 0, 0, FAILURE))
    assert state(storage, first) is State.PENDING, "it is not lost"
    assert storage.payload(first.seq) == b"payload"
    assert storage.payload(second.seq) == b"newest"


# --- back among the waiting -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "back",
    [Retry(None, 1, 0, FAILURE), Retry(4e9, 1, 0), Snoozed(4e9), Released(), Blocked("lock")],
    ids=["retry", "later", "snooze", "release", "blocked"],
)
def test_a_run_that_is_put_back_waits_beside_the_job_that_has_its_key_now(
    storage: Storage, back: Any
) -> None:
    first = put(storage, until="start")
    number = worker(storage)
    claim = one(storage, number)
    second = put(storage, until="start")

    assert end(storage, number, claim, back).lost == []

    assert state(storage, first) is not State.RUNNING
    assert (row(storage, first).unique_key, row(storage, first).unique_until) == ("key", None)
    assert put(storage).seq == second.seq


def test_a_run_that_is_put_back_has_its_key_again_when_nobody_took_it(
    storage: Storage,
) -> None:
    first = put(storage, until="start")
    number = worker(storage)
    end(storage, number, one(storage, number), Retry(None, 1, 0, FAILURE))

    assert put(storage, until="start").seq == first.seq


@pytest.mark.parametrize("death", [False, True], ids=["stopped", "dead"])
def test_several_runs_of_one_key_come_back_from_a_worker_that_is_gone(
    storage: Storage, lab: Lab, death: bool
) -> None:
    number = worker(storage)
    seqs = []
    for _ in range(3):
        seqs.append(put(storage, until="start").seq)
        one(storage, number)

    if death:
        lab.bury(number)
    else:
        storage.unregister(number)

    assert [state(storage, seq) for seq in seqs] == [State.PENDING] * 3
    assert sum(row(storage, seq).unique_until is not None for seq in seqs) == 1
    assert put(storage, until="start").seq in seqs


def test_requeue_leaves_a_job_whose_key_is_taken_and_says_so(storage: Storage) -> None:
    number = worker(storage)
    first = put(storage)
    run(storage, number, Dead("failed"))
    second = put(storage)

    changed = storage.requeue(by_seq(first))

    assert changed.changed == []
    assert changed.failed[0][1] == f'duplicate: job {second.id} has its unique key "key"'
    assert state(storage, first) is State.DEAD
    run(storage, number)
    assert [job.seq for job in storage.requeue(by_seq(first)).changed] == [first.seq]


def test_of_several_dead_jobs_of_one_key_the_first_is_requeued(storage: Storage) -> None:
    number = worker(storage)
    dead = []
    for _ in range(3):
        dead.append(put(storage))
        run(storage, number, Dead("failed"))

    changed = storage.requeue(Selector(states=(State.DEAD,)))

    assert [job.seq for job in changed.changed] == [dead[0].seq]
    assert [job.seq for job, _ in changed.failed] == [dead[1].seq, dead[2].seq]
    assert all(dead[0].id in why for _, why in changed.failed)


def test_a_periodic_task_that_is_still_there_does_not_fire_again(
    storage: Storage, clock: Clock
) -> None:
    now = clock.freeze()
    storage.declare_periodic([Periodic("tick", "task", "@every 60", None, now)], worker(storage))
    first = put(storage)
    again = keyed(on_conflict="fail", scheduled_for=now)

    assert storage.fire([Fire("tick", now, now + 60, [again])]) == ["tick"]

    (stored,) = storage.periodic()
    assert (stored.next_run, stored.last_id) == (now + 60, first.id)
    assert count(storage) == 1


def test_a_claim_and_an_ending_leave_the_key_on_the_row(storage: Storage) -> None:
    put(storage, until="start")
    number = worker(storage)
    claims = take(storage, number)
    storage.exchange(number, [], Want(0))
    end(storage, number, claims[0])

    found = row(storage, claims[0])
    assert (found.unique_key, found.unique_until) == ("key", "start")
