"""exchange: what is claimed, in which order, by whom, and what holds jobs back."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from hueycore.model.endings import Dead, Done, Ending, Expired, Released, Retry, Snoozed
from hueycore.model.jobs import Claim, Selector, Want
from hueycore.model.limits import Limit
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
    run,
    state,
    take,
    tasks,
    worker,
)
from tests.storage.lab import Lab

# --- the claim ------------------------------------------------------------------------------------


def test_a_claim_carries_the_whole_job(storage: Storage, clock: Clock) -> None:
    now = clock.freeze()
    job = new(
        "mail.send", b"bytes", priority=4.0, expires_at=now + 9, scheduled_for=now - 1, retries=3,
        retry_delay=1.5, retry_backoff=2.0, timeout=9.0, at_most_once=True, result_ttl=60.0,
    )  # fmt: skip
    (answer,) = storage.enqueue([job])

    claim = one(storage, worker(storage))

    assert claim == (
        answer.seq, 1, job.id, "mail.send", b"bytes", 1, 3, 1.5, 2.0, 4.0, now, now + 9,
        now - 1, 9.0, 0, 3, True, None, None, 0,
    )  # fmt: skip


def test_a_claimed_job_is_running_and_held_by_its_worker(storage: Storage, clock: Clock) -> None:
    now = clock.freeze()
    job = born(storage)
    number = worker(storage)

    one(storage, number)

    found = row(storage, job)
    assert (found.state, found.worker, found.claimed_at) == (State.RUNNING, number, now)
    assert (found.attempt, found.claim, found.started_at) == (1, 1, None)


def test_a_job_is_claimed_once(storage: Storage) -> None:
    storage.enqueue([new() for _ in range(3)])
    first, second = worker(storage), worker(storage)

    claims = [*take(storage, first, 2), *take(storage, second, 5), *take(storage, first, 5)]

    assert len({claim.seq for claim in claims}) == len(claims) == 3


def test_an_empty_queue_has_nothing(storage: Storage) -> None:
    assert storage.exchange(worker(storage), [], Want(5)) == ([], [], [], [], None, [], [])


def test_who_wants_nothing_gets_nothing(storage: Storage) -> None:
    job = born(storage)

    assert storage.exchange(worker(storage), [], Want(0)).claims == []
    assert storage.exchange(worker(storage), [], Want(0, {"task": 9})).claims == []
    assert state(storage, job) is State.PENDING


def test_an_exchange_without_anything_to_do_writes_nothing(storage: Storage, lab: Lab) -> None:
    born(storage, run_at=4e9)
    number = worker(storage)
    before = lab.commits()

    storage.exchange(number, [], Want(8))

    assert lab.commits() == before


# --- order ----------------------------------------------------------------------------------------


def test_priority_goes_before_readiness_before_number(storage: Storage, clock: Clock) -> None:
    now = clock.freeze(1e9)
    chosen = random.Random(7)
    jobs = []
    for n in range(200):
        clock.freeze(now + chosen.choice([0, 1, 2]))
        priority = chosen.choice([-1, 0, 0.5, 10])
        jobs.append((-priority, clock.now(), n, born(storage, f"t{n}", priority=priority)))

    claims = take(storage, worker(storage), 500)

    assert tasks(claims) == [f"t{n}" for _, _, n, _ in sorted(jobs)]


def test_a_promoted_job_keeps_its_place_by_the_time_it_was_due(
    storage: Storage, clock: Clock
) -> None:
    now = clock.freeze(1e9)
    born(storage, "due-third", run_at=now + 30)
    born(storage, "due-first", run_at=now + 10)
    clock.jump(20)
    born(storage, "second")
    clock.jump(20)

    storage.promote()

    assert tasks(take(storage, worker(storage), 9)) == ["due-first", "second", "due-third"]


def test_a_retry_goes_to_the_back_of_its_priority(storage: Storage, clock: Clock) -> None:
    clock.freeze(1e9)
    born(storage, "failing", retries=50)
    clock.jump(1)
    storage.enqueue([new(f"good-{n}") for n in range(5)])
    number, order = worker(storage), []
    for _ in range(6):
        clock.jump(1)
        claim = one(storage, number)
        order.append(claim.task)
        failing = claim.task == "failing"
        end(storage, number, claim, Retry(None, 49, 0) if failing else Done())

    assert order == ["failing", *(f"good-{n}" for n in range(5))]


def test_a_released_job_keeps_its_place(storage: Storage) -> None:
    storage.enqueue([new("first"), new("second")])
    number = worker(storage)

    end(storage, number, one(storage, number), Released(), started=False)

    assert tasks(take(storage, number, 2)) == ["first", "second"]


def test_only_claims_the_job_that_is_asked_for(storage: Storage) -> None:
    _, second, _ = storage.enqueue([new(), new(), new()])
    number = worker(storage)

    assert [c.seq for c in take(storage, number, 5, only=second.seq)] == [second.seq]
    assert take(storage, number, 5, only=second.seq) == []


# --- group sizes ----------------------------------------------------------------------------------


def test_unknown_tasks_are_claimed_for_free_workers_alone(storage: Storage) -> None:
    storage.enqueue([new("slow") for _ in range(10)])

    assert len(take(storage, worker(storage), 3)) == 3


def test_quick_tasks_are_claimed_in_groups(storage: Storage) -> None:
    storage.enqueue([new("quick") for _ in range(100)])

    assert len(take(storage, worker(storage), 1, quick={"quick": 64})) == 64


def test_a_group_ends_where_a_slow_job_has_no_worker(storage: Storage) -> None:
    names = ["quick", "slow", "quick", "slow", "quick"]
    storage.enqueue([new(name) for name in names])

    claims = take(storage, worker(storage), 1, quick={"quick": 64})

    # The second slow job has no worker; the quick one behind it must not overtake it.
    assert tasks(claims) == ["quick"]
    assert state(storage, claims[0].seq + 1) is State.PENDING


def test_a_slow_job_is_never_queued_behind_more_runs_than_there_are_workers(
    storage: Storage,
) -> None:
    storage.enqueue([*(new("quick") for _ in range(10)), new("slow"), new("quick")])

    assert tasks(take(storage, worker(storage), 2, quick={"quick": 64})) == ["quick"] * 10


def test_each_quick_task_has_its_own_group_size(storage: Storage) -> None:
    storage.enqueue([new("tiny"), new("small"), *(new("tiny") for _ in range(20))])

    claims = take(storage, worker(storage), 1, quick={"tiny": 12, "small": 2})

    assert tasks(claims) == ["tiny", "small", *["tiny"] * 10]


# --- fences ---------------------------------------------------------------------------------------


def lose(lab: Lab, *claims: Claim) -> None:
    """As recovery does: runs go back, while their worker still believes it has them."""
    seqs = (claim.seq for claim in claims)
    lab.set(*seqs, state=State.PENDING, worker=None, claimed_at=None)


ENDINGS: list[Ending] = [
    Done(b"zombie"),
    Done(),
    Retry(None, 1, 0, FAILURE),
    Dead("failed", FAILURE, b"zombie"),
    Snoozed(4e9, FAILURE),
    Released(),
    Expired(b"zombie"),
]


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda ending: type(ending).__name__)
def test_the_ending_of_a_lost_claim_changes_nothing(
    storage: Storage, lab: Lab, ending: Ending, clock: Clock
) -> None:
    clock.freeze()
    job = born(storage)
    zombie, heir = worker(storage), worker(storage)
    old = one(storage, zombie)
    lose(lab, old)
    before = lab.snapshot()

    refused = end(storage, zombie, old, ending)

    assert refused.lost == [ended(old, ending)]
    assert lab.snapshot() == before

    claim = one(storage, heir)
    assert claim.claim == 2
    before = lab.snapshot()
    assert end(storage, zombie, old, ending).lost == [ended(old, ending)]
    assert lab.snapshot() == before

    assert end(storage, heir, claim, Done(b"heir")).lost == []
    assert end(storage, zombie, old, ending).lost == [ended(old, ending)]
    found = storage.result(job.id, preserve=True)
    assert found is not None and (found.state, found.result) == (State.DONE, b"heir")


def test_the_attempt_is_not_the_claim_number(storage: Storage) -> None:
    """A release takes back the attempt and never the claim, or a zombie could end the next run."""
    born(storage)
    number = worker(storage)
    first = one(storage, number)
    end(storage, number, first, Released(), started=False)
    second = one(storage, number)

    assert (first.attempt, second.attempt) == (1, 1)
    assert (first.claim, second.claim) == (1, 2)
    assert end(storage, number, first, Done(b"zombie")).lost
    assert state(storage, second) is State.RUNNING


def test_a_done_that_is_sent_again_after_its_commit_is_not_lost(storage: Storage) -> None:
    """As the feed does when the answer to a commit was an error and the commit stood."""
    job = born(storage)
    number = worker(storage)
    claim = one(storage, number)
    end(storage, number, claim, Done(b"x"))

    assert end(storage, number, claim, Done(b"x")).lost == []
    found = storage.result(job.id, preserve=True)
    assert found is not None and found.result == b"x"


def test_a_lost_ending_does_not_hinder_its_neighbours(storage: Storage, lab: Lab) -> None:
    storage.enqueue([new(f"t{n}") for n in range(6)])
    zombie, heir = worker(storage), worker(storage)
    old = take(storage, zombie, 3)
    lose(lab, *old)
    fresh = take(storage, heir, 6)
    endings = [
        ended(old[0], Done(b"zombie")), ended(fresh[0], Done(b"a")), ended(old[1], Dead("failed")),
        ended(fresh[1], Dead("failed", FAILURE)), ended(fresh[2], Done()), ended(fresh[3], Done()),
    ]  # fmt: skip

    answer = storage.exchange(heir, endings, Want(0))

    assert {lost.claim[:2] for lost in answer.lost} == {claim[:2] for claim in old[:2]}
    assert [state(storage, claim) for claim in fresh] == [
        *(State.DONE, State.DEAD, State.DONE, State.DONE, State.RUNNING, State.RUNNING)
    ]


def test_lost_endings_do_not_hinder_hundreds_that_are_written_with_them(
    storage: Storage,
    lab: Lab,
) -> None:
    storage.enqueue([new(f"t{n}") for n in range(150)])
    zombie, heir = worker(storage), worker(storage)
    old = take(storage, zombie, 150)
    lose(lab, *old)
    fresh = take(storage, heir, 150)
    lost = (5, 140)
    endings = [
        ended((old if number in lost else fresh)[number], Done(b"%d" % number))
        for number in range(150)
    ]

    answer = storage.exchange(heir, endings, Want(0))

    assert [ended.claim for ended in answer.lost] == [old[number] for number in lost]
    for number, claim in enumerate(fresh):
        found = storage.result(claim.id, preserve=True)
        assert found is not None
        if number in lost:
            assert (found.state, found.result) == (State.RUNNING, None)
        else:
            assert (found.state, found.result) == (State.DONE, b"%d" % number)


def test_endings_and_claims_commit_together(storage: Storage, lab: Lab) -> None:
    storage.enqueue([new(), new()])
    number = worker(storage)
    claim = one(storage, number)
    before = lab.commits()

    answer = storage.exchange(number, [ended(claim)], Want(1))

    assert lab.commits() == before + 1
    assert state(storage, claim) is State.DONE
    assert [c.seq for c in answer.claims] == [claim.seq + 1]


def test_a_job_that_ends_in_a_retry_can_be_claimed_by_the_same_exchange(
    storage: Storage,
) -> None:
    born(storage, retries=1)
    number = worker(storage)
    claim = one(storage, number)

    answer = storage.exchange(number, [ended(claim, Retry(None, 0, 0))], Want(1))

    assert [c[:2] for c in answer.claims] == [(claim.seq, 2)]
    assert answer.claims[0].attempt == 2


# --- suspects -------------------------------------------------------------------------------------


def test_a_job_that_crashed_a_process_is_claimed_alone(storage: Storage, lab: Lab) -> None:
    jobs = storage.enqueue([new("quick") for _ in range(4)])
    lab.set(jobs[1].seq, crashes=1)
    number = worker(storage)

    groups = [take(storage, number, 8, quick={"quick": 64}) for _ in range(4)]

    assert [[c.seq - jobs[0].seq for c in group] for group in groups] == [[0], [1], [2, 3], []]


def test_suspects_wait_while_another_suspect_runs(storage: Storage, lab: Lab) -> None:
    jobs = storage.enqueue([new() for _ in range(3)])
    lab.set(jobs[0].seq, crashes=1)

    claims = take(storage, worker(storage), 8, suspects=False)

    assert [c.seq for c in claims] == [jobs[1].seq, jobs[2].seq]
    assert state(storage, jobs[0]) is State.PENDING


def test_a_job_that_the_next_crash_would_kill_can_be_left_out_alone(
    storage: Storage,
    lab: Lab,
) -> None:
    jobs = storage.enqueue([new(max_crashes=3) for _ in range(2)])
    lab.set(jobs[0].seq, crashes=2)
    lab.set(jobs[1].seq, crashes=1)
    number = worker(storage)

    first = take(storage, number, 8, last_chance=False)
    then = take(storage, number, 8)

    assert [(c.seq, c.last_chance) for c in first] == [(jobs[1].seq, False)]
    assert [(c.seq, c.last_chance) for c in then] == [(jobs[0].seq, True)]


# --- at most once ---------------------------------------------------------------------------------


def test_an_at_most_once_job_is_claimed_in_a_synced_transaction_of_its_own(
    storage: Storage,
) -> None:
    storage.enqueue([new("plain"), new("once", at_most_once=True), new("plain")])
    number = worker(storage)

    groups = [tasks(take(storage, number, 8)) for _ in range(2)]

    assert groups == [["plain"], ["once", "plain"]]


def test_endings_are_written_before_the_synced_claim_that_comes_with_them(
    storage: Storage,
) -> None:
    storage.enqueue([new("plain"), new("once", at_most_once=True)])
    number = worker(storage)
    claim = one(storage, number)

    answer = storage.exchange(number, [ended(claim)], Want(4))

    assert tasks(answer.claims) == ["once"]
    assert state(storage, claim) is State.DONE


# --- what holds jobs back -------------------------------------------------------------------------


def test_a_paused_queue_gives_nothing_until_it_is_resumed(storage: Storage) -> None:
    job = born(storage)
    number = worker(storage)

    storage.pause(by="me", reason="deploy")

    assert take(storage, number) == []
    assert state(storage, job) is State.PENDING
    (queue,) = storage.queues()
    assert (queue.paused_by, queue.pause_reason, queue.paused_until) == ("me", "deploy", None)
    assert storage.resume() and not storage.resume()
    assert take(storage, number)


def test_endings_are_written_while_the_queue_is_paused(storage: Storage) -> None:
    storage.enqueue([new(), new()])
    number = worker(storage)
    claim = one(storage, number)
    storage.pause()

    answer = storage.exchange(number, [ended(claim)], Want(1))

    assert answer == ([], [], [], [], None, [], [])
    assert state(storage, claim) is State.DONE


def test_a_pause_ends_at_its_time(storage: Storage, clock: Clock) -> None:
    now = clock.freeze()
    storage.enqueue([new("held"), new("free")])
    number = worker(storage)
    storage.pause(until=now + 10)
    storage.pause(task="held", until=now + 20)

    assert take(storage, number, 9) == []
    clock.jump(11)
    assert tasks(take(storage, number, 9)) == ["free"]
    clock.jump(10)
    assert tasks(take(storage, number, 9)) == ["held"]


def test_a_paused_task_is_stepped_over(storage: Storage) -> None:
    storage.enqueue([new("held"), new("free"), new("held")])
    number = worker(storage)
    storage.pause(task="held")

    assert tasks(take(storage, number, 9)) == ["free"]
    assert storage.resume(task="held") and not storage.resume(task="held")
    assert tasks(take(storage, number, 9)) == ["held", "held"]


def test_many_jobs_of_a_paused_task_hide_none_of_another(storage: Storage) -> None:
    storage.declare_limits([Limit("keyed", "k", 1)])
    storage.enqueue([new("keyed", key_name="k"), new("keyed", key_name="k")])
    held = [storage.enqueue([new("held") for _ in range(130)])[-1] for _ in range(2)]
    storage.enqueue([new("free"), new("late", priority=-2)])
    number = worker(storage)
    storage.pause(task="held")

    (first,) = take(storage, number)
    assert tasks([first, *take(storage, number, 2)]) == ["keyed", "free", "late"]
    end(storage, number, first)
    storage.enqueue([new("urgent", priority=1)])
    assert tasks(take(storage, number, 9)) == ["urgent", "keyed"]
    # The last of them is last no more.
    storage.reschedule(Selector(keys=(held[1].id,)), priority=-1)
    born(storage)
    assert tasks(take(storage, number, 9)) == ["task"]
    assert storage.resume(task="held")
    assert take(storage, number)[0].seq == held[0].seq - 129
    storage.pause(task="held")
    born(storage)
    assert tasks(take(storage, number, 9)) == ["task"]
    storage.resume(task="held")
    assert tasks(take(storage, number, 999)) == ["held"] * 259


def test_a_pause_that_ends_by_itself_lets_many_jobs_go(storage: Storage, clock: Clock) -> None:
    now = clock.freeze()
    storage.enqueue([new("held") for _ in range(130)])
    number = worker(storage)
    storage.pause(task="held", until=now + 10)
    assert take(storage, number, 9) == []

    clock.jump(11)

    assert len(take(storage, number, 999)) == 130


def test_a_revoked_task_is_revoked_when_its_turn_comes(storage: Storage) -> None:
    storage.enqueue([new("bad"), new("good"), new("bad")])
    number = worker(storage)
    storage.set_revocation("revoked-task", "bad")

    answer = storage.exchange(number, [], Want(9))

    assert tasks(answer.claims) == ["good"]
    assert [ref.task for ref in answer.revoked] == ["bad", "bad"]
    found = row(storage, answer.revoked[0].seq)
    assert (found.state, found.reason, found.attempt, found.claim) == (
        State.REVOKED, "revoked", 0, 0,
    )  # fmt: skip
    assert storage.revocation("revoked-task", "bad") is not None


def test_once_revokes_a_single_run(storage: Storage) -> None:
    storage.enqueue([new("bad"), new("bad")])
    storage.set_revocation("revoked-task", "bad", once=True)

    answer = storage.exchange(worker(storage), [], Want(9))

    assert len(answer.revoked) == len(answer.claims) == 1
    assert storage.revocation("revoked-task", "bad") is None


def test_a_revocation_lasts_until_its_time(storage: Storage, clock: Clock) -> None:
    now = clock.freeze()
    storage.enqueue([new("bad"), new("bad")])
    number = worker(storage)
    storage.set_revocation("revoked-task", "bad", until=now + 10)

    assert len(storage.exchange(number, [], Want(1)).revoked) == 2
    born(storage, "bad")
    clock.jump(11)
    assert tasks(take(storage, number, 9)) == ["bad"]


def test_a_revoked_id_is_revoked_when_the_job_comes(storage: Storage) -> None:
    job = new()
    storage.set_revocation("revoked-id", job.id)
    storage.enqueue([job, new("other")])

    answer = storage.exchange(worker(storage), [], Want(9))

    assert [ref.id for ref in answer.revoked] == [job.id]
    assert tasks(answer.claims) == ["other"]
    assert storage.revocation("revoked-id", job.id) is None


def test_an_expired_job_never_starts(storage: Storage, clock: Clock) -> None:
    now = clock.freeze()
    late, good = storage.enqueue([new(expires_at=now + 5), new(expires_at=now + 50)])
    clock.jump(5)

    answer = storage.exchange(worker(storage), [], Want(9))

    assert [ref.seq for ref in answer.expired] == [late.seq]
    assert [claim.seq for claim in answer.claims] == [good.seq]
    found = row(storage, late)
    assert (found.state, found.reason, found.attempt, found.finished_at) == (
        State.EXPIRED, None, 0, now + 5,
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["expired", "revoked"])
def test_a_thousand_jobs_that_must_not_run_do_not_hide_the_one_that_must(
    storage: Storage, clock: Clock, kind: str
) -> None:
    now = clock.freeze()
    storage.enqueue([new("bad", expires_at=now + 1) for _ in range(1200)])
    clock.jump(0.5)
    born(storage, "good")
    if kind == "expired":
        clock.jump(1)
    else:
        storage.set_revocation("revoked-task", "bad")
    number, cleared = worker(storage), 0

    for _ in range(3):
        answer = storage.exchange(number, [], Want(1))
        cleared += len(answer.expired) + len(answer.revoked)

    assert cleared == 1200
    assert tasks(answer.claims) == ["good"]


def test_a_queue_claims_its_own_jobs_alone(make_shared: Maker) -> None:
    ours, theirs = make_shared("ours"), make_shared("theirs")
    born(ours), born(theirs, priority=100)
    theirs.pause()
    theirs.set_revocation("revoked-task", "task")
    ours_worker = worker(ours)

    assert [c.id for c in take(ours, ours_worker, 9)] == [
        ours.jobs(Selector(queues=("ours",)))[0].id
    ]
    assert ours.count(Selector(queues=("theirs",), states=(State.PENDING,))) == 1


def test_threads_claim_every_job_once(storage: Storage) -> None:
    storage.enqueue([new() for _ in range(600)])
    number = worker(storage)

    def consume(_: int) -> list[int]:
        mine: list[int] = []
        while claims := take(storage, number, 3):
            storage.exchange(number, [ended(claim) for claim in claims], Want(0))
            mine += [claim.seq for claim in claims]
        return mine

    with ThreadPoolExecutor(6) as pool:
        runs = [seq for mine in pool.map(consume, range(6)) for seq in mine]

    assert len(runs) == len(set(runs)) == 600
    assert storage.count(Selector(states=(State.DONE,))) == 600


def test_claim_numbers_of_a_job_only_grow(storage: Storage) -> None:
    job = born(storage)
    number = worker(storage)
    seen = []
    for ending in (Released(), Retry(None, 0, 0), Snoozed(0.0), Done()):
        storage.promote()
        seen.append(run(storage, number, ending).claim)
    storage.requeue(by_seq(job))
    seen.append(run(storage, number).claim)

    assert seen == [1, 2, 3, 4, 5]
    assert all(before < after for before, after in pairwise(seen))


# --- bytes ----------------------------------------------------------------------------------------


def test_a_group_is_bounded_by_the_bytes_of_its_arguments(storage: Storage) -> None:
    storage.enqueue([new(f"t{n}", bytes(1000)) for n in range(5)])
    number = worker(storage)

    first = storage.exchange(number, [], Want(5, bytes=2500))
    rest = storage.exchange(number, [], Want(5, bytes=3000))

    assert (tasks(first.claims), first.held) == (["t0", "t1"], "bytes")
    assert (tasks(rest.claims), rest.held) == (["t2", "t3", "t4"], None)


def test_a_job_larger_than_a_group_may_be_is_a_group_of_its_own(storage: Storage) -> None:
    storage.enqueue([new(f"t{n}", bytes(1000)) for n in range(2)])
    number = worker(storage)

    assert tasks(take(storage, number, 5, bytes=10)) == ["t0"]
    assert tasks(take(storage, number, 5, bytes=0)) == ["t1"]


def test_no_group_has_more_than_sixteen_megabytes(storage: Storage) -> None:
    storage.enqueue([new("task", bytes(7_000_000)) for _ in range(3)])

    claims = take(storage, worker(storage), 3, quick={"task": 100})

    assert len(claims) == 2


def test_what_does_not_fit_into_a_group_takes_no_place_of_its_key(storage: Storage) -> None:
    storage.declare_limits([Limit("task", "key", 1)])
    storage.enqueue([new("other", bytes(1000)), new("task", bytes(1000), key_name="key")])
    number = worker(storage)

    assert tasks(take(storage, number, 5, bytes=1500)) == ["other"]
    assert tasks(take(storage, number, 5, bytes=1500)) == ["task"]
