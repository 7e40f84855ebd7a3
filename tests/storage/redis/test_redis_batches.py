"""Calls of more jobs than one script writes: in portions, and all or nothing."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from hueycore.exceptions import QueueFull
from hueycore.model.endings import Dead, Done
from hueycore.model.events import EventQuery
from hueycore.model.jobs import NewJob, Selector, Want
from hueycore.model.plan import Edge, Plan
from hueycore.model.states import State
from hueycore.storage.redis import RedisStorage, watch
from hueycore.storage.redis.batches import batches_of
from hueycore.storage.redis.scripts import PLAIN_PORTION, PORTION
from hueyctl.answers.why import explain
from tests.helpers import run_python
from tests.storage.kit import born, chord, ended, new, pipeline, row, run, state, take, worker
from tests.storage.redis.contents import read, snapshot
from tests.storage.redis.invariants import violations

#: Three portions, the last one not full.
MANY = 2 * PORTION + 500

#: Enqueues jobs, and is killed after so many calls of a script.
PRODUCER = """
    import os, signal, sys
    from hueycore.model.jobs import NewJob
    from hueycore.model.plan import Edge, Plan
    from hueycore.storage.redis import RedisStorage

    url, number, verb, calls, shape = sys.argv[1:]
    number, left = int(number), [int(calls)]
    storage = RedisStorage(url)
    plain = storage.run

    def run(name, *args, **how):
        found = plain(name, *args, **how)
        left[0] -= name == verb
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        return found

    storage.run = run
    jobs = [NewJob(f"id-{n}", "task", b"payload", retries=1) for n in range(number)]
    edges = [Edge(n, number - 1, n) for n in range(number - 1)] if shape == "chord" else []
    storage.enqueue(jobs, Plan(edges))
"""


@pytest.fixture
def storage(redis_url: str) -> Iterator[RedisStorage]:
    with closing(RedisStorage(redis_url)) as found:
        yield found
        assert violations(found.client) == []


@pytest.fixture
def other(storage: RedisStorage) -> Iterator[RedisStorage]:
    """The same queue, as a process of its own has it."""
    with closing(RedisStorage(storage.url)) as found:
        yield found


def produce_and_die(storage: RedisStorage, verb: str, calls: int, shape: str = "plain") -> None:
    run_python(PRODUCER, storage.url, str(MANY), verb, str(calls), shape, exits=-signal.SIGKILL)


def some(number: int) -> list[NewJob]:
    """Jobs with options."""
    return [new(retries=1) for _ in range(number)]


def counts(storage: RedisStorage) -> dict[str, int]:
    found = {str(one): storage.count(Selector(states=(one,))) for one in State}
    return {name: number for name, number in found.items() if number}


def in_between(storage: RedisStorage, verb: str, action: Any, monkeypatch: Any) -> None:
    """Do something once, after a portion."""
    plain, waiting = storage.run, [action]

    def run(name: str, *args: Any, **how: Any) -> Any:
        found = plain(name, *args, **how)
        if name == verb and waiting:
            waiting.pop()()
        return found

    monkeypatch.setattr(storage, "run", run)


# --- whole ----------------------------------------------------------------------------------------


def test_many_jobs_come_in_portions_and_run_in_the_order_of_the_call(
    storage: RedisStorage,
) -> None:
    jobs = [new(payload=b"%d" % n, retries=1) for n in range(MANY)]
    answers = storage.enqueue(jobs)

    assert [answer.id for answer in answers] == [job.id for job in jobs]
    assert {(answer.state, answer.fresh) for answer in answers} == {(State.PENDING, True)}
    assert int(storage.client.call("HGET", storage.key("queue"), "version")) == 1 + 3 + 3
    claims = take(storage, worker(storage), MANY)
    assert [claim.payload for claim in claims] == [job.payload for job in jobs]
    assert "batches" not in read(storage.client, "huey").keys
    assert "batch" not in read(storage.client, "huey").keys


def test_none_runs_before_the_last_portion_is_in(
    storage: RedisStorage, other: RedisStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, seen = worker(other), []

    def look() -> None:
        seen.append((counts(other), take(other, number, 10), list(other.dump(Selector()))))
        assert violations(other.client) == []
        why = explain(other, row(other, 1), other.client.now()).reason
        assert why.because == "the other jobs of its call are not in yet"

    in_between(storage, "batch_add", look, monkeypatch)

    storage.enqueue(some(MANY))

    assert seen == [({"blocked": PORTION}, [], [])]
    assert counts(storage) == {"pending": MANY}


def test_a_chord_of_many_members_waits_for_all_of_them(storage: RedisStorage) -> None:
    members, callback = chord(storage, MANY)

    assert {member.state for member in members} == {State.PENDING}
    assert callback.state is State.BLOCKED
    number = worker(storage)
    claims = take(storage, number, MANY)
    storage.exchange(number, [ended(claim, Done(b"1")) for claim in claims], Want(0))
    assert state(storage, callback) is State.PENDING
    assert [one.slot for one in storage.inputs(callback.seq)] == [*range(MANY)]


def test_each_job_of_many_has_its_own_options(storage: RedisStorage) -> None:
    later = storage.client.now() + 1000
    plan = Plan([Edge(0, MANY - 1)], {MANY - 1: 30.0}, {MANY - 1: 60.0}, {0: "handler"})
    jobs = [new(), new(run_at=later), new(key_name="key"), new(expires_at=later, retries=3)]
    jobs += [new(priority=5.0) for _ in range(MANY - 4)]
    answers = storage.enqueue(jobs, plan)

    rows = read(storage.client, "huey").rows
    first = answers[0].seq
    assert [rows[first + n]["state"] for n in range(4)] == [
        *("pending", "scheduled", "pending", "pending")
    ]
    assert [answer.state for answer in answers] == [row["state"] for _, row in sorted(rows.items())]
    assert (rows[first + 3]["retries"], rows[first + 3]["expires_at"]) == (3, later)
    last = rows[first + MANY - 1]
    assert (last["waits"], last["inputs"], last["delay"], last["expires_in"]) == (1, 1, 30, 60)
    assert storage.is_handled(first)


def test_a_member_that_fails_while_others_are_held_is_followed(
    storage: RedisStorage, other: RedisStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = worker(other)
    in_between(storage, "batch_end", lambda: run(other, number, Dead("failed")), monkeypatch)

    pipeline(storage, MANY)
    storage.recover()

    assert counts(storage) == {"dead": 1, "revoked": MANY - 1}


def test_events_tell_of_each_job_once(redis_url: str) -> None:
    with closing(RedisStorage(redis_url, events=True)) as storage:
        first, *_, last = pipeline(storage, PORTION + 1)
        events = [(event.seq, event.signal) for event in storage.events(EventQuery())]
        assert events.count((first.seq, "enqueued")) == events.count((last.seq, "enqueued")) == 1
        assert len(events) == PORTION + 1


def test_jobs_without_options_are_five_times_as_many_in_one_script(storage: RedisStorage) -> None:
    storage.enqueue([new() for _ in range(PLAIN_PORTION)])
    assert int(storage.client.call("HGET", storage.key("queue"), "version")) == 1

    answers = storage.enqueue([new() for _ in range(PLAIN_PORTION + 1)])

    assert int(storage.client.call("HGET", storage.key("queue"), "version")) == 1 + 1 + 6 + 6
    assert {answer.state for answer in answers} == {State.PENDING}
    assert counts(storage) == {"pending": 2 * PLAIN_PORTION + 1}


# --- by one script --------------------------------------------------------------------------------


def test_ids_that_are_there_and_unique_keys_are_seen_all_at_once(storage: RedisStorage) -> None:
    known = born(storage, id="known")
    unique = {"unique_key": "key", "unique_until": "end", "on_conflict": "keep"}

    answers = storage.enqueue([new(id="known"), *some(MANY)])
    uniques = storage.enqueue([new("only", **unique) for _ in range(MANY)])

    assert (answers[0].seq, answers[0].fresh) == (known.seq, False)
    assert len({answer.seq for answer in uniques}) == 1
    assert counts(storage) == {"pending": 1 + MANY + 1}


def test_an_id_that_comes_meanwhile_stays_one_job(
    storage: RedisStorage, other: RedisStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = some(MANY)
    in_between(storage, "batch_add", lambda: other.enqueue(jobs[-1:]), monkeypatch)

    answers = storage.enqueue(jobs)

    assert [answer.fresh for answer in answers].count(False) == 1
    assert counts(storage) == {"pending": MANY}


def test_a_full_queue_takes_none_of_many(redis_url: str) -> None:
    with closing(RedisStorage(redis_url, max_pending=MANY)) as storage:
        born(storage)
        before = snapshot(storage.client)
        with pytest.raises(QueueFull):
            storage.enqueue(some(MANY))
        assert snapshot(storage.client) == before


# --- producers that die ---------------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["plain", "chord"])
@pytest.mark.parametrize("portions", [1, 2, 3])
def test_nothing_is_left_of_a_producer_that_was_killed_between_portions(
    storage: RedisStorage, shape: str, portions: int
) -> None:
    born(storage, "bystander")
    before = snapshot(storage.client)
    produce_and_die(storage, "batch_add", portions, shape)

    held = min(portions * PORTION, MANY)
    assert counts(storage) == {"pending": 1, "blocked": held}
    assert violations(storage.client) == []
    number = worker(storage)
    assert [claim.task for claim in take(storage, number, 10)] == ["bystander"]
    storage.unregister(number)

    assert storage.recover() == []

    assert counts(storage) == {"pending": 1}
    after = snapshot(storage.client)
    assert after["huey"].keys() - before["huey"].keys() <= {"queue"}
    for name in ("payload", "id"):
        assert after["huey"][name] == before["huey"][name]


@pytest.mark.parametrize("shape", ["plain", "chord"])
def test_what_a_producer_had_handed_in_runs_though_it_was_killed_right_then(
    storage: RedisStorage, shape: str
) -> None:
    produce_and_die(storage, "batch_end", 1, shape)
    assert counts(storage) == {"pending": PORTION, "blocked": MANY - PORTION}
    assert violations(storage.client) == []

    assert storage.recover() == []

    stages = 1 if shape == "chord" else 0
    blocked = {"blocked": stages} if stages else {}
    assert counts(storage) == {"pending": MANY - stages, **blocked}
    assert batches_of(storage, "huey") == {}


def test_a_producer_that_was_taken_for_dead_begins_anew(
    storage: RedisStorage, other: RedisStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bury() -> None:
        (number,) = batches_of(other, "huey")
        other.take_away(number)
        assert counts(other) == {}

    in_between(storage, "batch_add", bury, monkeypatch)
    jobs = some(MANY)

    answers = storage.enqueue(jobs)

    assert [answer.id for answer in answers] == [job.id for job in jobs]
    assert counts(storage) == {"pending": MANY}


def test_a_producer_of_another_host_is_waited_for_as_long_as_portions_come(
    storage: RedisStorage, other: RedisStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hueycore.storage.redis.batches.is_gone", lambda about: False)
    monkeypatch.setattr(watch, "APART", 0.0)
    produce_and_die(storage, "batch_add", 2)
    (number,) = batches_of(other, "huey")

    for _ in range(watch.PATIENCE):
        other.recover()
    assert counts(other) == {"blocked": 2 * PORTION}
    more = {"batch": number, "handlers": [], "jobs": [[3 * PORTION, "late", "task", "", 0, 0]]}
    storage.run("batch_add", more, b"payload")
    for _ in range(watch.PATIENCE):
        other.recover()
    assert counts(other) == {"blocked": 2 * PORTION + 1}

    other.recover()
    assert counts(other) == {}
    assert batches_of(other, "huey") == {}


# --- many followers -------------------------------------------------------------------------------


def test_one_ending_revokes_so_many_followers_and_the_janitor_the_rest(
    storage: RedisStorage,
) -> None:
    stages = pipeline(storage, MANY)
    run(storage, worker(storage), Dead("failed"))
    assert counts(storage) == {"dead": 1, "revoked": PORTION, "blocked": MANY - PORTION - 1}
    assert violations(storage.client) == []

    storage.recover()

    assert counts(storage) == {"dead": 1, "revoked": MANY - 1}
    assert {row["reason"] for row in read(storage.client, "huey").rows.values()} == {
        *("failed", "upstream")
    }
    assert "owed" not in read(storage.client, "huey").keys
    assert state(storage, stages[-1]) is State.REVOKED


def test_who_runs_again_meanwhile_is_followed_by_nobody(storage: RedisStorage) -> None:
    first, *_ = pipeline(storage, MANY)
    run(storage, worker(storage), Dead("failed"))
    storage.requeue(Selector(keys=(first.id,)))

    storage.recover()

    assert counts(storage) == {"pending": 1, "blocked": MANY - 1}
    assert "owed" not in read(storage.client, "huey").keys
