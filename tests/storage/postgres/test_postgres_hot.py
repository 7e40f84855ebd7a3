"""The plain exchange, and what leaves it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hueycore.model.endings import Done
from hueycore.model.jobs import Claim, Ended, NewJob, Want
from hueycore.model.limits import Limit
from hueycore.model.states import State
from hueycore.storage.postgres import PostgresStorage
from tests.storage.kit import born, new, run, state, take, worker
from tests.storage.postgres.trace import traced


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
