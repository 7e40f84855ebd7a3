"""The plain exchange, and what leaves it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from hueycore.model.endings import Done
from hueycore.model.jobs import Claim, Ended, Enqueued, NewJob, Selector, Want
from hueycore.model.limits import Limit, Rate
from hueycore.model.states import State
from hueycore.storage.postgres import PostgresStorage
from hueycore.storage.postgres.hot import _candidates
from tests.helpers import Clock, stays_true, wait_until
from tests.storage.kit import born, new, run, state, take, worker
from tests.storage.postgres.conftest import Connect, Open
from tests.storage.postgres.trace import traced
from tests.storage.sql.lab import sql


def done(*claims: Claim, result: bytes = b"r", run_s: float = 0.5) -> list[Ended]:
    return [Ended(claim, Done(result), claim.run_at, run_s) for claim in claims]


def test_a_plain_exchange_asks_once_under_the_lock_of_the_queue(
    storage: PostgresStorage, tmp_path: Path
) -> None:
    storage.enqueue([new() for _ in range(20)])
    number = worker(storage)
    claims = storage.exchange(number, done(*take(storage, number, 8)), Want(8)).claims

    with traced(storage.db._hot.connection, tmp_path) as seen:
        again = storage.exchange(number, done(*claims), Want(4)).claims

    assert seen.rounds == 2, "the question, and what ends with the commit"
    assert (seen.completed[0], seen.completed[-1]) == ("BEGIN", "COMMIT")
    assert [claim.seq for claim in again] == [claims[-1].seq + n for n in (1, 2, 3, 4)]
    assert {state(storage, claim) for claim in claims} == {State.DONE}


def test_a_job_of_a_rate_takes_few_round_trips_under_the_lock_of_the_queue(
    storage: PostgresStorage, clock: Clock, tmp_path: Path
) -> None:
    """Its turn, its claim and its ending: others wait meanwhile."""
    clock.freeze()
    storage.declare_limits([Limit("task", "k", None, Rate(10, 1.0))])
    storage.enqueue([new(key_name="k") for _ in range(9)])
    number = worker(storage)
    run(storage, number)
    clock.jump(0.2)
    with traced(storage.db._write.connection, tmp_path) as turn:
        assert storage.promote() == []
    with traced(storage.db._hot.connection, tmp_path) as claimed:
        (claim,) = take(storage, number)
    with traced(storage.db._write.connection, tmp_path) as ended:
        storage.exchange(number, done(claim), Want(0))

    assert (turn.rounds, claimed.rounds, ended.rounds) == (6, 9, 8)
    assert state(storage, claim) is State.DONE


@pytest.mark.parametrize(
    "job",
    [
        new(key_name="k"),
        new(expires_at=1.0),
        new(at_most_once=True),
        new(payload=b"x" * 5_000_000),
    ],
    ids=["a key", "late", "at most once", "large"],
)
def test_what_is_not_plain_goes_by_the_rules_of_all_engines(
    storage: PostgresStorage, job: NewJob
) -> None:
    storage.declare_limits([Limit("task", "k", 1)])
    number = worker(storage)
    storage.enqueue([new("before"), new("before"), job])
    claims = take(storage, number, 2)

    found = storage.exchange(number, done(*claims), Want(4))

    assert {state(storage, claim) for claim in claims} == {State.DONE}
    assert [one.id for one in found.expired] + [one.id for one in found.claims] == [job.id]
    assert sum(line.done for line in storage.metrics(0)) == 2, "counted once"


def test_an_exchange_with_a_lost_ending_begins_anew(storage: PostgresStorage) -> None:
    storage.enqueue([new(), new(), new()])
    number = worker(storage)
    first, second = take(storage, number, 2)
    storage.exchange(number, done(first), Want(0))

    endings = done(first, second, result=b"other", run_s=0.75)
    found = storage.exchange(number, endings, Want(1))

    assert found.lost == endings[:1]
    kept = [storage.result(claim.id, preserve=True) for claim in (first, second)]
    assert [one and one.result for one in kept] == [b"r", b"other"]
    assert len(found.claims) == 1
    assert sum(line.done for line in storage.metrics(0)) == 2, "counted once"


def test_an_ending_that_cannot_be_written_is_in_nobodys_way(storage: PostgresStorage) -> None:
    storage.enqueue([new(), new()])
    number = worker(storage)
    good, bad = take(storage, number, 2)

    too_much = Done(b"r", private=2**40)  # type: ignore[arg-type]
    found = storage.exchange(number, [*done(good), Ended(bad, too_much, 1.0, 0.5)], Want(0))

    assert [ended.claim for ended, _ in found.unwritable] == [bad]
    assert (state(storage, good), state(storage, bad)) == (State.DONE, State.DEAD)


def test_an_exchange_in_a_paused_queue_ends_and_claims_nothing(storage: PostgresStorage) -> None:
    storage.enqueue([new(), new()])
    number = worker(storage)
    (claim,) = take(storage, number)
    storage.pause()

    assert storage.exchange(number, done(claim), Want(4)).claims == []

    assert state(storage, claim) is State.DONE


def test_births_are_committed_while_somebody_exchanges(storage: PostgresStorage) -> None:
    """They have connections of their own."""
    born(storage)
    number = worker(storage)
    run(storage, number)

    with storage.db._hot.lock:
        job = born(storage)

    assert state(storage, job) is State.PENDING


@contextmanager
def in_hand(storage: PostgresStorage, connect: Connect, jobs: Sequence[Enqueued]) -> Iterator[None]:
    """Another exchange has chosen some jobs; it gives them up in the end."""
    con = connect()
    con.execute(f"select {storage.db._shared_locks}".encode())
    con.execute(
        "select 1 from huey_job where seq = any(%s) for no key update", ([job.seq for job in jobs],)
    )
    yield
    con.rollback()


def test_an_exchange_passes_over_the_jobs_that_another_one_has_in_hand(
    storage: PostgresStorage, connect: Connect
) -> None:
    jobs = [born(storage, priority=priority) for priority in (9, 8, 7, 6)]
    number = worker(storage)

    with in_hand(storage, connect, jobs[:2]):
        claims = take(storage, number, 2)

    assert [claim.seq for claim in claims] == [jobs[2].seq, jobs[3].seq]
    assert [claim.seq for claim in take(storage, number, 2)] == [jobs[0].seq, jobs[1].seq]


def test_an_exchange_that_finds_all_jobs_in_hand_waits_for_what_is_left_of_them(
    storage: PostgresStorage, connect: Connect
) -> None:
    first, second = born(storage), born(storage)
    number = worker(storage)
    (mine,) = take(storage, number)
    found: list[Claim] = []
    thread = threading.Thread(
        target=lambda: found.extend(storage.exchange(number, done(mine), Want(1)).claims)
    )

    with in_hand(storage, connect, [second]):
        thread.start()
        wait_until(lambda: state(storage, first) is State.DONE)  # written meanwhile
        assert stays_true(lambda: state(storage, second) is State.PENDING, 0.2)
    thread.join(10)

    assert [claim.seq for claim in found] == [second.seq]


def test_a_claim_reads_the_index_of_what_waits_once(storage: PostgresStorage) -> None:
    """It is full of entries of jobs that are over, which each reader passes."""
    query, values = f"explain (analyze) {_candidates(4, True)}", (1000, "huey", True, True, "huey")

    def passed_over() -> int:
        lines = [line for (line,) in sql(storage, query, *values) if "huey_payload" not in line]
        return str(lines).count("never executed")

    assert passed_over() == 0, "whether others have jobs in hand"
    born(storage)
    assert passed_over() == 1


def test_what_needs_the_queue_for_itself_waits_for_exchanges_and_they_for_it(
    storage: PostgresStorage, connect: Connect
) -> None:
    job = born(storage, key_name="k")
    storage.declare_limits([Limit("task", "k", 1)])
    number = worker(storage)
    found: list[Claim] = []
    thread = threading.Thread(target=lambda: found.extend(take(storage, number)))

    with in_hand(storage, connect, []):
        thread.start()
        assert stays_true(lambda: not found, 0.2), "a key is for who is alone"
    thread.join(10)

    assert [claim.seq for claim in found] == [job.seq]


def test_workers_that_drain_beside_each_other_run_each_job_once_and_count_all(
    storage: PostgresStorage, open_: Open
) -> None:
    jobs = storage.enqueue([new(f"task{n % 3}") for n in range(600)])
    ran: list[int] = []

    def drain(own: PostgresStorage) -> None:
        number = worker(own)
        claims = take(own, number, 8)
        while claims:
            ran.extend(claim.seq for claim in claims)
            claims = own.exchange(number, done(*claims), Want(8)).claims

    threads = [threading.Thread(target=drain, args=(open_(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert sorted(ran) == [job.seq for job in jobs]
    lines = storage.metrics(0)
    assert sum(line.done for line in lines) == 600
    assert sum(sum(line.run_hist.values()) for line in lines) == 600
    assert not storage.count(Selector(states=(State.PENDING, State.RUNNING)))
