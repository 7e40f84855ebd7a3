"""Stages enqueued with a plan, what their calls are given, and who is called when one fails."""

from __future__ import annotations

import time

import pytest

from hueycore.exceptions import ConfigurationError, QueueFull
from hueycore.model.endings import Dead, Done, Expired, Revoked
from hueycore.model.jobs import Enqueued, Job, Selector, Want
from hueycore.model.pack import pack
from hueycore.model.plan import Edge, Input, Plan
from hueycore.model.states import State
from hueycore.storage.base import Storage
from tests.helpers import Clock
from tests.storage.conftest import Maker
from tests.storage.kit import (
    DAY,
    FAILURE,
    by_seq,
    chord,
    end,
    ended,
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
HANDLER = pack([new("handler", b"call")], Plan())


def fan(storage: Storage) -> list[int]:
    """One job, three that get its value, and one that gets a list of theirs."""
    edges = [*(Edge(0, n) for n in (1, 2, 3)), *(Edge(n, 4, n - 1) for n in (1, 2, 3))]
    return [job.seq for job in storage.enqueue([new(f"job-{n}") for n in range(5)], Plan(edges))]


# --- enqueue --------------------------------------------------------------------------------------


def test_a_plan_is_one_commit_and_says_who_waits(storage: Storage, lab: Lab) -> None:
    before = lab.commits()
    first, second, third = pipeline(storage, 3)

    assert lab.commits() == before + 1
    assert [job.state for job in (first, second, third)] == ["pending", "blocked", "blocked"]
    assert [(row(storage, job).next, row(storage, job).slot) for job in (first, second, third)] == [
        *((second.seq, None), (third.seq, None), (None, None))
    ]
    assert [(row(storage, job).waits, row(storage, job).inputs) for job in (first, second)] == [
        *((0, 0), (1, 1))
    ]


def test_the_members_of_a_chord_have_their_slots(storage: Storage) -> None:
    members, callback = chord(storage, 3)
    assert [(row(storage, m).next, row(storage, m).slot) for m in members] == [
        (callback.seq, n) for n in range(3)
    ]
    assert (row(storage, callback).waits, row(storage, callback).inputs) == (3, 3)


def test_more_jobs_than_a_bulk_takes_are_one_commit_all_the_same(
    storage: Storage, lab: Lab
) -> None:
    before = lab.commits()
    _, callback = chord(storage, 12_000)
    # An engine without transactions takes portions; none of them runs before the last is in.
    assert lab.commits() == before + 1 or not lab.transactional
    assert row(storage, callback).waits == 12_000


def test_a_job_may_feed_several(storage: Storage) -> None:
    first, a, b, c, last = fan(storage)
    assert (row(storage, first).next, row(storage, a).source) == (a, None)
    assert (row(storage, b).source, row(storage, c).source) == (first, first)
    number = worker(storage)

    run(storage, number, Done(b"1"))
    assert [state(storage, seq) for seq in (a, b, c, last)] == [*["pending"] * 3, "blocked"]
    for _ in range(3):
        run(storage, number)
    assert one(storage, number).seq == last


def test_all_that_a_job_feeds_is_revoked_with_it_and_restored_with_it(
    storage: Storage,
) -> None:
    first, a, b, c, last = fan(storage)
    number = worker(storage)
    run(storage, number, Dead("failed"))
    assert [state(storage, seq) for seq in (a, b, c)] == ["revoked"] * 3
    assert state(storage, last) is State.PENDING  # its members are over

    storage.requeue(by_seq(first))
    assert [state(storage, seq) for seq in (a, b, c)] == ["blocked"] * 3
    run(storage, number)  # the last one, with three errors
    run(storage, number, Done(b"1"))
    assert [state(storage, seq) for seq in (a, b, c)] == ["pending"] * 3


def test_a_full_queue_takes_no_stage(make: Maker) -> None:
    storage = make(max_pending=2)
    with pytest.raises(QueueFull):
        pipeline(storage, 3)
    assert storage.count(Selector()) == 0
    pipeline(storage, 2)


def test_an_id_that_is_live_refuses_the_whole_plan(storage: Storage) -> None:
    old = storage.enqueue([new(id="mine")])[0]
    with pytest.raises(ConfigurationError, match="mine"):
        storage.enqueue([new(), new(id="mine")], Plan([Edge(0, 1)]))
    assert [job.seq for job in storage.jobs(Selector())] == [old.seq]

    run(storage, worker(storage))
    answer = storage.enqueue([new(), new(id="mine")], Plan([Edge(0, 1)]))
    assert [job.fresh for job in answer] == [True, True]


def test_a_plan_that_is_there_already_is_not_stored_again(storage: Storage) -> None:
    jobs, plan = [new(id="a"), new(id="b")], Plan([Edge(0, 1)])
    first = storage.enqueue(jobs, plan)
    again = storage.enqueue(jobs, plan)
    assert [(job.seq, job.fresh) for job in again] == [(job.seq, False) for job in first]
    assert row(storage, first[1]).waits == 1


def test_time_of_a_stage(storage: Storage, clock: Clock) -> None:
    clock.freeze(NOW)
    jobs = [new(), new(), new(run_at=NOW + 500), new(run_at=NOW + 50)]
    plan = Plan([Edge(0, n) for n in (1, 2, 3)], delays={1: 30}, expiries={1: 60})
    _, late, eta, past = storage.enqueue(jobs, plan)
    clock.jump(100)
    run(storage, worker(storage))

    assert (state(storage, late), row(storage, late).run_at) == ("scheduled", NOW + 130)
    assert row(storage, late).expires_at == NOW + 190
    assert (state(storage, eta), row(storage, eta).run_at) == ("scheduled", NOW + 500)
    assert (state(storage, past), row(storage, past).run_at) == ("pending", NOW + 100)


def test_a_relative_expiry_of_a_stage_does_not_count_while_it_waits(
    storage: Storage, clock: Clock
) -> None:
    clock.freeze(NOW)
    _, late = storage.enqueue([new(), new(expires_in=60)], Plan([Edge(0, 1)]))
    clock.jump(100)
    assert (storage.expire(), row(storage, late).expires_at) == ([], None)

    run(storage, worker(storage))

    assert row(storage, late).expires_at == NOW + 160


# --- what a call is given -------------------------------------------------------------------------


def test_a_claim_says_how_many_results_its_call_needs(storage: Storage) -> None:
    pipeline(storage, 2)
    number = worker(storage)
    assert run(storage, number, Done(b"1")).inputs == 0
    assert one(storage, number).inputs == 1


def test_a_stage_is_given_what_its_parent_left(storage: Storage) -> None:
    first, second, third = pipeline(storage, 3)
    number = worker(storage)
    assert storage.inputs(second.seq) == []
    run(storage, number, Done(b"1"))
    assert storage.inputs(second.seq) == [Input(None, first.id, State.DONE, b"1")]
    run(storage, number, Done())
    assert storage.inputs(third.seq) == [Input(None, second.id, State.DONE)]


def test_a_callback_is_given_everything_in_order(storage: Storage) -> None:
    members, callback = chord(storage, 6)
    number = worker(storage)
    claims = take(storage, number, 6)
    endings = [
        *(Done(b"0"), Done(), Dead("failed", FAILURE, b"error"), Dead("crashed", FAILURE)),
        *(Revoked(), Expired()),
    ]
    for claim, ending in reversed(list(zip(claims, endings, strict=True))):
        end(storage, number, claim, ending)

    given = storage.inputs(callback.seq)
    assert [one.slot for one in given] == list(range(6))
    assert [one.id for one in given] == [member.id for member in members]
    assert [(one.state, one.result) for one in given] == [
        *(("done", b"0"), ("done", None), ("dead", b"error"), ("dead", None)),
        *(("revoked", None), ("expired", None)),
    ]
    assert given[3].error is not None and given[3].error["type"] == "ValueError"


def test_a_member_that_is_a_broken_line_gives_the_error_that_broke_it(
    storage: Storage,
) -> None:
    jobs = [new(f"job-{n}") for n in range(5)]
    plan = Plan([Edge(0, 1), Edge(1, 2), Edge(2, 4, 0), Edge(3, 4, 1)])
    first, second, third, _, callback = storage.enqueue(jobs, plan)
    number = worker(storage)
    run(storage, number, Dead("failed", FAILURE, b"error"))

    assert storage.inputs(callback.seq)[0] == Input(
        0, first.id, State.DEAD, b"error", row(storage, first).errors[-1]
    )
    assert [job and job.seq for job in map(storage.culprit, (second.seq, third.seq))] == [
        first.seq
    ] * 2
    assert storage.culprit(first.seq) is None
    storage.requeue(by_seq(first))
    # It waits again, and what it has told stands.
    assert storage.inputs(callback.seq)[0].state == "dead"


@pytest.mark.parametrize(
    ("ending", "told"),
    [
        (Done(b"1"), ("done", b"1")),
        (Done(), ("done", None)),
        (Dead("failed", FAILURE, b"error"), ("dead", b"error")),
        (Dead("crashed"), ("dead", None)),
    ],
)
def test_a_member_that_runs_again_has_told_what_it_told(
    storage: Storage, ending: Done | Dead, told: tuple[str, bytes | None]
) -> None:
    members, callback = chord(storage, 2)
    number = worker(storage)
    run(storage, number, ending)
    storage.requeue(by_seq(members[0]))
    (given,) = storage.inputs(callback.seq)
    assert (given.state, given.result) == told

    (claim,) = take(storage, number, only=members[0].seq)
    end(storage, number, claim, Done(b"new"))
    (given, *_) = storage.inputs(callback.seq)
    assert (given.state, given.result) == ("done", b"new")
    assert row(storage, callback).waits == 1


def test_a_value_of_none_hides_what_an_earlier_run_left(storage: Storage) -> None:
    members, callback = chord(storage, 2)
    number = worker(storage)
    run(storage, number, Done(b"old"))
    storage.requeue(by_seq(members[0]))
    (claim,) = take(storage, number, only=members[0].seq)
    end(storage, number, claim, Done())
    assert storage.inputs(callback.seq)[0] == Input(0, members[0].id, State.DONE)


def test_a_result_for_the_next_stage_alone_is_nobody_elses(storage: Storage, lab: Lab) -> None:
    first, second = pipeline(storage, 2)
    number = worker(storage)
    run(storage, number, Done(b"1", private=True))

    answer = storage.result(first.id, preserve=True)
    assert answer is not None and (answer.result, answer.taken) == (None, True)
    assert storage.inputs(second.seq)[0].result == b"1"
    run(storage, number, Done(b"2"))
    assert [*lab.results()] == [second.seq]


def test_a_result_that_two_need_stays_until_both_are_done(storage: Storage, lab: Lab) -> None:
    first, *_ = fan(storage)
    number = worker(storage)
    run(storage, number, Done(b"1", private=True))
    run(storage, number), run(storage, number)
    assert [*lab.results()] == [first]
    assert storage.purge(by_seq(first)) == 0
    run(storage, number)
    assert lab.results() == {}
    assert storage.purge(by_seq(first)) == 1


def test_a_dead_stage_keeps_what_it_was_given(storage: Storage, clock: Clock) -> None:
    clock.freeze(NOW)
    first, second = pipeline(storage, 2)
    number = worker(storage)
    run(storage, number, Done(b"1"))
    storage.result(first.id, preserve=False)
    run(storage, number, Dead("failed"))
    clock.jump(1000 * DAY)

    assert storage.purge(by_seq(first)) == 0
    storage.requeue(by_seq(second))
    assert storage.inputs(second.seq)[0].result == b"1"
    run(storage, number)
    assert storage.purge(by_seq(first)) == 1


def test_a_stage_that_was_given_nothing_waits_again_as_well(storage: Storage) -> None:
    """A task that returns None stores no result: none is missing."""
    _, second = pipeline(storage, 2)
    run(storage, worker(storage), Done())
    storage.revoke(by_seq(second))

    assert storage.requeue(by_seq(second)).failed == []
    assert state(storage, second) == "pending"


def test_a_stage_whose_result_is_gone_does_not_run_again(storage: Storage) -> None:
    first, second = pipeline(storage, 2)
    number = worker(storage)
    run(storage, number, Done(b"1")), run(storage, number)
    storage.result(first.id, preserve=False)

    changed = storage.requeue(by_seq(second))
    assert [why for _, why in changed.failed] == ["a result that it needs was purged"]
    assert storage.inputs(second.seq) == []
    storage.purge(by_seq(first))
    assert storage.requeue(by_seq(second)).changed == []


def test_both_run_again_and_the_second_gets_the_newer_value(storage: Storage) -> None:
    first, second = pipeline(storage, 2)
    number = worker(storage)
    run(storage, number, Done(b"1")), run(storage, number)
    storage.requeue(by_seq(first, second))
    assert storage.inputs(second.seq)[0].result == b"1"
    run(storage, number, Done(b"2"))
    assert storage.inputs(second.seq)[0].result == b"2"


# --- failing and coming back ----------------------------------------------------------------------


def test_retrying_a_stage_restores_all_that_came_after_it_in_one_commit(
    storage: Storage, lab: Lab, clock: Clock
) -> None:
    clock.freeze(NOW)
    first, *rest = pipeline(storage, 4, expires_at=NOW + 50)
    number = worker(storage)
    run(storage, number, Dead("failed"))
    clock.jump(100)
    before = lab.commits()

    storage.requeue(by_seq(first))

    assert lab.commits() == before + 1
    for stage in rest:
        found = row(storage, stage)
        assert (found.state, found.reason, found.finished_at) == ("blocked", None, None)
        assert (found.waits, found.expires_at) == (1, None)
    for _ in range(4):
        run(storage, number, Done(b"1"))
    assert {state(storage, stage) for stage in rest} == {State.DONE}


def test_a_stage_that_somebody_revoked_is_not_restored_with_the_one_before(
    storage: Storage,
) -> None:
    first, second, third = pipeline(storage, 3)
    storage.revoke(by_seq(second))
    number = worker(storage)
    run(storage, number, Dead("failed"))
    storage.requeue(by_seq(first))
    assert [row(storage, stage).reason for stage in (second, third)] == ["revoked", "upstream"]
    run(storage, number, Done(b"1"))

    storage.requeue(by_seq(second))
    assert [state(storage, stage) for stage in (second, third)] == ["pending", "blocked"]


def test_two_thousand_stages_come_back_in_no_time(storage: Storage) -> None:
    stages = pipeline(storage, 2000)
    run(storage, worker(storage), Dead("failed"))
    began = time.monotonic()
    storage.requeue(by_seq(stages[0]))
    assert time.monotonic() - began < 10
    assert storage.count(Selector(states=(State.BLOCKED,))) == 1999


@pytest.mark.parametrize("shape", ["line", "fan"])
def test_however_many_follow_a_stage_that_died_all_of_them_are_revoked(
    storage: Storage, shape: str
) -> None:
    """An engine may leave some of them to its janitor."""
    line = [Edge(place, place + 1) for place in range(2499)]
    fan = [Edge(0, place) for place in range(1, 2500)]
    edges = line if shape == "line" else fan
    first, *_ = storage.enqueue([new() for _ in range(2500)], Plan(edges))
    run(storage, worker(storage), Dead("failed"))

    assert storage.recover() == []

    assert storage.count(Selector(states=(State.REVOKED,))) == 2499
    storage.requeue(by_seq(first))
    assert storage.count(Selector(states=(State.BLOCKED,))) == 2499


def test_stages_lists_all_that_hangs_together(storage: Storage) -> None:
    everything = fan(storage)
    alone = storage.enqueue([new()])[0]
    for seq in everything:
        assert [job.seq for job in storage.stages(seq)] == everything
    assert [job.seq for job in storage.stages(alone.seq)] == [alone.seq]
    assert len(storage.stages(everything[2], 2)) == 2


# --- handlers -------------------------------------------------------------------------------------


def handled(storage: Storage, handler: str = HANDLER, **fields: object) -> int:
    jobs = [new("handled", id=f"handled-{storage.count(Selector())}", **fields)]
    return storage.enqueue(jobs, Plan(handlers={0: handler}))[0].seq


def handlers(storage: Storage) -> list[int]:
    return [job.seq for job in storage.jobs(Selector(task="handler"))]


def test_a_handler_is_born_with_the_ending_that_needs_it(storage: Storage, lab: Lab) -> None:
    seq = handled(storage)
    number = worker(storage)
    assert storage.is_handled(seq) and not storage.is_handled(seq + 1)
    claim = one(storage, number)
    before = lab.commits()

    answer = storage.exchange(
        number, [ended(claim, Dead("failed", FAILURE, b"error", b"cause"))], Want(1)
    )

    assert lab.commits() == before + 1
    (called,) = answer.claims
    assert (called.task, called.payload, called.inputs) == ("handler", b"call", 1)
    (given,) = storage.inputs(called.seq)
    assert given[:4] == (None, row(storage, seq).id, "dead", b"cause")
    assert given.error is not None and given.error["message"] == "no"


@pytest.mark.parametrize(
    "ending", [Done(b"1"), Revoked("canceled", b"error"), Expired(), Revoked()]
)
def test_who_has_not_failed_calls_nobody(storage: Storage, ending: Done) -> None:
    handled(storage)
    run(storage, worker(storage), ending)
    assert handlers(storage) == []


def test_a_job_that_cancelled_itself_calls_its_handler(storage: Storage) -> None:
    handled(storage)
    run(storage, worker(storage), Revoked("canceled", b"error", cause=b"cause"))
    assert len(handlers(storage)) == 1


def test_a_job_that_crashed_too_often_calls_its_handler(storage: Storage, lab: Lab) -> None:
    seq = handled(storage, max_crashes=1)
    number = worker(storage)
    claim = one(storage, number)
    storage.slots(number).start(0, claim.seq, claim.claim)
    lab.bury(number)

    assert state(storage, seq) is State.DEAD
    (called,) = handlers(storage)
    (given,) = storage.inputs(called)
    assert given.result is None and given.error is not None
    assert given.error["type"] == "Crashed"


def test_a_crash_to_death_follows_the_edges_as_well(storage: Storage, lab: Lab) -> None:
    first, second = pipeline(storage, 2, max_crashes=1)
    members, callback = chord(storage, 1, max_crashes=1)
    number = worker(storage)
    for slot, claim in enumerate(take(storage, number, 9)):
        storage.slots(number).start(slot, claim.seq, claim.claim)
    lab.bury(number)

    assert [state(storage, job) for job in (first, *members)] == ["dead", "dead"]
    assert row(storage, second).reason == "upstream"
    assert state(storage, callback) is State.PENDING


def test_each_death_calls_the_handler_anew_and_a_purge_forgets_it(
    storage: Storage, lab: Lab
) -> None:
    seq = handled(storage)
    number = worker(storage)
    run(storage, number, Dead("failed"))
    storage.requeue(by_seq(seq))
    run(storage, number), run(storage, number, Dead("failed"))
    assert len(handlers(storage)) == 2
    run(storage, number)

    storage.purge(Selector())
    assert (lab.count("handlers"), lab.count("inputs")) == (0, 0)


def test_a_handler_that_was_called_is_shown_with_the_job_that_called_it(
    storage: Storage,
) -> None:
    seq = handled(storage)
    run(storage, worker(storage), Dead("failed"))
    (called,) = handlers(storage)
    assert [job.seq for job in storage.stages(seq)] == [seq, called]
    assert [job.seq for job in storage.stages(called)] == [seq, called]


def test_a_handler_whose_id_is_taken_gets_another(storage: Storage, lab: Lab) -> None:
    seq = handled(storage)
    number = worker(storage)
    run(storage, number, Dead("failed"))
    (called,) = handlers(storage)
    taken = row(storage, called).id
    storage.purge(by_seq(seq))
    storage.revoke(by_seq(called)), storage.purge(by_seq(called))
    storage.enqueue([new("somebody", id=taken)])

    # The same job once more, as after a restored backup.
    (again,) = storage.enqueue([new("handled", id="handled-0")], Plan(handlers={0: HANDLER}))
    lab.renumber(again.seq, seq)
    run(storage, number)
    run(storage, number, Dead("failed"))
    assert len(handlers(storage)) == 1
    assert storage.count(Selector(task="somebody")) == 1


def test_a_handler_may_be_a_plan_of_its_own(storage: Storage, clock: Clock) -> None:
    clock.freeze(NOW)
    second = pack([new("second")], Plan())
    plan = Plan([Edge(0, 1)], {0: 10, 1: 20}, {0: 60}, {0: second})
    handled(storage, pack([new("handler"), new("after")], plan))
    number = worker(storage)
    run(storage, number, Dead("failed"))

    first, after = (storage.jobs(Selector(task=task))[0] for task in ("handler", "after"))
    assert (first.state, first.run_at, first.expires_at) == ("scheduled", NOW + 10, NOW + 70)
    assert (after.state, after.delay) == ("blocked", 20)
    clock.jump(10)
    storage.promote()
    run(storage, number, Dead("failed", FAILURE))
    assert storage.count(Selector(task="second")) == 1


def test_a_handler_that_no_row_can_hold_is_refused_when_it_is_packed() -> None:
    for wrong in ({"retries": -1}, {"retry_delay": -1}, {"priority": "high"}):
        with pytest.raises(ValueError, match="handler"):
            pack([new("handler", **wrong)], Plan())


# --- moving ---------------------------------------------------------------------------------------


def moved(storage: Storage, callback: Enqueued, **how: bool) -> Job:
    """The job once more, as when it was moved."""
    (cargo,) = storage.export(by_seq(callback))
    copy = cargo._replace(job=cargo.job._replace(id="copy"))
    (loaded,) = storage.load([copy], **how)
    return row(storage, loaded.job.seq)


def test_a_stage_brings_along_what_it_was_given(storage: Storage) -> None:
    members, callback = chord(storage, 3)
    number = worker(storage)
    run(storage, number, Done(b"1")), run(storage, number, Done())
    run(storage, number, Dead("failed", FAILURE, b"error"))
    run(storage, number, Dead("failed"))
    given = storage.inputs(callback.seq)

    copy = moved(storage, callback, pending=True)
    assert (copy.state, copy.inputs, copy.waits) == ("pending", 3, 0)
    assert storage.inputs(copy.seq) == given
    assert len(members) == 3
    assert storage.export(by_seq(copy.seq))[0].inputs == given


@pytest.mark.parametrize("pending", [False, True])
def test_a_stage_that_did_not_get_everything_comes_in_revoked(
    storage: Storage, pending: bool
) -> None:
    _, second = pipeline(storage, 2)

    copy = moved(storage, second, pending=pending)
    assert (copy.state, copy.reason, copy.waits) == ("revoked", "upstream", 0)
    changed = storage.requeue(by_seq(copy.seq))
    assert [why for _, why in changed.failed] == ["a result that it needs was purged"]


def test_a_flush_leaves_nothing_of_stages(storage: Storage, lab: Lab) -> None:
    fan(storage)
    handled(storage)
    run(storage, worker(storage)), run(storage, 1, Dead("failed"))
    storage.flush()
    assert storage.count(Selector()) == 0
    assert (lab.payloads(), lab.results()) == ({}, {})
    assert (lab.count("handlers"), lab.count("inputs")) == (0, 0)
