"""What follows from a stage that is over, in the transaction that ended it."""

from __future__ import annotations

import pytest

from hueycore.model.endings import Dead, Done, Ending, Expired, Released, Retry, Revoked, Snoozed
from hueycore.model.jobs import Selector, Want
from hueycore.model.plan import Edge, Plan
from hueycore.model.retention import Keeping
from hueycore.model.states import State
from hueycore.storage.base import Storage
from tests.helpers import Clock
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


def test_a_stage_becomes_ready_with_the_commit_that_ends_its_parent(
    storage: Storage, lab: Lab
) -> None:
    first, second, third = pipeline(storage, 3)
    number = worker(storage)
    claim = one(storage, number)
    before = lab.commits()

    answer = storage.exchange(number, [ended(claim, Done(b"1"))], Want(1))

    assert lab.commits() == before + 1
    assert [c.seq for c in answer.claims] == [second.seq]
    assert row(storage, first).delivered
    assert (row(storage, second).waits, row(storage, third).waits) == (0, 1)
    assert (state(storage, third), answer.claims[0].next) == (State.BLOCKED, third.seq)


@pytest.mark.parametrize("ending", [Retry(None, 1, 0), Released(), Snoozed(0.0)])
def test_a_stage_that_will_run_again_delivers_nothing(storage: Storage, ending: Ending) -> None:
    first, second = pipeline(storage, 2)
    number = worker(storage)

    run(storage, number, ending)

    assert (state(storage, second), row(storage, second).waits) == (State.BLOCKED, 1)
    assert not row(storage, first).delivered


def test_a_later_run_of_a_stage_delivers_nothing_again(storage: Storage) -> None:
    first, second = pipeline(storage, 2)
    number = worker(storage)
    run(storage, number, Done(b"1"))
    run(storage, number, Done(b"2"))
    storage.requeue(by_seq(first))
    run(storage, number, Done(b"again"))

    assert (state(storage, second), row(storage, second).claim) == (State.DONE, 1)
    assert take(storage, number, 9) == []


def test_a_chord_counts_each_member_once_for_ever(storage: Storage) -> None:
    members, callback = chord(storage, 3)
    number = worker(storage)
    for _ in range(3):
        assert run(storage, number, Done(b"0")).seq == members[0].seq
        assert row(storage, callback).waits == 2
        storage.requeue(by_seq(members[0]))
        storage.reschedule(by_seq(members[0]), priority=9)

    storage.revoke(by_seq(members[0]))
    run(storage, number, Done(b"1")), run(storage, number, Done(b"2"))
    assert (row(storage, callback).waits, state(storage, callback)) == (0, State.PENDING)


@pytest.mark.parametrize(
    "ending", [Done(b"x"), Done(), Dead("failed", FAILURE, b"e"), Revoked(), Expired()]
)
def test_any_end_of_a_member_counts_for_its_chord(storage: Storage, ending: Ending) -> None:
    _, callback = chord(storage, 2)
    number = worker(storage)

    run(storage, number, ending)
    assert (state(storage, callback), row(storage, callback).waits) == (State.BLOCKED, 1)
    run(storage, number)

    assert one(storage, number).seq == callback.seq


def test_members_that_end_in_one_group_all_count(storage: Storage) -> None:
    _, callback = chord(storage, 100)
    number = worker(storage)
    claims = take(storage, number, 100)

    answer = storage.exchange(
        number,
        [ended(c, Done(b"x") if n % 3 else Dead("failed")) for n, c in enumerate(claims)],
        Want(9),
    )

    assert [claim.seq for claim in answer.claims] == [callback.seq]


@pytest.mark.parametrize("ending", [Dead("failed"), Revoked(), Expired()])
def test_a_stage_that_fails_for_good_revokes_what_waits_for_it(
    storage: Storage, ending: Ending, clock: Clock
) -> None:
    clock.freeze(NOW)
    stages = pipeline(storage, 4)
    number = worker(storage)

    run(storage, number, ending)

    for stage in stages[1:]:
        found = row(storage, stage)
        assert (found.state, found.reason, found.finished_at) == (State.REVOKED, "upstream", NOW)
        assert (found.attempt, found.claim) == (0, 0)
    assert take(storage, number, 9) == []


def test_two_thousand_stages_are_revoked_in_one_commit_or_by_a_janitor(
    storage: Storage, lab: Lab
) -> None:
    stages = pipeline(storage, 2000)
    number = worker(storage)
    claim = one(storage, number)
    before = lab.commits()

    end(storage, number, claim, Dead("failed"))

    assert lab.commits() == before + 1
    if lab.transactional:
        assert storage.count(Selector(states=(State.REVOKED,))) == 1999
    storage.recover()
    assert storage.count(Selector(states=(State.REVOKED,))) == 1999
    assert row(storage, stages[-1]).reason == "upstream"


def test_pipelines_that_break_together_break_whole(storage: Storage) -> None:
    lines = [pipeline(storage, 4) for _ in range(3)]

    storage.revoke(by_seq(*(line[0] for line in lines)))

    assert {state(storage, stage) for line in lines for stage in line} == {State.REVOKED}


def test_a_broken_pipeline_that_is_a_chords_member_counts_for_the_chord(
    storage: Storage,
) -> None:
    plan = Plan([Edge(0, 1), Edge(1, 3, 0), Edge(2, 3, 1)])
    first, second, _, callback = storage.enqueue(
        [new("first"), new("second"), new("other"), new("callback")], plan
    )
    number = worker(storage)

    run(storage, number, Dead("failed"))

    assert (state(storage, first), state(storage, second)) == (State.DEAD, State.REVOKED)
    assert row(storage, callback).waits == 1
    run(storage, number)
    assert one(storage, number).seq == callback.seq


def test_a_chord_that_dies_revokes_what_follows_it(storage: Storage) -> None:
    plan = Plan([Edge(0, 2, 0), Edge(1, 2, 1), Edge(2, 3)])
    *_, after = storage.enqueue([new("member"), new("member"), new("callback"), new("after")], plan)
    number = worker(storage)
    run(storage, number), run(storage, number)

    run(storage, number, Dead("failed"))

    assert (state(storage, after), row(storage, after).reason) == (State.REVOKED, "upstream")


@pytest.mark.parametrize("verb", ["revoke", "expire", "claim-expired", "claim-revoked"])
def test_a_waiting_stage_that_ends_without_a_run_tells_its_followers(
    storage: Storage, clock: Clock, verb: str
) -> None:
    clock.freeze(NOW)
    jobs = [new("stage-0", expires_at=NOW + 10), new("stage-1"), new("stage-2")]
    stages = storage.enqueue(jobs, Plan([Edge(0, 1), Edge(1, 2)]))
    match verb:
        case "revoke":
            storage.revoke(by_seq(stages[0]))
        case "expire":
            clock.jump(11)
            storage.expire()
        case "claim-expired":
            clock.jump(11)
            assert storage.exchange(worker(storage), [], Want(1)).expired
        case _:
            storage.set_revocation("revoked-task", "stage-0")
            assert storage.exchange(worker(storage), [], Want(1)).revoked

    assert [state(storage, stage) for stage in stages[1:]] == [State.REVOKED] * 2
    assert row(storage, stages[2]).reason == "upstream"


@pytest.mark.parametrize("verb", ["revoke", "expire"])
def test_a_waiting_member_that_ends_without_a_run_counts_for_its_chord(
    storage: Storage, clock: Clock, verb: str
) -> None:
    clock.freeze(NOW)
    jobs = [new("member", expires_at=NOW + 10), new("member"), new("callback")]
    *members, callback = storage.enqueue(jobs, Plan([Edge(0, 2, 0), Edge(1, 2, 1)]))
    if verb == "revoke":
        storage.revoke(by_seq(members[0]))
    else:
        clock.jump(11)
        storage.expire()

    assert row(storage, callback).waits == 1
    number = worker(storage)
    run(storage, number)
    assert one(storage, number).seq == callback.seq


def test_revoking_a_blocked_stage_revokes_what_waits_for_it_alone(storage: Storage) -> None:
    first, second, third = pipeline(storage, 3)

    storage.revoke(by_seq(second))

    assert [state(storage, stage) for stage in (first, second, third)] == [
        *(State.PENDING, State.REVOKED, State.REVOKED)
    ]
    number = worker(storage)
    run(storage, number, Done(b"1"))
    assert (state(storage, second), row(storage, second).waits) == (State.REVOKED, 0)
    assert (row(storage, second).reason, row(storage, third).reason) == ("revoked", "upstream")


def test_a_delay_counts_from_the_last_delivery(storage: Storage, clock: Clock) -> None:
    clock.freeze(NOW)
    _, second = storage.enqueue([new(), new()], Plan([Edge(0, 1)], delays={1: 30}))
    number = worker(storage)
    clock.jump(100)

    run(storage, number)

    assert (state(storage, second), row(storage, second).run_at) == (State.SCHEDULED, NOW + 130)
    clock.jump(30)
    assert [ref.seq for ref in storage.promote()] == [second.seq]


def test_a_stage_without_a_delay_is_ready_from_the_delivery_on(
    storage: Storage, clock: Clock
) -> None:
    clock.freeze(NOW)
    _, second = pipeline(storage, 2)
    clock.jump(100)

    run(storage, worker(storage))

    assert row(storage, second).run_at == NOW + 100


def test_a_stage_that_was_revoked_upstream_waits_again_when_it_is_requeued(
    storage: Storage,
) -> None:
    first, second = pipeline(storage, 2)
    number = worker(storage)
    run(storage, number, Dead("failed"))

    storage.requeue(by_seq(second))
    assert (state(storage, second), row(storage, second).waits) == (State.BLOCKED, 1)
    storage.requeue(by_seq(first))
    run(storage, number, Done(b"1"))

    assert one(storage, number).seq == second.seq


def test_a_result_that_a_waiting_stage_needs_is_read_and_kept(storage: Storage, lab: Lab) -> None:
    first, second = pipeline(storage, 2)
    number = worker(storage)
    run(storage, number, Done(b"1"))

    taken = storage.result(first.id, preserve=False)

    assert taken is not None and taken.result == b"1"
    again = storage.result(first.id, preserve=False)
    assert again is not None and (again.result, again.taken) == (None, True)
    assert lab.results() == {first.seq: b"1"}
    assert state(storage, second) is State.PENDING


def test_a_parent_that_a_waiting_stage_needs_is_not_purged(storage: Storage, clock: Clock) -> None:
    clock.freeze(NOW)
    first, second = pipeline(storage, 2)
    number = worker(storage)
    run(storage, number, Done(b"1"))
    storage.result(first.id, preserve=False)
    clock.jump(1000 * DAY)

    assert storage.purge(Selector()) == 0
    assert sum(storage.keep(Keeping(done_count=0)).values()) <= 1  # a line of the metrics
    assert state(storage, first) is State.DONE

    run(storage, number)
    assert storage.purge(by_seq(first)) == 1
    assert state(storage, second) is State.DONE


def test_a_follower_that_is_gone_harms_nobody(storage: Storage) -> None:
    first, second = pipeline(storage, 2)
    storage.revoke(by_seq(second))
    storage.purge(by_seq(second))
    number = worker(storage)

    run(storage, number, Done(b"1"))

    assert row(storage, first).delivered
    assert storage.purge(by_seq(first)) == 1


@pytest.mark.parametrize("slot", [None, 0], ids=["stage", "chord"])
def test_an_id_whose_result_is_needed_answers_with_that_job(
    storage: Storage, lab: Lab, slot: int | None
) -> None:
    first, _ = storage.enqueue([new(), new()], Plan([Edge(0, 1, slot)]))
    number = worker(storage)
    run(storage, number, Done(b"1"))

    (again,) = storage.enqueue([new(id=first.id)])
    assert again[:4] == (first.seq, first.id, State.DONE, False)
    assert lab.results() == {first.seq: b"1"}

    run(storage, number)
    assert storage.enqueue([new(id=first.id)])[0].fresh


def test_a_load_does_not_replace_a_stage_that_another_waits_for(storage: Storage) -> None:
    first, second = pipeline(storage, 2)
    cargo = storage.export(by_seq(first))

    (loaded,) = storage.load(cargo, if_exists="replace")

    assert loaded.outcome == "exists"
    number = worker(storage)
    run(storage, number, Done(b"1"))
    assert one(storage, number).seq == second.seq


def test_a_result_that_a_waiting_stage_needs_survives_a_requeue(storage: Storage, lab: Lab) -> None:
    first, second = pipeline(storage, 2)
    number = worker(storage)
    run(storage, number, Done(b"1"))

    storage.requeue(by_seq(first))

    assert lab.results() == {first.seq: b"1"}
    answer = storage.result(first.id, preserve=False)
    assert answer is not None and (answer.state, answer.result) == (State.PENDING, None)
    run(storage, number, Done(b"2")), run(storage, number, Done(b"3"))
    assert {state(storage, first), state(storage, second)} == {State.DONE}
    storage.requeue(by_seq(first))
    assert [*lab.results()] == [second.seq]


def test_a_stage_whose_parent_was_purged_is_not_requeued_to_wait_for_ever(
    storage: Storage,
) -> None:
    first, second = pipeline(storage, 2)
    run(storage, worker(storage), Dead("failed"))
    storage.purge(by_seq(first))

    changed = storage.requeue(by_seq(second))

    assert changed.changed == []
    assert [why for _, why in changed.failed] == ["the stage it waits for was purged"]
    assert state(storage, second) is State.REVOKED
