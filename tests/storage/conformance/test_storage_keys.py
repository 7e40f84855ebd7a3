"""Keys: how many jobs of one key may run, who comes next, and that nobody is left behind."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hueycore.model.endings import Dead, Done, Ending, Released, Retry, Revoked, Snoozed
from hueycore.model.jobs import Enqueued, Selector, Want
from hueycore.model.limits import Limit
from hueycore.model.plan import Edge, Plan
from hueycore.model.states import State
from hueycore.storage.base import Storage
from tests.helpers import Clock
from tests.storage.conftest import Maker
from tests.storage.kit import (
    FAILURE,
    born,
    by_seq,
    end,
    ended,
    new,
    one,
    row,
    state,
    take,
    tasks,
    worker,
)
from tests.storage.lab import Lab


def keyed(storage: Storage, number: int, task: str = "task", **fields: object) -> list[int]:
    """Enqueue jobs of key k; their numbers."""
    jobs = [new(task, key_name="k", **fields) for _ in range(number)]
    return [one.seq for one in storage.enqueue(jobs)]


def limit(storage: Storage, at_once: int | None, task: str = "task") -> None:
    storage.declare_limits([Limit(task, "k", at_once)] if at_once else [], [task])


def states(storage: Storage) -> dict[str, int]:
    return {str(depth.state): depth.count for depth in storage.depths()}


@pytest.mark.feature("max_concurrent")
def test_no_more_jobs_of_a_key_run_than_its_limit_whoever_claims(storage: Storage) -> None:
    limit(storage, 2)
    first, second = worker(storage), worker(storage)
    seqs = keyed(storage, 5)

    assert [claim.seq for claim in take(storage, first, 1)] == seqs[:1]
    assert [claim.seq for claim in take(storage, second, 9)] == seqs[1:2]
    assert take(storage, first, 9) == []
    assert states(storage) == {"blocked": 3, "running": 2}


def test_the_answer_of_an_enqueue_says_who_waits(storage: Storage) -> None:
    limit(storage, 2)

    answers = storage.enqueue([new(key_name="k") for _ in range(3)])

    assert [one.state for one in answers] == [State.PENDING, State.PENDING, State.BLOCKED]


def test_an_ending_and_the_promotion_that_follows_are_one_transaction(
    storage: Storage,
) -> None:
    limit(storage, 1)
    number = worker(storage)
    seqs = keyed(storage, 3)
    claim = one(storage, number)

    got = storage.exchange(number, [ended(claim)], Want(4))

    assert [claim.seq for claim in got.claims] == [seqs[1]]


#: By worker and number of the job.
Way = Callable[[Storage, Lab, int, int], object]


def ending(kind: Ending) -> Way:
    return lambda s, _, number, seq: end(s, number, one(s, number), kind)


#: Every way in which a row can leave running or pending.
WAYS: dict[str, Way] = {
    "done": ending(Done(b"x")),
    "dead": ending(Dead("failed", FAILURE)),
    "retry later": ending(Retry(4e9, 1, 0, FAILURE)),
    "snoozed": ending(Snoozed(4e9)),
    "revoked in the run": ending(Revoked()),
    "revoked": lambda s, lab, number, seq: s.revoke(by_seq(seq)),
    "rescheduled": lambda s, lab, number, seq: s.reschedule(by_seq(seq), run_at=4e9),
    "paused": lambda s, lab, number, seq: s.pause(task="task"),
    "the worker left": lambda s, lab, number, seq: (
        one(s, number), s.revoke(by_seq(seq)), s.unregister(number),
    ),
    "the worker died": lambda s, lab, number, seq: (
        one(s, number), s.revoke(by_seq(seq)), lab.bury(number),
    ),
    "replaced": lambda s, lab, number, seq: s.load(
        [one._replace(job=one.job._replace(key_name=None)) for one in s.export(by_seq(seq))],
        if_exists="replace",
    ),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_whoever_leaves_gives_his_slot_to_the_next(storage: Storage, lab: Lab, way: str) -> None:
    limit(storage, 1)
    limit(storage, 1, "other")
    number = worker(storage)
    (first,) = keyed(storage, 1, retries=3)
    (second,) = keyed(storage, 1, "other")
    assert state(storage, second) is State.BLOCKED

    WAYS[way](storage, lab, number, first)

    assert state(storage, second) is State.PENDING


def test_an_expired_job_gives_its_slot_away(storage: Storage, clock: Clock) -> None:
    now = clock.freeze()
    limit(storage, 1)
    (first,) = keyed(storage, 1, expires_at=now + 5)
    second, third = keyed(storage, 2)
    clock.jump(6)

    storage.expire()

    assert [state(storage, seq) for seq in (first, second, third)] == [
        State.EXPIRED, State.PENDING, State.BLOCKED,
    ]  # fmt: skip


def test_an_exchange_that_finds_a_job_expired_or_revoked_gives_its_slot_away(
    storage: Storage, clock: Clock
) -> None:
    now = clock.freeze()
    limit(storage, 1)
    storage.set_revocation("revoked-task", "gone")
    keyed(storage, 1, "gone", priority=2)
    limit(storage, 1, "gone")
    keyed(storage, 1, expires_at=now + 5)
    (last,) = keyed(storage, 1)
    clock.jump(6)
    number = worker(storage)

    seen = [claim.seq for _ in range(3) for claim in take(storage, number)]

    assert seen == [last]


def test_the_next_one_is_the_first_in_running_order(storage: Storage) -> None:
    limit(storage, 1)
    number = worker(storage)
    low, late = keyed(storage, 1, priority=-1), keyed(storage, 2)
    high = keyed(storage, 1, priority=5)

    order = []
    while claims := take(storage, number):
        order.append(claims[0].seq)
        end(storage, number, claims[0])

    assert order == [*high, *late, *low]


def test_a_job_that_is_tried_again_at_once_goes_behind_the_others(storage: Storage) -> None:
    limit(storage, 1)
    number = worker(storage)
    first, second = keyed(storage, 2, retries=5)

    end(storage, number, one(storage, number), Retry(None, 4, 0, FAILURE))

    assert (state(storage, first), state(storage, second)) == (State.BLOCKED, State.PENDING)


def test_a_job_that_is_given_back_keeps_its_place(storage: Storage) -> None:
    limit(storage, 1)
    number = worker(storage)
    first, second = keyed(storage, 2)

    end(storage, number, one(storage, number), Released(), started=False)

    assert (state(storage, first), state(storage, second)) == (State.PENDING, State.BLOCKED)


def test_scheduled_and_retrying_jobs_hold_no_slot(storage: Storage, clock: Clock) -> None:
    now = clock.freeze()
    limit(storage, 1)
    keyed(storage, 3, run_at=now + 5)
    (ready,) = keyed(storage, 1)
    assert state(storage, ready) is State.PENDING

    clock.jump(6)
    assert len(storage.promote()) == 3

    assert states(storage) == {"blocked": 3, "pending": 1}


def test_a_due_job_whose_key_is_free_is_pending(storage: Storage, clock: Clock) -> None:
    now = clock.freeze()
    limit(storage, 1)
    keyed(storage, 2, run_at=now + 5)
    clock.jump(6)

    storage.promote()

    assert states(storage) == {"pending": 1, "blocked": 1}


def test_a_later_stage_with_a_key_takes_its_turn_when_its_parent_has_delivered(
    storage: Storage,
) -> None:
    limit(storage, 1)
    number = worker(storage)
    _, child = storage.enqueue([new("parent"), new(key_name="k")], Plan([Edge(0, 1)]))
    (running,) = keyed(storage, 1)
    claim, other = take(storage, number, 2)

    end(storage, number, claim if claim.task == "parent" else other)
    assert (row(storage, child).waits, state(storage, child)) == (0, State.BLOCKED)

    end(storage, number, other if claim.task == "parent" else claim)
    assert state(storage, running) is State.DONE
    assert state(storage, child) is State.PENDING


def test_a_later_stage_runs_at_once_when_its_key_is_free(storage: Storage) -> None:
    limit(storage, 1)
    number = worker(storage)
    _, child = storage.enqueue([new("parent"), new(key_name="k")], Plan([Edge(0, 1)]))

    end(storage, number, one(storage, number))

    assert state(storage, child) is State.PENDING


def test_a_dead_job_that_is_tried_again_waits_for_its_key(storage: Storage) -> None:
    limit(storage, 1)
    number = worker(storage)
    first, second = keyed(storage, 2)
    end(storage, number, one(storage, number), Dead("failed", FAILURE))
    claim = one(storage, number)

    storage.requeue(by_seq(first))
    assert (state(storage, first), state(storage, second)) == (State.BLOCKED, State.RUNNING)
    storage.revoke(by_seq(first))
    end(storage, number, claim)
    storage.requeue(by_seq(first))
    assert state(storage, first) is State.PENDING


def test_a_blocked_job_can_be_put_off(storage: Storage) -> None:
    limit(storage, 1)
    _, second = keyed(storage, 2)

    storage.reschedule(by_seq(second), run_at=4e9)
    assert state(storage, second) is State.SCHEDULED
    storage.reschedule(by_seq(second), run_at=1.0)
    assert state(storage, second) is State.BLOCKED


def test_jobs_that_are_loaded_wait_for_their_key(make: Maker) -> None:
    source, target = make("ours"), make("ours2")
    for storage in (source, target):
        storage.declare_limits([Limit("task", "k", 1)])
    keyed(source, 3)
    cargo = source.export(Selector(queues=("ours",)))
    moved = [
        one._replace(job=one.job._replace(queue="ours2", id=f"{one.job.id}-2")) for one in cargo
    ]

    target.load(moved)

    rows = target.jobs(Selector(queues=("ours2",)))
    assert [job.state for job in rows] == [State.PENDING, State.BLOCKED, State.BLOCKED]


def test_nothing_is_blocked_after_a_flush(storage: Storage) -> None:
    limit(storage, 1)
    keyed(storage, 2)
    storage.lock("k", worker(storage), b"token")

    storage.flush()

    assert keyed(storage, 1)
    assert states(storage) == {"pending": 1}
    assert storage.limits() == [Limit("task", "k", 1)]  # which the code has declared


def test_a_unique_job_that_is_replaced_moves_to_the_key_of_the_new_call(
    storage: Storage,
) -> None:
    limit(storage, 1)
    unique = {"unique_key": "u", "unique_until": "end", "on_conflict": "replace"}
    (first, second) = storage.enqueue([new(key_name="k", **unique), new(key_name="k")])
    assert state(storage, second) is State.BLOCKED

    (again,) = storage.enqueue([new(key_name="other", **unique)])

    assert (again.seq, again.state, row(storage, first).key_name) == (
        first.seq, State.PENDING, "other",
    )  # fmt: skip
    assert state(storage, second) is State.PENDING


# --- limits that change ---------------------------------------------------------------------------


def test_a_higher_limit_lets_jobs_go_at_once(storage: Storage) -> None:
    limit(storage, 1)
    keyed(storage, 4)

    limit(storage, 3)

    assert states(storage) == {"blocked": 1, "pending": 3}


def test_a_lower_limit_parks_what_has_not_begun(storage: Storage) -> None:
    limit(storage, 3)
    number = worker(storage)
    keyed(storage, 4)
    one(storage, number)

    limit(storage, 1)

    assert take(storage, number, 9) == []
    assert states(storage) == {"blocked": 3, "running": 1}


def test_a_group_never_takes_more_than_a_lowered_limit(storage: Storage) -> None:
    limit(storage, 3)
    keyed(storage, 3)

    limit(storage, 2)

    assert len(take(storage, worker(storage), 9)) == 2


@pytest.mark.parametrize("batches", [0, 2])
def test_a_limit_that_is_gone_strands_nobody(storage: Storage, lab: Lab, batches: int) -> None:
    limit(storage, 1)
    jobs = batches * lab.batch + 3
    keyed(storage, jobs)

    limit(storage, None)
    while storage.next_run_at():  # as the scheduler does
        storage.promote()

    assert storage.limits() == []
    assert states(storage) == {"pending": jobs}


def test_an_unchanged_declaration_writes_nothing(storage: Storage, lab: Lab) -> None:
    limit(storage, 2)
    before = lab.commits()

    limit(storage, 2)

    assert lab.commits() == before


def test_many_jobs_that_must_wait_again_are_parked_in_one_call(storage: Storage, lab: Lab) -> None:
    limit(storage, None)
    keyed(storage, 2 * lab.batch)
    last = born(storage, "free")
    number = worker(storage)
    storage.lock("k", number, b"token")

    claims = take(storage, number)

    assert [claim.seq for claim in claims] == [last.seq]
    assert states(storage) == {"blocked": 2 * lab.batch, "running": 1}


def test_tasks_that_share_a_key_have_limits_of_their_own(storage: Storage) -> None:
    limit(storage, 1, "narrow")
    limit(storage, 3, "wide")
    number = worker(storage)
    keyed(storage, 3, "wide")
    keyed(storage, 1, "narrow", priority=-1)

    claims = take(storage, number, 9)
    assert tasks(claims) == ["wide"] * 3
    for claim in claims[:2]:
        end(storage, number, claim)
    assert states(storage)["blocked"] == 1

    end(storage, number, claims[2])
    assert tasks(take(storage, number, 9)) == ["narrow"]


# --- pauses ---------------------------------------------------------------------------------------


@pytest.mark.feature("pause and resume")
def test_a_paused_task_holds_no_slot_of_a_key_that_it_shares(storage: Storage) -> None:
    limit(storage, 1, "paused")
    limit(storage, 1, "other")
    number = worker(storage)
    keyed(storage, 2, "paused", priority=9)
    keyed(storage, 1, "other")

    storage.pause(task="paused")
    (claim,) = take(storage, number, 9)
    assert claim.task == "other"
    storage.resume(task="paused")
    assert take(storage, number, 9) == []
    end(storage, number, claim)

    assert tasks(take(storage, number, 9)) == ["paused"]


def test_a_task_that_is_resumed_goes_on(storage: Storage) -> None:
    limit(storage, 1)
    number = worker(storage)
    keyed(storage, 2)
    claim = one(storage, number)
    storage.pause(task="task")
    end(storage, number, claim)
    assert states(storage) == {"blocked": 1, "done": 1}

    storage.resume(task="task")

    assert states(storage) == {"pending": 1, "done": 1}


def test_a_pause_that_ends_by_itself_strands_nobody(storage: Storage, clock: Clock) -> None:
    now = clock.freeze()
    limit(storage, 1)
    number = worker(storage)
    keyed(storage, 2)
    claim = one(storage, number)
    storage.pause(task="task", until=now + 60)
    end(storage, number, claim)
    assert states(storage) == {"blocked": 1, "done": 1}
    assert storage.next_run_at() == now + 60

    clock.jump(61)
    storage.promote()

    assert states(storage) == {"pending": 1, "done": 1}


# --- the check ------------------------------------------------------------------------------------


def test_what_a_key_blocks_without_need_is_mended(storage: Storage, lab: Lab) -> None:
    limit(storage, 1)
    (seq,) = keyed(storage, 1)
    assert storage.mend() == []
    lab.set(seq, state=State.BLOCKED)

    (found,) = storage.examine(full=True)
    assert (found.text, found.rows) == ("no key blocks a job that it has room for", (seq,))
    assert storage.mend() == ["k"]

    assert state(storage, seq) is State.PENDING
    assert (storage.mend(), storage.examine(full=True)) == ([], [])


def test_queues_have_keys_of_their_own(make: Maker) -> None:
    ours, theirs = make("ours"), make("theirs")
    for storage in (ours, theirs):
        limit(storage, 1)

    assert born(ours, key_name="k").state == born(theirs, key_name="k").state == "pending"


def test_a_key_that_needs_the_disk_and_has_no_room_stops_nobody(storage: Storage, lab: Lab) -> None:
    """at_most_once jobs are claimed in a transaction of their own."""
    limit(storage, 1)
    number = worker(storage)
    keyed(storage, 1)
    one(storage, number)
    storage.set_revocation("revoked-id", "of nobody")
    once = born(storage, at_most_once=True, key_name="k", priority=1)
    lab.set(once.seq, state=State.PENDING)
    plain = born(storage, "plain")

    assert [claim.seq for claim in take(storage, number, 2)] == [plain.seq]
    assert state(storage, once) is State.BLOCKED


def test_limits_are_forgotten_with_the_key_only_when_they_say_nothing(
    storage: Storage,
    lab: Lab,
) -> None:
    answer: list[Enqueued] = storage.enqueue([new(key_name="nobody declared this")])

    assert answer[0].state is State.PENDING
    assert lab.count("keys") == 0


def test_held_keys_say_who_has_them_how_many_wait_and_who_is_next(
    storage: Storage, clock: Clock
) -> None:
    now = clock.freeze()
    limit(storage, 2)
    first, _, _, _, last = (*keyed(storage, 4), *keyed(storage, 1, priority=-1))
    take(storage, worker(storage), 1)
    clock.jump(10)

    (key,), whole = storage.held_keys()

    assert (key.queue, key.name, key.limit) == ("huey", "k", Limit("task", "k", 2))
    assert [(job.seq, job.claimed_at) for job in key.running] == [(first, now)]
    assert (key.ready, key.behind, whole) == (1, 3, True)
    assert [job.seq for job in key.first] == [first + 2, first + 3, last]


def test_the_longest_lines_come_first_and_what_is_left_out_is_said(storage: Storage) -> None:
    storage.declare_limits([Limit("free", "idle", 1), Limit("task", None, 1)])
    for name, number in (("short", 2), ("long", 4), ("middle", 3)):
        storage.enqueue([new("task", key_name=name) for _ in range(number)])

    found = storage.held_keys()
    assert [(key.name, key.ready, key.behind) for key in found.keys] == [
        ("long", 1, 3), ("middle", 1, 2), ("short", 1, 1), ("idle", 0, 0),
    ]  # fmt: skip
    assert found.whole
    assert found.keys[3].limit == Limit("free", "idle", 1)
    few, whole = storage.held_keys(limit=2)
    assert [key.name for key in few] == ["long", "middle"] and not whole
    few, whole = storage.held_keys(most=4)
    assert sum(key.behind for key in few) <= 4 and not whole


def test_held_keys_are_those_of_every_queue(make_shared: Maker) -> None:
    ours, theirs = make_shared("ours"), make_shared("theirs")
    limit(theirs, 1)
    limit(ours, 2)
    keyed(ours, 3)
    keyed(theirs, 3)

    assert [(key.queue, key.behind, key.limit) for key in ours.held_keys().keys] == [
        ("theirs", 2, Limit("task", "k", 1)), ("ours", 1, Limit("task", "k", 2)),
    ]  # fmt: skip


def test_a_stage_that_waits_for_others_does_not_wait_for_its_key(storage: Storage) -> None:
    storage.enqueue([new("first"), new("second", key_name="k")], Plan([Edge(0, 1)]))

    assert storage.held_keys().keys == []
