"""Who is a worker, what it holds, and what becomes of it when it leaves in order."""

from __future__ import annotations

import os
from typing import Any

import pytest

from hueycore.exceptions import StorageError, StorageMoved
from hueycore.model.endings import Done, Retry
from hueycore.model.jobs import Claim, Selector
from hueycore.model.states import State
from hueycore.storage.base import Storage
from tests.helpers import Clock
from tests.storage.conftest import Maker
from tests.storage.kit import (
    born,
    by_seq,
    chord,
    end,
    new,
    one,
    pipeline,
    row,
    run,
    state,
    take,
    worker,
)
from tests.storage.lab import Lab

NOW = 2_000_000_000.0


def test_a_registered_worker_is_seen_alive(storage: Storage, clock: Clock) -> None:
    clock.freeze(NOW)
    number = storage.register(name="box", kind="thread", slots=3)

    (found,) = storage.workers()

    assert (found.id, found.queue, found.name, found.kind, found.slots) == (
        number, "huey", "box", "thread", 3,
    )  # fmt: skip
    assert (found.pid, found.host, found.state) == (os.getpid(), os.uname().nodename, "running")
    assert (found.started_at, found.alive, found.running) == (NOW, True, [])


def test_workers_have_numbers_of_their_own(storage: Storage) -> None:
    numbers = [worker(storage) for _ in range(5)]

    assert len(set(numbers)) == 5
    assert [found.id for found in storage.workers()] == sorted(numbers)


def test_slots_show_what_has_started(storage: Storage) -> None:
    storage.enqueue([new(), new()])
    number = worker(storage)
    first, second = take(storage, number, 2)
    slots = storage.slots(number)
    slots.clear(9)  # a spare worker that rests before its first run

    slots.start(0, first.seq, first.claim)
    slots.start(7, second.seq, second.claim)
    assert storage.workers()[0].running == [(0, first.seq), (7, second.seq)]

    slots.clear(0)
    assert storage.workers()[0].running == [(7, second.seq)]


def test_a_worker_that_leaves_gives_back_what_it_held(storage: Storage) -> None:
    storage.enqueue([new("held"), new("other"), new("done")])
    leaving, staying = worker(storage), worker(storage)
    held, other = one(storage, leaving), one(storage, staying)
    done = one(storage, leaving)
    end(storage, leaving, done)

    storage.unregister(leaving)

    found = row(storage, held)
    assert (found.state, found.attempt, found.claim, found.crashes) == (State.PENDING, 0, 1, 0)
    assert (state(storage, other), state(storage, done)) == (State.RUNNING, State.DONE)
    assert len(end(storage, leaving, held, Done(b"late")).lost) == 1
    assert one(storage, staying).claim == 2


def test_what_was_asked_to_stop_is_revoked_when_its_worker_leaves(storage: Storage) -> None:
    """A revocation that was promised to a running job is not forgotten with its worker."""
    first, second = pipeline(storage, 2)
    number = worker(storage)
    one(storage, number)
    storage.revoke(by_seq(first))

    storage.unregister(number)

    found = row(storage, first)
    assert (found.state, found.reason, found.cancel_requested) == (
        State.REVOKED, "revoked", False,
    )  # fmt: skip
    assert (state(storage, second), row(storage, second).reason) == (State.REVOKED, "upstream")


def test_a_worker_may_say_that_it_stops(storage: Storage) -> None:
    number = worker(storage)
    born(storage)
    claim = one(storage, number)

    storage.stopping(number)

    assert storage.workers()[0].state == "stopping"
    assert end(storage, number, claim).lost == []


def test_nobody_recovers_the_jobs_of_the_living(make: Maker) -> None:
    storage = make()
    storage.enqueue([new(), new()])
    numbers = [worker(storage), worker(storage)]
    claims = [one(storage, number) for number in numbers]
    storage.slots(numbers[0]).start(0, claims[0].seq, claims[0].claim)

    assert storage.recover() == []
    assert [state(storage, claim) for claim in claims] == [State.RUNNING] * 2


# --- recovery -------------------------------------------------------------------------------------


def started(storage: Storage, number: int, *claims: Claim) -> None:
    for place, claim in enumerate(claims):
        storage.slots(number).start(place, claim.seq, claim.claim)


@pytest.mark.feature("crash")
def test_a_dead_workers_jobs_come_back_and_only_those_that_ran_are_charged(
    storage: Storage,
    lab: Lab,
) -> None:
    storage.enqueue([new() for _ in range(4)])
    number, other = worker(storage, "dead-box"), worker(storage)
    ran, held, over = take(storage, number, 3)
    living = one(storage, other)
    end(storage, number, over)
    started(storage, number, ran)

    recovered = lab.bury(number)

    assert [(r.job.seq, r.state, r.started, r.worker) for r in recovered] == [
        (ran.seq, State.PENDING, True, "dead-box"), (held.seq, State.PENDING, False, "dead-box"),
    ]  # fmt: skip
    found = row(storage, ran)
    assert (found.attempt, found.claim, found.crashes, found.run_at) == (1, 1, 1, ran.run_at)
    assert found.errors[0]["type"] == "Crashed" and "dead-box" in found.errors[0]["message"]
    found = row(storage, held)
    assert (found.attempt, found.claim, found.crashes, found.errors) == (0, 1, 0, [])
    assert (state(storage, over), state(storage, living)) == (State.DONE, State.RUNNING)
    assert [found.id for found in storage.workers()] == [other]
    assert storage.recover() == []


def test_a_slot_of_another_claim_charges_nobody(storage: Storage, lab: Lab) -> None:
    """The run before was of the same job, and its slot was never cleared."""
    born(storage)
    number = worker(storage)
    first = one(storage, number)
    started(storage, number, first)
    end(storage, number, first, Retry(None, 0, 0))
    second = one(storage, number)

    (recovered,) = lab.bury(number)

    assert (recovered.job.seq, recovered.started) == (second.seq, False)
    assert row(storage, second).crashes == 0


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_a_job_that_kills_its_process_too_often_is_dead_and_kept(
    storage: Storage, lab: Lab, limit: int
) -> None:
    job = born(storage, max_crashes=limit)
    for crash in range(1, limit + 1):
        number = worker(storage)
        started(storage, number, one(storage, number))
        (recovered,) = lab.bury(number)

        found = row(storage, job)
        dead = crash == limit
        assert recovered.state is found.state is (State.DEAD if dead else State.PENDING)
        assert (found.crashes, found.attempt, found.claim) == (crash, crash, crash)

    assert (found.reason, len(found.errors)) == ("crashed", limit)
    assert storage.payload(job.seq) == b"payload"


def test_the_neighbours_of_a_job_that_kills_are_never_charged(storage: Storage, lab: Lab) -> None:
    bad, *good = storage.enqueue([new() for _ in range(6)])
    for _ in range(3):
        number = worker(storage)
        claims = take(storage, number, 6)
        started(storage, number, *(claim for claim in claims if claim.seq == bad.seq))
        lab.bury(number)

    assert state(storage, bad) is State.DEAD
    assert [(row(storage, job).crashes, row(storage, job).attempt) for job in good] == [(0, 0)] * 5


def test_the_dead_of_another_queue_are_left_to_its_own_consumers(make_shared: Maker) -> None:
    ours, theirs = make_shared("ours"), make_shared("theirs")
    job = born(theirs)
    number = worker(theirs)
    one(theirs, number)
    make_shared.lab(theirs).kill(number)

    assert ours.recover() == []
    assert (state(theirs, job), [found.id for found in theirs.workers()]) == ("running", [number])
    assert [recovered.job.seq for recovered in theirs.recover()] == [job.seq]


def test_an_at_most_once_job_that_had_started_is_dead(storage: Storage, lab: Lab) -> None:
    born(storage, at_most_once=True)
    number = worker(storage)
    ran = one(storage, number)
    started(storage, number, ran)

    lab.bury(number)

    assert (state(storage, ran), row(storage, ran).reason) == (State.DEAD, "crashed")


def test_a_stop_is_no_crash(storage: Storage, lab: Lab) -> None:
    storage.enqueue([new(max_crashes=1), new(at_most_once=True)])
    number = worker(storage)
    plain, once = one(storage, number), one(storage, number)
    started(storage, number, plain, once)
    storage.stopping(number)

    lab.bury(number)

    assert (state(storage, plain), row(storage, plain).crashes) == (State.PENDING, 0)
    assert (state(storage, once), row(storage, once).reason) == (State.DEAD, "interrupted")
    assert row(storage, once).crashes == 0


def test_a_run_that_was_asked_to_stop_and_died_is_revoked(storage: Storage, lab: Lab) -> None:
    job = born(storage)
    number = worker(storage)
    started(storage, number, one(storage, number))
    storage.revoke(by_seq(job))

    (recovered,) = lab.bury(number)

    found = row(storage, job)
    assert recovered.state is found.state is State.REVOKED
    assert (found.reason, found.crashes, found.cancel_requested) == ("revoked", 1, False)


@pytest.mark.parametrize("fields", [{}, {"max_crashes": 1}, {"at_most_once": True}], ids=str)
def test_a_run_that_was_to_be_interrupted_and_died_is_revoked_and_not_charged(
    storage: Storage, lab: Lab, fields: dict[str, Any]
) -> None:
    job = born(storage, **fields)
    number = worker(storage)
    started(storage, number, one(storage, number))
    storage.revoke(by_seq(job), interrupt=True)

    (recovered,) = lab.bury(number)

    found = row(storage, job)
    assert recovered.state is found.state is State.REVOKED
    assert (found.reason, found.crashes, found.errors) == ("revoked", 0, [])


def test_an_overdue_run_whose_process_was_killed_is_a_timeout_and_no_crash(
    storage: Storage, lab: Lab, clock: Clock
) -> None:
    clock.freeze(NOW)
    job = born(storage, timeout=5, retries=2, retry_delay=10, retry_backoff=3, max_crashes=1)
    number = worker(storage)
    claim = one(storage, number)
    started(storage, number, claim)
    clock.jump(7)

    assert storage.note_overdue(claim.seq, claim.claim)
    assert not row(storage, job).cancel_requested
    (recovered,) = lab.bury(number)

    found = row(storage, job)
    assert (recovered.state, recovered.timeout) == (State.SCHEDULED, True)
    assert (found.state, found.run_at, found.retries) == (State.SCHEDULED, NOW + 17, 1)
    assert (found.retry_delay, found.crashes, found.attempt) == (30, 0, 1)
    assert [(error["type"], error["run_s"]) for error in found.errors] == [("TaskTimeout", 7)]


@pytest.mark.parametrize("fields", [{}, {"retries": 3, "at_most_once": True}], ids=str)
def test_an_overdue_run_without_another_try_is_dead_and_its_followers_learn_of_it(
    storage: Storage, lab: Lab, fields: dict[str, Any]
) -> None:
    first, second = pipeline(storage, 2, **fields)
    number = worker(storage)
    claim = one(storage, number)
    started(storage, number, claim)
    storage.note_overdue(claim.seq, claim.claim)

    lab.bury(number)

    assert (state(storage, first), row(storage, first).reason) == (State.DEAD, "timeout")
    assert (state(storage, second), row(storage, second).reason) == (State.REVOKED, "upstream")


def test_an_overdue_run_that_ends_by_itself_ends_as_it_likes(storage: Storage) -> None:
    job, other = born(storage), born(storage)
    number = worker(storage)
    claims = take(storage, number, 2)
    for claim in claims:
        assert storage.note_overdue(claim.seq, claim.claim)

    end(storage, number, claims[0], Retry(None, 0, 0.0))
    assert not storage.note_overdue(claims[0].seq, claims[0].claim)
    storage.unregister(number)

    assert (state(storage, job), state(storage, other)) == (State.PENDING, State.PENDING)


def test_only_what_is_to_be_interrupted_is_named_as_such(storage: Storage) -> None:
    asked, interrupted, overdue, plain = (born(storage).seq for _ in range(4))
    claims = {claim.seq: claim for claim in take(storage, worker(storage), 4)}
    storage.revoke(by_seq(asked))
    storage.revoke(by_seq(interrupted), interrupt=True)
    storage.revoke(by_seq(interrupted))  # which takes nothing back
    storage.note_overdue(overdue, claims[overdue].claim)

    seqs = [asked, interrupted, overdue, plain]
    assert storage.cancel_requested(seqs) == [asked, interrupted]
    assert storage.cancel_requested(seqs, interrupt=True) == [interrupted]


def test_a_stage_that_dies_by_crashing_tells_its_followers(storage: Storage, lab: Lab) -> None:
    first, second = pipeline(storage, 2, max_crashes=1)
    members, callback = chord(storage, 1, max_crashes=1, priority=5)
    number = worker(storage)
    started(storage, number, *take(storage, number, 2))

    lab.bury(number)

    assert (state(storage, first), state(storage, members[0])) == (State.DEAD, State.DEAD)
    assert (state(storage, second), row(storage, second).reason) == (State.REVOKED, "upstream")
    assert one(storage, worker(storage)).seq == callback.seq


def test_who_was_taken_for_dead_claims_nothing_and_ends_nothing(storage: Storage, lab: Lab) -> None:
    storage.enqueue([new(), new()])
    number = worker(storage)
    claim = one(storage, number)
    lab.take_for_dead(number)

    with pytest.raises(StorageMoved, match="taken for dead"):
        take(storage, number)

    assert end(storage, number, claim).lost
    assert storage.count(Selector(states=(State.PENDING,))) == 2


# --- moving jobs ----------------------------------------------------------------------------------


def test_jobs_move_with_everything_they_have(storage: Storage, clock: Clock) -> None:
    clock.freeze(NOW)
    number = worker(storage)
    waiting = born(storage, "w", priority=3, run_at=NOW + 50, retries=2, preview="x", payload=b"\0")
    done = born(storage, "d", result_ttl=9.0)
    run(storage, number, Done(b"result"))
    cargo = storage.export(Selector())

    before = [row(storage, job) for job in (waiting, done)]
    storage.flush()
    loaded = storage.load(cargo)

    assert [one.outcome for one in loaded] == ["loaded", "loaded"]
    after = [row(storage, one.job.seq) for one in loaded]
    assert [b._replace(seq=0) for b in before] == [a._replace(seq=0) for a in after]
    assert storage.payload(after[0].seq) == b"\0"
    answer = storage.result(done.id, preserve=True)
    assert answer is not None and answer.result == b"result"


def test_a_running_job_comes_in_as_pending(storage: Storage, clock: Clock) -> None:
    clock.freeze(NOW)
    job = born(storage)
    one(storage, worker(storage))
    cargo = storage.export(Selector())
    storage.flush()
    clock.jump(5)

    storage.load(cargo)

    found = storage.job(job.id)
    assert found is not None
    assert (found.state, found.run_at, found.worker) == (State.PENDING, NOW + 5, None)
    assert (found.attempt, found.claim) == (1, 1)


def test_an_id_that_exists_is_kept_or_replaced_unless_it_runs(storage: Storage) -> None:
    kept, running = storage.enqueue([new("a"), new("b", priority=9)])
    number = worker(storage)
    one(storage, number)
    cargo = storage.export(Selector())
    storage.reschedule(by_seq(kept), priority=5)

    assert [one.outcome for one in storage.load(cargo)] == ["exists", "exists"]
    assert row(storage, kept).priority == 5
    outcomes = {one.job.task: one.outcome for one in storage.load(cargo, if_exists="replace")}

    assert outcomes == {"a": "loaded", "b": "exists"}
    found = storage.job(kept.id)
    assert found is not None and found.priority == 0
    assert state(storage, running) is State.RUNNING


def test_what_is_loaded_to_run_runs(storage: Storage) -> None:
    job = born(storage)
    number = worker(storage)
    run(storage, number, Done(b"old"))
    cargo = storage.export(Selector())

    storage.load(cargo, if_exists="replace", pending=True)

    claim = one(storage, number)
    assert (claim.id, claim.payload, claim.claim) == (job.id, b"payload", 2)
    answer = storage.result(job.id, preserve=True)
    assert answer is not None and answer.result is None


def test_a_result_that_was_read_is_not_read_again_after_a_move(storage: Storage) -> None:
    first, _ = pipeline(storage, 2)
    run(storage, worker(storage), Done(b"1"))
    storage.result(first.id, preserve=False)
    cargo = storage.export(by_seq(first))
    assert cargo[0].result == b"1"  # a waiting stage needs it

    other = storage.load([cargo[0]._replace(job=cargo[0].job._replace(id="copy"))])

    found = storage.result("copy", preserve=False)
    assert found is not None and found.result is None
    assert other[0].outcome == "loaded"


def test_one_impossible_job_keeps_all_out(storage: Storage) -> None:
    storage.enqueue([new(), new()])
    cargo = storage.export(Selector())
    storage.flush()
    broken = cargo[1]._replace(job=cargo[1].job._replace(attempt=5, claim=1))

    with pytest.raises(StorageError):
        storage.load([cargo[0], broken])

    assert storage.count(Selector()) == 0


def test_export_pages_in_the_order_of_numbers(storage: Storage) -> None:
    storage.enqueue([new() for _ in range(5)])
    seen: list[int] = []
    while page := storage.export(Selector(limit=2, after=seen[-1] if seen else 0)):
        seen += [one.job.seq for one in page]

    assert seen == [job.seq for job in storage.jobs(Selector())]


# --- figures --------------------------------------------------------------------------------------


def test_metrics_are_told_since_a_time(storage: Storage, clock: Clock) -> None:
    clock.freeze(NOW)
    number = worker(storage)
    for _ in range(3):
        born(storage)
        run(storage, number)
        clock.jump(60)

    lines = storage.metrics(NOW + 60)

    assert [(line.minute, line.task, line.done) for line in lines] == [
        (NOW // 60 + 1, "task", 1), (NOW // 60 + 2, "task", 1),
    ]  # fmt: skip
    assert sum(lines[0].run_hist.values()) == 1


@pytest.mark.parametrize("since", range(-1, 12))
def test_arrivals_are_counted_since_a_time(storage: Storage, clock: Clock, since: int) -> None:
    clock.freeze(NOW)
    for _ in range(10):
        born(storage)
        clock.jump(1)
    storage.revoke(Selector(keys=("3", "4", "8")))
    storage.purge(Selector())
    arrived = [n for n in range(10) if n not in (2, 3, 7) and n >= since]

    assert storage.arrivals(NOW + since) == ({"huey": len(arrived)} if arrived else {})


def test_an_empty_queue_has_no_arrivals(storage: Storage) -> None:
    assert storage.arrivals(0) == {}


def test_a_job_knows_how_many_run_before_it(storage: Storage) -> None:
    jobs = storage.enqueue([new(), new(priority=5), new(), new(run_at=4e9), new(priority=5)])

    assert [storage.ahead(job.seq) for job in jobs] == [2, 0, 3, 4, 1]
    assert storage.ahead(99) == 0


def test_dead_letters_are_grouped_by_error_and_task(storage: Storage, clock: Clock) -> None:
    from hueycore.model.endings import Dead, Failure

    clock.freeze(NOW)
    number = worker(storage)
    for task, error in (("a", "KeyError"), ("a", "KeyError"), ("b", "KeyError"), ("a", None)):
        born(storage, task)
        run(storage, number, Dead("timeout", Failure(error, "", "") if error else None))
        clock.jump(3600)

    groups = storage.dead_groups(Selector())
    assert [(group.number, group.task, group.error) for group in groups] == [
        (2, "a", "KeyError"), (1, "a", "timeout"), (1, "b", "KeyError"),
    ]  # fmt: skip
    assert groups[0].recent == (0, 0, 2, 2, 2)
    merged = storage.dead_groups(Selector(), by_task=False)
    assert [(group.number, group.error) for group in merged] == [(3, "KeyError"), (1, "timeout")]


def test_standing_orders_are_listed(make_shared: Maker, clock: Clock) -> None:
    clock.freeze(NOW)
    ours, theirs = make_shared("ours"), make_shared("theirs")
    ours.set_revocation("revoked-task", "t", until=NOW + 5)
    theirs.pause(task="p")
    ours.set_revocation("revoked-id", "x", once=True)

    found = [(one.queue, one.kind, one.name, one.once) for one in ours.revocations()]
    assert found == [
        ("ours", "revoked-id", "x", True), ("ours", "revoked-task", "t", False),
        ("theirs", "paused-task", "p", False),
    ]  # fmt: skip
    clock.jump(6)
    assert len(ours.revocations()) == 2


def test_a_sound_storage_is_found_sound_and_a_broken_row_is_named(
    storage: Storage, lab: Lab
) -> None:
    storage.enqueue([new(), new()])
    run(storage, worker(storage), Retry(None, 0, 0))
    assert storage.examine(full=True) == [] == storage.examine()

    lab.set_payload(2, None)
    findings = storage.examine(full=True)

    assert [(one.kind, one.rows) for one in findings] == [("invariant", (2,))]
    lab.set_payload(2, b"")
