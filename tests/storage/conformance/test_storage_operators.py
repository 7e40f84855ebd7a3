"""The operator's verbs: revoke, requeue, reschedule, pause; and the standing orders."""

from __future__ import annotations

import pytest

from hueycore.model.endings import Dead, Done, Ending, Expired, Revoked
from hueycore.model.flags import Revocation
from hueycore.model.jobs import JobRef, Selector, Want
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
    tasks,
    worker,
)
from tests.storage.lab import Lab

NOW = 2_000_000_000.0


def finish(storage: Storage, number: int, ending: Ending, **fields: object) -> int:
    job = born(storage, **fields)
    run(storage, number, ending)
    return job.seq


# --- revoke ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("waiting", [State.SCHEDULED, State.PENDING, State.BLOCKED])
def test_a_waiting_job_ends_revoked_at_once(storage: Storage, clock: Clock, waiting: State) -> None:
    clock.freeze(NOW)
    number = worker(storage)
    storage.lock("k", number, b"token")
    job = born(
        storage,
        run_at=NOW + 50 if waiting is State.SCHEDULED else None,
        key_name="k" if waiting is State.BLOCKED else None,
    )
    assert state(storage, job) is waiting

    changed = storage.revoke(by_seq(job), "by me")

    assert changed == (1, [JobRef(job.seq, job.id, "task")], [])
    found = row(storage, job)
    assert (found.state, found.reason, found.finished_at) == (State.REVOKED, "by me", NOW)
    storage.unlock("k")
    assert take(storage, number) == []


def test_a_running_job_is_asked_to_stop_and_goes_on(storage: Storage) -> None:
    job = born(storage)
    number = worker(storage)
    claim = one(storage, number)

    changed = storage.revoke(by_seq(job))

    assert len(changed.changed) == 1
    assert (state(storage, job), row(storage, job).cancel_requested) == (State.RUNNING, True)
    assert end(storage, number, claim, Revoked()).lost == []
    assert (state(storage, job), row(storage, job).cancel_requested) == (State.REVOKED, False)


@pytest.mark.parametrize("ending", [Done(), Dead("failed"), Revoked("first"), Expired()])
def test_a_final_job_is_not_revoked(storage: Storage, ending: Ending) -> None:
    seq = finish(storage, worker(storage), ending)
    before = row(storage, seq)

    changed = storage.revoke(by_seq(seq), "second")

    assert (changed.matched, changed.changed) == (1, [])
    assert changed.failed[0][1] == f"already {before.state}"
    assert row(storage, seq) == before


def test_revoke_takes_a_selector(storage: Storage) -> None:
    storage.enqueue([new("a.x"), new("a.y"), new("b.x")])

    changed = storage.revoke(Selector(task="a.*"))

    assert [ref.task for ref in changed.changed] == ["a.x", "a.y"]
    assert tasks(take(storage, worker(storage), 9)) == ["b.x"]
    assert storage.revoke(Selector(task="nothing")) == (0, [], [])


def test_a_limit_bounds_what_is_revoked(storage: Storage) -> None:
    storage.enqueue([new() for _ in range(5)])

    assert len(storage.revoke(Selector(states=(State.PENDING,), limit=2)).changed) == 2
    assert storage.count(Selector(states=(State.PENDING,))) == 3


# --- requeue --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ending", [Done(b"x"), Dead("failed", FAILURE, b"e"), Revoked("r", b"e"), Expired(b"e")]
)
def test_a_final_job_waits_again_with_its_history(
    storage: Storage, lab: Lab, clock: Clock, ending: Ending
) -> None:
    clock.freeze(NOW)
    number = worker(storage)
    seq = finish(storage, number, ending, retries=3)
    lab.set(seq, crashes=2)
    errors = row(storage, seq).errors
    clock.jump(10)

    changed = storage.requeue(by_seq(seq))

    assert len(changed.changed) == 1
    found = row(storage, seq)
    assert (found.state, found.run_at, found.reason) == (State.PENDING, NOW + 10, None)
    assert (found.attempt, found.claim, found.retries, found.crashes) == (1, 1, 3, 0)
    assert (found.finished_at, found.taken, found.errors) == (None, None, errors)
    assert one(storage, number).attempt == 2


def test_a_requeued_job_keeps_a_time_that_is_yet_to_come(storage: Storage, clock: Clock) -> None:
    clock.freeze(NOW)
    job = born(storage, run_at=NOW + 100)
    storage.revoke(by_seq(job))

    storage.requeue(by_seq(job))

    assert (state(storage, job), row(storage, job).run_at) == (State.SCHEDULED, NOW + 100)


def test_requeue_takes_a_time_and_a_number_of_retries(storage: Storage, clock: Clock) -> None:
    clock.freeze(NOW)
    seq = finish(storage, worker(storage), Dead("failed"), retries=3)

    storage.requeue(by_seq(seq), run_at=NOW + 5, retries=0)

    found = row(storage, seq)
    assert (found.state, found.run_at, found.retries) == (State.SCHEDULED, NOW + 5, 0)


def test_requeue_forgets_an_expiry_that_is_past_and_keeps_one_to_come(
    storage: Storage, clock: Clock
) -> None:
    clock.freeze(NOW)
    jobs = storage.enqueue([new(expires_at=NOW + 5), new(expires_at=NOW + 500)])
    storage.revoke(Selector())
    clock.jump(6)

    storage.requeue(Selector())

    assert [row(storage, job).expires_at for job in jobs] == [None, NOW + 500]


def test_a_live_job_is_not_requeued(storage: Storage) -> None:
    storage.enqueue([new(), new(run_at=4e9), new()])
    one(storage, worker(storage))

    changed = storage.requeue(Selector())

    assert (changed.matched, changed.changed) == (3, [])
    assert [why for _, why in changed.failed] == [
        "still running",
        "still scheduled",
        "still pending",
    ]


# --- reschedule -----------------------------------------------------------------------------------


def test_a_waiting_job_gets_another_time(storage: Storage, clock: Clock) -> None:
    clock.freeze(NOW)
    later, sooner = storage.enqueue([new("later"), new("sooner", run_at=NOW + 50)])

    storage.reschedule(by_seq(later), run_at=NOW + 9)
    storage.reschedule(by_seq(sooner), run_at=NOW - 9)

    assert (state(storage, later), state(storage, sooner)) == (State.SCHEDULED, State.PENDING)
    assert (row(storage, later).id, row(storage, later).run_at) == (later.id, NOW + 9)
    assert storage.next_run_at() == NOW + 9


def test_a_waiting_job_gets_another_priority_and_expiry(storage: Storage, clock: Clock) -> None:
    clock.freeze(NOW)
    storage.enqueue([new("first"), new("second")])

    storage.reschedule(Selector(task="second"), priority=5, expires_at=NOW + 60)

    claims = take(storage, worker(storage), 2)
    assert tasks(claims) == ["second", "first"]
    assert (claims[0].priority, claims[0].expires_at) == (5, NOW + 60)


def test_a_blocked_job_stays_blocked_when_it_is_rescheduled(storage: Storage) -> None:
    storage.lock("k", worker(storage), b"token")
    job = born(storage, key_name="k")
    assert state(storage, job) is State.BLOCKED

    storage.reschedule(by_seq(job), run_at=1.0, priority=3)

    assert (state(storage, job), row(storage, job).priority) == (State.BLOCKED, 3)


def test_what_runs_or_is_over_is_not_rescheduled(storage: Storage) -> None:
    number = worker(storage)
    done = finish(storage, number, Done())
    running = born(storage)
    one(storage, number)

    changed = storage.reschedule(Selector(), priority=9)

    assert changed.changed == []
    assert [(ref.seq, why) for ref, why in changed.failed] == [
        (done, "is done"), (running.seq, "is running"),
    ]  # fmt: skip
    assert row(storage, running).priority == 0


# --- standing orders ------------------------------------------------------------------------------


def test_a_standing_revocation_is_seen_and_taken_back(storage: Storage, clock: Clock) -> None:
    clock.freeze(NOW)
    storage.set_revocation("revoked-task", "t", until=NOW + 5, once=True, reason="why")

    assert storage.revocation("revoked-task", "t") == Revocation(
        "huey", "revoked-task", "t", NOW + 5, True, NOW, "why"
    )
    assert storage.revocation("revoked-id", "t") is None
    assert storage.clear_revocation("revoked-task", "t")
    assert not storage.clear_revocation("revoked-task", "t")
    assert storage.revocation("revoked-task", "t") is None


def test_a_standing_revocation_ends_by_itself(storage: Storage, clock: Clock) -> None:
    clock.freeze(NOW)
    storage.set_revocation("revoked-id", "x", until=NOW + 5)
    clock.jump(5)

    assert storage.revocation("revoked-id", "x") is None
    assert not storage.clear_revocation("revoked-id", "x")


def test_a_second_revocation_replaces_the_first(storage: Storage) -> None:
    storage.set_revocation("revoked-task", "t", until=5.0, reason="first")
    storage.set_revocation("revoked-task", "t", reason="second")

    found = storage.revocation("revoked-task", "t")
    assert found is not None and (found.until, found.reason) == (None, "second")


def test_a_queue_without_a_job_can_be_paused(storage: Storage, clock: Clock) -> None:
    clock.freeze(NOW)
    storage.pause(until=NOW + 60, by="me", reason="why")

    (queue,) = storage.queues()
    assert (queue.queue, queue.paused_at, queue.paused_until) == ("huey", NOW, NOW + 60)
    assert storage.resume()
    assert storage.queues()[0].paused_at is None


def test_pausing_again_replaces_the_pause(storage: Storage, clock: Clock) -> None:
    clock.freeze(NOW)
    storage.pause(until=NOW + 1, by="a")
    storage.pause(by="b")
    clock.jump(5)
    born(storage)

    assert take(storage, worker(storage)) == []
    assert storage.queues()[0].paused_by == "b"


def test_resuming_what_is_not_paused_says_so(storage: Storage) -> None:
    assert storage.resume() is False
    assert storage.resume(task="t") is False


def test_standing_orders_belong_to_their_queue(make_shared: Maker) -> None:
    ours, theirs = make_shared("ours"), make_shared("theirs")
    theirs.set_revocation("revoked-task", "task")
    theirs.pause()
    born(ours), born(theirs)

    assert len(take(ours, worker(ours), 9)) == 1
    assert ours.revocation("revoked-task", "task") is None
    assert not ours.clear_revocation("revoked-task", "task")
    assert theirs.exchange(worker(theirs), [], Want(9)).claims == []


# --- selectors reach over queues only when they say so --------------------------------------------


def test_a_selector_of_a_queue_leaves_the_others_alone(make_shared: Maker) -> None:
    ours, theirs = make_shared("ours"), make_shared("theirs")
    mine, other = born(ours), born(theirs)

    ours.revoke(Selector(queues=("ours",)))

    assert (state(ours, mine), state(theirs, other)) == (State.REVOKED, State.PENDING)
    ours.requeue(Selector(queues=("theirs", "ours")))
    assert (state(ours, mine), state(theirs, other)) == (State.PENDING, State.PENDING)
