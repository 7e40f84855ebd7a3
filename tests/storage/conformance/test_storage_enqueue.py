"""enqueue: all jobs are durable when it returns, or none is."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from hueycore.exceptions import QueueFull, StorageError
from hueycore.model.endings import Dead, Done, Expired, Retry, Revoked
from hueycore.model.jobs import NewJob, Selector
from hueycore.model.states import FINAL, LIVE, State
from hueycore.storage.base import Storage
from hueycore.system.ids import new_id
from tests.helpers import Clock
from tests.storage.conftest import Maker
from tests.storage.kit import born, by_seq, end, new, one, row, run, state, take, tasks, worker


def test_whole_numbers_stand_beside_fractions(storage: Storage) -> None:
    given = [
        new(
            priority=number,
            retry_delay=number,
            timeout=number,
            result_ttl=number,
            expires_in=number,
        )
        for number in (1, 2.5, 3)
    ]

    found = [row(storage, answer) for answer in storage.enqueue(given)]

    for name in ("priority", "retry_delay", "timeout", "result_ttl"):
        assert [getattr(job, name) for job in found] == [1, 2.5, 3], name


def test_a_job_is_pending_at_once_and_keeps_every_field(storage: Storage) -> None:
    job = new(
        "mail.send", b"\x00\xff", preview="'to'", priority=-2.5, expires_at=4e9, scheduled_for=7.0,
        retries=3, retry_delay=1.5, retry_backoff=2.0, timeout=9.0, max_crashes=1,
        at_most_once=True, result_ttl=60.0, unique_key="key", unique_until="start",
    )  # fmt: skip

    (answer,) = storage.enqueue([job])

    assert answer[:4] == (answer.seq, job.id, State.PENDING, True)
    assert answer.enqueued_at in (None, row(storage, answer).enqueued_at)
    found = row(storage, answer)
    for name in NewJob._fields:
        if name not in ("payload", "run_at", "on_conflict"):
            assert getattr(found, name) == getattr(job, name), name
    assert (found.attempt, found.claim, found.crashes, found.waits) == (0, 0, 0, 0)
    assert found.run_at == found.enqueued_at
    assert found.taken is None and found.finished_at is None and found.errors == []
    assert storage.payload(answer.seq) == b"\x00\xff"


def test_a_job_without_options_is_stored_alike_beside_one_that_has_some(
    storage: Storage, clock: Clock
) -> None:
    clock.freeze()
    (alone,) = storage.enqueue([new("mail.send")])
    beside, _ = storage.enqueue([new("mail.send"), new("mail.send", retries=3, timeout=9.0)])

    own = {"seq": 0, "id": ""}
    assert row(storage, beside)._replace(**own) == row(storage, alone)._replace(**own)


def test_run_at_in_the_future_schedules_and_in_the_past_counts_as_now(
    storage: Storage, clock: Clock
) -> None:
    now = clock.freeze()

    later, past, same = (born(storage, run_at=now + offset) for offset in (0.001, -50, 0))

    assert (later.state, past.state, same.state) == (State.SCHEDULED, State.PENDING, State.PENDING)
    assert [row(storage, job).run_at for job in (later, past, same)] == [now + 0.001, now, now]


def test_nothing_is_nothing(storage: Storage) -> None:
    assert storage.enqueue([]) == []
    assert storage.count(Selector()) == 0


def test_numbers_grow_and_follow_the_order_of_the_call(storage: Storage) -> None:
    first = storage.enqueue([new(f"t{n}") for n in range(10)])
    second = storage.enqueue([new("last")])

    seqs = [job.seq for job in first + second]
    assert seqs == sorted(set(seqs))
    assert tasks(take(storage, worker(storage), 11)) == [*(f"t{n}" for n in range(10)), "last"]


def test_a_number_is_never_given_again(storage: Storage) -> None:
    last = born(storage)
    storage.revoke(by_seq(last))
    storage.purge(Selector())

    assert born(storage).seq > last.seq


@pytest.mark.parametrize("away", ["purge", "flush", "replace", "refuse"])
def test_a_number_is_never_given_again_however_its_job_left(storage: Storage, away: str) -> None:
    before, last = born(storage, id="before"), born(storage, id="last")
    if away == "flush":
        storage.flush()
    elif away == "refuse":
        with pytest.raises(StorageError):
            storage.enqueue([new(retries=-1)])
    else:
        storage.revoke(by_seq(last, before))
        if away == "purge":
            assert storage.purge(by_seq(last)) == 1
            assert storage.purge(by_seq(before)) == 1
        else:
            again = born(storage, id="last")
            assert again.seq > last.seq
            last = again

    fresh = born(storage)

    assert fresh.seq > last.seq
    (loaded,) = storage.load(
        [one._replace(job=one.job._replace(id="x")) for one in storage.export(by_seq(fresh))]
    )
    assert loaded.job.seq == fresh.seq + 1
    storage.flush()
    assert born(storage).seq == fresh.seq + 2


@pytest.mark.parametrize("live", LIVE)
def test_an_id_that_is_live_answers_with_the_existing_job(storage: Storage, live: State) -> None:
    number = worker(storage)
    storage.lock("k", number, b"token")
    later = 4e9 if live is State.SCHEDULED else None
    job = born(storage, run_at=later, key_name="k" if live is State.BLOCKED else None)
    if live is State.RUNNING:
        one(storage, number)

    (again,) = storage.enqueue([new("other", b"other", id=job.id)])

    assert again[:4] == (job.seq, job.id, live, False)
    assert storage.count(Selector()) == 1
    assert storage.payload(job.seq) == b"payload"
    assert row(storage, job).task == "task"


@pytest.mark.parametrize("final", FINAL)
def test_a_final_row_of_the_same_id_is_replaced(storage: Storage, final: State) -> None:
    endings = {
        State.DONE: Done(b"result"),
        State.DEAD: Dead("failed", None, b"error"),
        State.REVOKED: Revoked("revoked", b"error"),
        State.EXPIRED: Expired(b"error"),
    }
    old = born(storage)
    run(storage, worker(storage), endings[final])

    (fresh,) = storage.enqueue([new("again", b"new", id=old.id)])

    assert fresh.seq > old.seq and fresh.fresh and fresh.state is State.PENDING
    assert storage.job(str(old.seq)) is None
    assert storage.payload(old.seq) is None
    answer = storage.result(old.id, preserve=True)
    assert answer is not None and (answer.seq, answer.result) == (fresh.seq, None)


def test_one_id_twice_in_a_call_is_one_job(storage: Storage) -> None:
    job = new()

    first, other, second = storage.enqueue([job, new(), job])

    assert first.seq == second.seq != other.seq
    assert (first.fresh, second.fresh) == (True, False)
    assert storage.count(Selector()) == 2


def test_a_batch_with_a_live_a_final_and_a_fresh_id_answers_each(storage: Storage) -> None:
    number = worker(storage)
    final = born(storage)
    run(storage, number)
    live = born(storage)

    answers = storage.enqueue([new(id=live.id), new(id=final.id), new()])

    assert [answer.fresh for answer in answers] == [False, True, True]
    assert answers[0].seq == live.seq
    assert storage.count(Selector(states=(State.PENDING,))) == 3


def test_an_impossible_job_stores_none_of_its_batch(storage: Storage) -> None:
    with pytest.raises(StorageError):
        storage.enqueue([new(), new(priority="high"), new()])

    assert storage.count(Selector()) == 0
    assert born(storage).fresh


def test_twenty_thousand_jobs_in_one_call(storage: Storage) -> None:
    answers = storage.enqueue([new("bulk", str(n).encode()) for n in range(20_000)])

    assert len({answer.seq for answer in answers}) == 20_000
    assert storage.count(Selector(states=(State.PENDING,))) == 20_000
    assert storage.payload(answers[12_345].seq) == b"12345"


def test_twenty_thousand_ids_of_which_some_are_live(storage: Storage) -> None:
    jobs = [new() for _ in range(20_000)]
    storage.enqueue(jobs[::100])

    answers = storage.enqueue(jobs)

    assert sum(answer.fresh for answer in answers) == 20_000 - 200
    assert storage.count(Selector()) == 20_000


def test_a_full_queue_refuses_and_stores_nothing(make: Maker) -> None:
    storage = make(max_pending=3)
    storage.enqueue([new(), new()])

    with pytest.raises(QueueFull, match='"huey" has 2 of 3'):
        storage.enqueue([new(), new()])

    assert storage.count(Selector()) == 2
    storage.enqueue([new()])
    with pytest.raises(QueueFull):
        storage.enqueue([new()])


def test_a_queue_is_described_once_it_has_a_job_also_when_the_first_call_was_refused(
    make: Maker,
) -> None:
    storage = make(max_pending=1)
    with pytest.raises(QueueFull):
        storage.enqueue([new(), new()])

    born(storage)

    assert [queue.queue for queue in storage.queues()] == ["huey"]
    assert [depth.count for depth in storage.depths()] == [1]


def test_the_pending_jobs_are_counted_whatever_moves_them(make: Maker) -> None:
    """At a million of them an enqueue must not count; so each verb has to keep the number."""
    full = make(max_pending=100)
    lab = make.lab(full)

    def check(expected: int) -> None:
        assert lab.pending() == full.count(Selector(states=(State.PENDING,))) == expected

    jobs = full.enqueue([new(), new(), new(), new(run_at=4e9)])
    check(3)
    number = worker(full)
    claims = take(full, number, 2)
    check(1)
    end(full, number, claims[0], Retry(None, 0, 0))
    check(2)
    end(full, number, claims[1], Dead("failed"))
    full.reschedule(by_seq(jobs[3]), run_at=0.0)
    check(3)
    full.revoke(by_seq(jobs[3]))
    full.requeue(Selector(states=(State.DEAD,)))
    check(3)
    take(full, number)
    full.unregister(number)
    check(3)
    full.flush()
    check(0)
    full.enqueue([new() for _ in range(100)])
    with pytest.raises(QueueFull, match="100 of 100"):
        born(full)


@pytest.mark.feature("back-pressure")
def test_room_in_a_full_queue_returns_when_jobs_leave_it(make: Maker) -> None:
    storage = make(max_pending=1)
    born(storage)
    number = worker(storage)
    claim = one(storage, number)

    second = born(storage)
    end(storage, number, claim)
    with pytest.raises(QueueFull):
        born(storage)

    assert state(storage, second) is State.PENDING


def test_threads_that_enqueue_together_each_get_their_own_numbers(storage: Storage) -> None:
    barrier = threading.Barrier(8)

    def produce(thread: int) -> list[tuple[int, str, str]]:
        barrier.wait()
        mine = []
        for n in range(50):
            jobs = [new(f"{thread}-{n}-{k}") for k in range(1 + n % 3)]
            for job, answer in zip(jobs, storage.enqueue(jobs), strict=True):
                assert answer.fresh and answer.id == job.id
                mine.append((answer.seq, answer.id, job.task))
        return mine

    with ThreadPoolExecutor(8) as pool:
        answers = [one for mine in pool.map(produce, range(8)) for one in mine]

    assert len({seq for seq, _, _ in answers}) == len(answers)
    stored = {(job.seq, job.id, job.task) for job in storage.jobs(Selector())}
    assert stored == set(answers)


def test_threads_that_enqueue_one_id_together_make_one_job(storage: Storage) -> None:
    barrier = threading.Barrier(6)
    ids = [new_id() for _ in range(40)]

    def produce(_: int) -> list[tuple[int, bool]]:
        barrier.wait()
        return [storage.enqueue([new(id=one)])[0][::3] for one in ids]  # type: ignore[misc]

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(produce, range(6)))

    for same in zip(*answers, strict=True):
        assert len({seq for seq, _ in same}) == 1
        assert sum(fresh for _, fresh in same) == 1
    assert storage.count(Selector()) == 40


def test_a_thread_is_not_punished_for_the_jobs_of_another(storage: Storage) -> None:
    """Threads share a commit; one of them brings a job that no row can hold."""
    barrier = threading.Barrier(4)

    def produce(thread: int) -> int:
        barrier.wait()
        stored = 0
        for _ in range(60):
            if thread:
                storage.enqueue([new()])
                stored += 1
            else:
                with pytest.raises(StorageError):
                    storage.enqueue([new(priority="high")])
        return stored

    with ThreadPoolExecutor(4) as pool:
        stored = sum(pool.map(produce, range(4)))

    assert storage.count(Selector()) == stored == 180


def test_a_full_queue_refuses_only_the_threads_that_do_not_fit(make: Maker) -> None:
    storage = make(max_pending=100)
    barrier = threading.Barrier(6)

    def produce(_: int) -> int:
        barrier.wait()
        stored = 0
        for _ in range(30):
            try:
                storage.enqueue([new()])
                stored += 1
            except QueueFull:
                pass
        return stored

    with ThreadPoolExecutor(6) as pool:
        stored = sum(pool.map(produce, range(6)))

    assert stored == storage.count(Selector()) == 100


def test_queues_share_their_data_and_nothing_else(make_shared: Maker) -> None:
    ours, theirs = make_shared("ours"), make_shared("theirs")
    same = new_id()

    mine, other = (storage.enqueue([new(id=same)])[0] for storage in (ours, theirs))

    assert (mine.seq == other.seq) == make_shared.own_numbers
    assert [claim.seq for claim in take(theirs, worker(theirs), 9)] == [other.seq]
    assert state(ours, mine) is State.PENDING
    assert {queue.queue for queue in ours.queues()} == {"ours", "theirs"}
