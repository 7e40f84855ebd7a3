"""Outside locks: one holder, owned by a process, with or without a lease."""

from __future__ import annotations

import pytest

from hueycore.model.limits import Limit
from hueycore.model.states import State
from hueycore.storage.base import Storage
from tests.helpers import Clock
from tests.storage.conftest import Maker
from tests.storage.kit import born, end, new, one, state, take, worker
from tests.storage.lab import Lab


def test_a_lock_has_one_holder(storage: Storage) -> None:
    number = worker(storage)

    assert storage.lock("name", number, b"first")
    assert not storage.lock("name", number, b"second")
    assert storage.is_locked("name")
    assert not storage.unlock("name", b"second")
    assert storage.unlock("name", b"first")
    assert not storage.is_locked("name")
    assert storage.lock("name", number, b"second")


def test_locks_say_who_holds_them_and_for_how_long(storage: Storage, clock: Clock) -> None:
    now = clock.freeze()
    number = worker(storage, "holder")
    storage.lock("long", number, b"1")
    storage.lock("brief", number, b"2", ttl=60)

    brief, long = storage.locks()

    assert (brief.name, brief.expires_at, long.name, long.expires_at) == (
        "brief", now + 60, "long", None,
    )  # fmt: skip
    assert (long.owner, long.holder, long.alive, long.waiting) == (number, "holder", True, False)
    assert long.since == now


def test_a_lease_ends_by_the_wall_clock(storage: Storage, clock: Clock) -> None:
    clock.freeze()
    number = worker(storage)
    storage.lock("name", number, b"old", ttl=60)
    clock.jump(61)

    assert not storage.is_locked("name")
    assert storage.locks() == []
    assert storage.lock("name", number, b"new")
    assert not storage.unlock("name", b"old")  # it is another's by now
    assert storage.is_locked("name")


def test_the_lock_of_a_dead_process_is_free(make_shared: Maker) -> None:
    shared = make_shared()
    dead, alive = worker(shared), worker(shared)
    shared.lock("name", dead, b"dead")
    make_shared.lab(shared).kill(dead)

    assert not shared.is_locked("name")
    assert shared.lock("name", alive, b"alive")
    shared.recover()
    assert shared.is_locked("name")


def test_a_worker_that_leaves_gives_its_locks_back(storage: Storage) -> None:
    number = worker(storage)
    storage.lock("name", number, b"token")

    storage.unregister(number)

    assert storage.locks() == []


@pytest.fixture
def guarded(storage: Storage) -> Storage:
    storage.declare_limits([Limit("task", "k", 1)])
    return storage


def test_a_lock_holds_back_the_jobs_of_its_key(guarded: Storage) -> None:
    number = worker(guarded)
    first, second = guarded.enqueue([new(key_name="k"), new(key_name="k")])
    guarded.lock("k", number, b"token")

    assert take(guarded, number, 9) == []
    assert {state(guarded, first), state(guarded, second)} == {State.BLOCKED}

    guarded.unlock("k", b"token")
    assert (state(guarded, first), state(guarded, second)) == (State.PENDING, State.BLOCKED)


def test_a_running_job_of_the_key_holds_the_lock(guarded: Storage) -> None:
    number = worker(guarded)
    born(guarded, key_name="k")
    claim = one(guarded, number)

    assert guarded.is_locked("k")
    assert not guarded.lock("k", number, b"token")
    end(guarded, number, claim)
    assert guarded.lock("k", number, b"token")


def test_who_waits_for_a_lock_is_not_passed_by_more_jobs_of_its_key(guarded: Storage) -> None:
    number = worker(guarded)
    guarded.enqueue([new(key_name="k") for _ in range(3)])
    claim = one(guarded, number)

    assert not guarded.lock("k", number, b"token", reserve=True)
    assert [lock.waiting for lock in guarded.locks()] == [True]
    end(guarded, number, claim)
    assert take(guarded, number, 9) == []
    assert guarded.lock("k", number, b"token", reserve=True)
    assert [lock.waiting for lock in guarded.locks()] == [False]

    guarded.unlock("k", b"token")
    assert len(take(guarded, number, 9)) == 1


@pytest.mark.parametrize("way", ["unregister", "death", "clear", "lease"])
def test_jobs_that_a_lock_held_back_run_when_it_is_gone(
    guarded: Storage, lab: Lab, clock: Clock, way: str
) -> None:
    now = clock.freeze()
    holder, number = worker(guarded), worker(guarded)
    job = born(guarded, key_name="k")
    guarded.lock("k", holder, b"token", ttl=60 if way == "lease" else None)
    assert take(guarded, number) == []

    match way:
        case "unregister":
            guarded.unregister(holder)
        case "death":
            lab.bury(holder)
        case "clear":
            assert guarded.clear("locks") == 1
        case "lease":
            assert guarded.next_run_at() == now + 60
            clock.jump(60)
            guarded.promote()

    assert state(guarded, job) is State.PENDING


def test_a_lease_that_was_waited_for_ends_by_itself(guarded: Storage, clock: Clock) -> None:
    now = clock.freeze()
    number = worker(guarded)
    guarded.enqueue([new(key_name="k") for _ in range(2)])
    claim = one(guarded, number)
    assert not guarded.lock("k", number, b"token", ttl=60, reserve=True)
    end(guarded, number, claim)
    assert guarded.lock("k", number, b"token", ttl=60, reserve=True)

    assert guarded.next_run_at() == now + 60


def test_queues_have_locks_of_their_own(make: Maker) -> None:
    ours, theirs = make("ours"), make("theirs")

    assert ours.lock("name", worker(ours), b"1")
    assert theirs.lock("name", worker(theirs), b"2")
    assert not ours.unlock("name", b"2")
