"""An exchange whose answer is read later: the server makes it meanwhile, and it happens once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from threading import Thread

import pytest

from hueycore import Huey, RedisHuey
from hueycore.consumer import feed
from hueycore.consumer.ahead import Ahead
from hueycore.consumer.pace import GROUP_LIMIT, Load, Pace
from hueycore.exceptions import StorageError, StorageMoved
from hueycore.model.endings import Done
from hueycore.model.jobs import Claim, Ended, Exchange, Want
from hueycore.model.states import State
from hueycore.storage.redis import RedisStorage
from hueycore.storage.redis.errors import Refused
from tests.helpers import Gate, consuming, jobs, states, wait_until
from tests.proxy import Proxy
from tests.redis_servers import RedisServer
from tests.storage.kit import born, ended, new, one, row, take, worker
from tests.storage.redis.invariants import violations

#: A group of as many quick jobs.
GROUP = Want(0, {"task": 20})


@pytest.fixture
def storage(way: Proxy) -> Iterator[RedisStorage]:
    """By a way that can lose answers."""
    with closing(RedisStorage(way.url, timeout=20.0)) as found:
        yield found


@pytest.fixture
def beside(server: RedisServer) -> Iterator[RedisStorage]:
    """The same queue, seen by somebody else."""
    with closing(RedisStorage(server.url)) as found:
        yield found


def size(storage: RedisStorage, state: State) -> int:
    return int(storage.client.call("ZCARD", storage.key(state)))


def check_once(storage: RedisStorage, claims: list[Claim], number: int) -> None:
    """These jobs are claimed, once, and no other ones."""
    assert len(claims) == number
    assert size(storage, State.RUNNING) == number
    assert {(claim.claim, row(storage, claim).attempt) for claim in claims} == {(1, 1)}


def send(storage: RedisStorage, number: int, *claims: Claim) -> Callable[[], Exchange]:
    return storage.send_exchange(number, [ended(claim) for claim in claims], GROUP)


def test_it_is_made_while_nobody_waits_for_it(storage: RedisStorage, beside: RedisStorage) -> None:
    storage.enqueue([new() for _ in range(30)])
    number = worker(storage)
    first = one(storage, number)

    receive = send(storage, number, first)
    wait_until(lambda: size(beside, State.RUNNING) == 20)
    assert row(beside, first).state is State.DONE
    got = receive()

    check_once(beside, got.claims, 20)
    assert got.lost == []
    assert len(take(storage, number, 30)) == 9


@pytest.mark.parametrize("again", [False, True], ids=["at first", "later"])
def test_a_lost_answer_is_given_once_more(
    storage: RedisStorage, beside: RedisStorage, way: Proxy, again: bool
) -> None:
    storage.enqueue([new() for _ in range(50)])
    number = worker(storage)
    first = take(storage, number)
    if again:
        first = send(storage, number, *first)().claims
    way.after, way.drop_answers = b"EVALSHA", 1

    receive = send(storage, number, *first)
    wait_until(lambda: way.dropped == 1)
    got = receive()

    check_once(beside, got.claims, 20)
    assert got.lost == []
    assert size(beside, State.DONE) == len(first) + again
    assert violations(beside.client) == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_connection_that_breaks_loses_nothing(
    storage: RedisStorage, beside: RedisStorage, way: Proxy, when: str
) -> None:
    storage.enqueue([new() for _ in range(50)])
    number = worker(storage)
    first = send(storage, number)().claims

    if when == "before":
        way.cut()
    receive = send(storage, number, *first)
    if when == "after":
        way.cut()
    got = receive()

    check_once(beside, got.claims, 20)
    assert size(beside, State.DONE) == 20


def test_a_server_that_forgot_the_script_is_told_it(
    storage: RedisStorage, beside: RedisStorage
) -> None:
    storage.enqueue([new() for _ in range(50)])
    number = worker(storage)
    first = send(storage, number)().claims
    beside.client.call("SCRIPT", "FLUSH")

    got = send(storage, number, *first)()

    check_once(beside, got.claims, 20)
    assert size(beside, State.DONE) == 20


def test_a_server_that_was_killed_meanwhile_is_asked_again(
    storage: RedisStorage, beside: RedisStorage, server: RedisServer
) -> None:
    storage.enqueue([new() for _ in range(50)])
    number = worker(storage)
    first = send(storage, number)().claims

    receive = send(storage, number, *first)
    wait_until(lambda: size(beside, State.DONE) == 20)
    server.kill()
    server.start()
    got = receive()

    check_once(beside, got.claims, 20)
    assert size(beside, State.DONE) == 20


def test_only_quick_jobs_are_claimed_ahead(storage: RedisStorage) -> None:
    storage.enqueue([new(), new(), new("slow"), new()])
    number = worker(storage)

    assert len(send(storage, number)().claims) == 2
    assert send(storage, number)().claims == []
    assert one(storage, number).task == "slow"


def test_what_must_not_run_twice_is_not_claimed_ahead(storage: RedisStorage) -> None:
    born(storage, at_most_once=True)
    number = worker(storage)

    assert send(storage, number)().claims == []
    assert one(storage, number).at_most_once


def test_of_two_workers_each_gets_what_it_asked_for(storage: RedisStorage) -> None:
    storage.enqueue([new() for _ in range(60)])
    numbers = [worker(storage), worker(storage)]
    firsts = [one(storage, number) for number in numbers]

    receives = [send(storage, *both) for both in zip(numbers, firsts, strict=True)]
    answers = [receive() for receive in reversed(receives)]

    assert [answer.lost for answer in answers] == [[], []]
    assert size(storage, State.DONE) == 2
    for number, answer in zip(reversed(numbers), answers, strict=True):
        assert {row(storage, claim).worker for claim in answer.claims} <= {number}
        held = storage.client.call("ZRANGEBYSCORE", storage.key(State.RUNNING), number, number)
        claimed = [row(storage, int(seq)).worker for seq in held]
        assert claimed == [number] * len(held)
    assert sum(len(answer.claims) for answer in answers) == size(storage, State.RUNNING)


def test_a_worker_that_was_taken_for_dead_is_told(storage: RedisStorage) -> None:
    born(storage)
    number = worker(storage)
    storage.unregister(number)

    receive = send(storage, number)
    with pytest.raises(StorageMoved):
        receive()
    assert size(storage, State.PENDING) == 1


def test_who_asks_again_before_the_answer_gets_it(storage: RedisStorage) -> None:
    storage.enqueue([new() for _ in range(30)])
    number = worker(storage)
    first = one(storage, number)

    send(storage, number, first)
    got = storage.exchange(number, [ended(first, Done())], Want(1))

    check_once(storage, got.claims, 20)
    assert got.lost == []
    assert len(send(storage, number)().claims) == 9


def test_a_call_that_comes_when_its_worker_has_gone_on_claims_nothing(
    storage: RedisStorage,
) -> None:
    storage.enqueue([new() for _ in range(30)])
    number = worker(storage)
    first, second = one(storage, number), one(storage, number)

    storage._numbers[number] -= 2
    with pytest.raises(Refused):
        storage.exchange(number, [ended(first), ended(second)], Want(1))

    assert size(storage, State.RUNNING) == 2


def test_an_answer_that_was_lost_with_the_server_is_given_to_who_has_nothing_to_end(
    beside: RedisStorage, way: Proxy
) -> None:
    with closing(RedisStorage(way.url, timeout=0.5)) as storage:
        storage.enqueue([new() for _ in range(50)])
        number = worker(storage)
        first = send(storage, number)().claims
        way.after, way.drop_answers = b"EVALSHA", 1
        receive = send(storage, number)
        wait_until(lambda: way.dropped == 1)
        way.refuse()
        with pytest.raises(StorageError):
            receive()
        way.mend()

        got = storage.exchange(number, [], Want(0))

        assert len({claim.seq for claim in (*first, *got.claims)}) == 40
        assert size(beside, State.RUNNING) == 40


def test_a_job_at_hand_that_has_lost_its_payload_keeps_none_from_being_sent(
    storage: RedisStorage,
) -> None:
    storage.enqueue([new() for _ in range(50)])
    number = worker(storage)
    storage.client.call("HDEL", storage.key("payload"), 1)
    claims = deque(send(storage, number)().claims)
    ahead = Ahead(storage, number, Pace(1, overlaps=True), Load())

    assert ahead.send(claims, [])
    assert ahead.sent is not None and ahead.sent.receive().lost == []


# --- of a consumer --------------------------------------------------------------------------------


@pytest.fixture
def huey(redis_url: str) -> Iterator[Huey]:
    with closing(RedisHuey("app", url=redis_url)) as found:
        yield found


def count_sent(huey: Huey, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many claims each exchange that was sent ahead brought."""
    seen: list[int] = []
    original = huey.storage.send_exchange

    def send_exchange(worker: int, endings: Sequence[Ended], want: Want) -> Callable[[], Exchange]:
        receive = original(worker, endings, want)

        def received() -> Exchange:
            got = receive()
            seen.append(len(got.claims))
            return got

        return received

    monkeypatch.setattr(huey.storage, "send_exchange", send_exchange)
    return seen


def test_very_short_jobs_are_claimed_while_others_run(
    huey: Huey, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[int] = []

    @huey.task()
    def work(number: int) -> None:
        ran.append(number)

    seen = count_sent(huey, monkeypatch)
    huey.enqueue_many(work.s(number) for number in range(3000))
    with consuming(huey, workers=2):
        wait_until(lambda: states(huey) == {"done": 3000})

    assert sorted(ran) == list(range(3000))
    assert sum(seen) > 1000
    assert max(seen) <= GROUP_LIMIT // 2


@pytest.mark.parametrize("stops", [False, True], ids=["a long job", "a stop"])
def test_what_was_claimed_ahead_and_cannot_be_started_is_given_back(
    huey: Huey, monkeypatch: pytest.MonkeyPatch, stops: bool
) -> None:
    gate = Gate()

    @huey.task()
    def work(holds: bool = False) -> None:
        if holds:
            gate.pass_through()

    if stops:
        monkeypatch.setattr(feed, "CLAIM_AGE", 60.0)
        monkeypatch.setattr(feed, "ENDING_AGE", 60.0)
    with consuming(huey, workers=1) as consumer:
        huey.enqueue_many(work.s() for _ in range(3000))
        wait_until(lambda: states(huey) == {"done": 3000})
        seen = count_sent(huey, monkeypatch)
        # The second group of them has the one that holds; the third one is sent for.
        huey.enqueue_many(work.s(number == 200) for number in range(601))
        gate.wait_entered()
        if stops:
            wait_until(lambda: consumer._feed._ahead.sent is not None)
            stopper = Thread(target=consumer.stop, kwargs={"graceful": True})
            stopper.start()
        wait_until(lambda: states(huey) == {"done": 3200, "running": 1, "pending": 400})
        assert any(seen)
        gate.open.set()
        if stops:
            stopper.join(10)
        else:
            wait_until(lambda: states(huey) == {"done": 3601})

    assert {row.attempt for row in jobs(huey, State.PENDING)} <= {0}
    assert {row.attempt for row in jobs(huey, State.DONE)} == {1}
