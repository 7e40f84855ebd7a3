"""Rates: exact, in running order, and no day long because a clock was set back."""

from __future__ import annotations

from itertools import pairwise

import pytest

from hueycore.model.endings import Snoozed
from hueycore.model.jobs import Claim, Want
from hueycore.model.limits import Limit, Rate
from hueycore.model.states import State
from hueycore.storage.base import Storage
from tests.helpers import WHOLE, Clock
from tests.storage.conftest import Maker
from tests.storage.kit import DAY, born, by_seq, end, ended, new, one, row, take, worker
from tests.storage.lab import Lab

TEN_A_SECOND = Rate(10, 1.0)


def starts(storage: Storage, clock: Clock, number: int) -> list[tuple[float, Claim]]:
    """Run everything, time passing from one thing to the next; (seconds since now, claim)."""
    begun = clock.now()
    seen: list[tuple[float, Claim]] = []
    for _ in range(5000):
        storage.promote()
        claims = take(storage, number, 50)
        seen += [(clock.now() - begun, claim) for claim in claims]
        storage.exchange(number, [ended(claim) for claim in claims], Want(0))
        due = storage.next_run_at()
        if due is None and not claims:
            return seen
        if due is not None and not claims:
            clock.jump(due - clock.now())
    raise AssertionError("it never ends")


@pytest.mark.feature("rate limit")
def test_jobs_behind_one_start_ten_a_second_by_priority(storage: Storage, clock: Clock) -> None:
    """A thousand take a hundred seconds."""
    jobs = 1000 if WHOLE else 200
    clock.freeze(2_000_000_000.0)
    storage.declare_limits([Limit("task", "k", None, TEN_A_SECOND)])
    storage.enqueue([new(key_name="k", priority=n % 5) for n in range(jobs + 1)])

    seen = starts(storage, clock, worker(storage))

    times = [at for at, _ in seen]
    assert len(times) == jobs + 1
    assert times[-1] == pytest.approx(jobs / 10, abs=0.01)
    assert all(b - a >= 0.0999 for a, b in pairwise(times))
    order = [(-claim.priority, claim.seq) for _, claim in seen]
    assert order == sorted(order)
    assert max(claim.claim for _, claim in seen) == 1


def test_a_job_of_a_higher_priority_takes_the_next_slot(storage: Storage, clock: Clock) -> None:
    clock.freeze()
    storage.declare_limits([Limit("task", "k", None, Rate(1, 60.0))])
    number = worker(storage)
    storage.enqueue([new(key_name="k") for _ in range(3)])
    one(storage, number)
    urgent = born(storage, key_name="k", priority=5)
    clock.jump(60)
    storage.promote()

    assert [claim.seq for claim in take(storage, number, 9)] == [urgent.seq]


def test_a_burst_goes_at_once_and_the_rest_evenly(storage: Storage, clock: Clock) -> None:
    clock.freeze(2_000_000_000.0)
    storage.declare_limits([Limit("task", "k", None, Rate(3, 30.0, burst=3))])
    storage.enqueue([new(key_name="k") for _ in range(5)])

    seen = starts(storage, clock, worker(storage))

    assert [round(at, 3) for at, _ in seen] == [0, 0, 0, 10, 20]


def test_a_rate_and_a_number_at_once_hold_both(storage: Storage, clock: Clock) -> None:
    clock.freeze()
    storage.declare_limits([Limit("task", "k", 1, Rate(1, 10.0))])
    number = worker(storage)
    storage.enqueue([new(key_name="k") for _ in range(3)])
    claim = one(storage, number)
    clock.jump(11)
    storage.promote()
    assert take(storage, number) == []

    end(storage, number, claim)
    assert len(take(storage, number, 9)) == 1


def test_a_slot_is_spent_by_a_claim_in_any_process(make: Maker, clock: Clock) -> None:
    clock.freeze()
    storage = make()
    storage.declare_limits([Limit("task", "k", None, TEN_A_SECOND)])
    number, other = worker(storage), worker(storage)
    storage.enqueue([new(key_name="k") for _ in range(2)])

    assert len(take(storage, number, 9)) == 1
    assert take(storage, other, 9) == []
    assert storage.key_due("huey", "k", "task") == pytest.approx(clock.now() + 0.1)


def test_a_clock_that_is_set_back_delays_a_rate_by_no_more_than_its_interval(
    storage: Storage, clock: Clock
) -> None:
    clock.freeze()
    storage.declare_limits([Limit("task", "k", None, Rate(1, 60.0))])
    number = worker(storage)
    storage.enqueue([new(key_name="k") for _ in range(2)])
    end(storage, number, one(storage, number))
    clock.jump(-DAY)

    assert storage.mend() == []  # the janitor's round; and this is no bug
    clock.jump(60)
    storage.promote()

    assert len(take(storage, number)) == 1


def test_a_rate_at_rest_is_forgotten(storage: Storage, lab: Lab, clock: Clock) -> None:
    clock.freeze()
    storage.spend("api", TEN_A_SECOND, None)
    clock.jump(1)

    storage.mend()

    assert lab.count("keys") == 0


# --- rates that runs ask for ----------------------------------------------------------------------


def test_a_rate_that_is_used_up_says_when_the_next_slot_is(storage: Storage, clock: Clock) -> None:
    now = clock.freeze()
    rate = Rate(2, 60.0, burst=2)

    assert [storage.spend("api", rate, None) for _ in range(2)] == [None, None]
    assert storage.spend("api", rate, None) == pytest.approx(now + 30)
    assert storage.spend("api", rate, None) == pytest.approx(now + 30)  # nothing was promised
    storage.reset_rate("api")
    assert storage.spend("api", rate, None) is None


def test_a_rate_saves_nothing_of_the_time_in_which_nobody_asked(
    storage: Storage, clock: Clock
) -> None:
    clock.freeze()
    rate = Rate(2, 60.0, burst=2)
    storage.spend("api", rate, None)
    clock.jump(3600)

    assert [storage.spend("api", rate, None) is None for _ in range(4)] == [
        True,
        True,
        False,
        False,
    ]


def test_a_task_that_was_idle_starts_no_more_jobs_at_once_than_its_burst(
    storage: Storage, clock: Clock
) -> None:
    clock.freeze(2_000_000_000.0)
    storage.declare_limits([Limit("task", "k", None, Rate(3, 30.0, burst=3))])
    number = worker(storage)
    storage.enqueue([new(key_name="k")])
    end(storage, number, one(storage, number))
    clock.jump(3600)
    storage.enqueue([new(key_name="k") for _ in range(5)])

    seen = starts(storage, clock, number)

    assert [round(at, 3) for at, _ in seen] == [0, 0, 0, 10, 20]


def test_a_refused_job_is_promised_a_slot_and_let_through_then(
    storage: Storage, clock: Clock
) -> None:
    now = clock.freeze()
    rate = Rate(1, 60.0)
    number = worker(storage)
    storage.enqueue([new(), new()])
    first, second = take(storage, number, 2)
    storage.spend("api", rate, None)

    slots = [storage.spend("api", rate, claim[:2]) for claim in (second, first)]
    assert slots == [pytest.approx(now + 60), pytest.approx(now + 120)]
    assert storage.spend("api", rate, second[:2]) == slots[0]  # asked too early: the same
    end(storage, number, second, Snoozed(slots[0] or 0))
    clock.jump(60)
    storage.promote()

    again = one(storage, number)
    assert (again.seq, again.attempt) == (second.seq, 1)
    assert storage.spend("api", rate, again[:2]) is None
    assert storage.spend("api", rate, again[:2]) == pytest.approx(now + 180)


def test_a_claim_that_is_lost_is_promised_nothing(storage: Storage, clock: Clock) -> None:
    now = clock.freeze()
    rate = Rate(1, 60.0)
    number = worker(storage)
    born(storage)
    claim = one(storage, number)
    end(storage, number, claim)
    storage.spend("api", rate, None)

    assert storage.spend("api", rate, claim[:2]) == pytest.approx(now + 60)
    assert storage.spend("api", rate, None) == pytest.approx(now + 60)


def test_a_promise_goes_back_with_the_clock(storage: Storage, clock: Clock) -> None:
    now = clock.freeze()
    rate = Rate(1, 60.0)
    number = worker(storage)
    job = born(storage)
    claim = one(storage, number)
    storage.spend("api", rate, None)
    slot = storage.spend("api", rate, claim[:2])
    assert slot is not None
    end(storage, number, claim, Snoozed(slot))
    clock.jump(-DAY)

    storage.mend()
    assert row(storage, job).run_at == pytest.approx(now - DAY + 60)
    clock.jump(61)
    storage.promote()
    again = one(storage, number)

    assert storage.spend("api", rate, again[:2]) is None


def test_a_job_that_is_run_again_has_no_promise_left(storage: Storage, clock: Clock) -> None:
    clock.freeze()
    rate = Rate(1, 60.0)
    number = worker(storage)
    job = born(storage)
    claim = one(storage, number)
    storage.spend("api", rate, None)
    storage.spend("api", rate, claim[:2])
    end(storage, number, claim)
    storage.requeue(by_seq(job))
    again = one(storage, number)
    clock.jump(61)

    assert storage.spend("api", rate, again[:2]) is not None
    assert row(storage, job).state is State.RUNNING


def test_what_is_spent_of_a_rate_comes_back_with_time(storage: Storage, clock: Clock) -> None:
    rate = Rate(4, 40.0, 4)

    assert storage.spent("mail", rate) == 0
    for _ in range(4):
        assert storage.spend("mail", rate, None) is None
    assert storage.spend("mail", rate, None) is not None
    assert storage.spent("mail", rate) == 4

    clock.jump(15)
    assert storage.spent("mail", rate) == 3
    clock.jump(100)
    assert storage.spent("mail", rate) == 0


def test_a_held_rate_says_how_much_is_spent_and_when_the_next_may_go(
    storage: Storage, clock: Clock
) -> None:
    now = clock.freeze()
    storage.declare_limits([Limit("task", "k", None, Rate(2, 60.0, 2))])
    storage.enqueue([new(key_name="k") for _ in range(4)])
    number = worker(storage)
    claims = take(storage, number, 9)
    storage.exchange(number, [ended(claim) for claim in claims], Want(0))

    (key,) = storage.held_keys().keys

    assert (len(claims), key.spent, key.behind, key.running) == (2, 2, 2, ())
    assert key.due == pytest.approx(now + 30)


def test_a_pause_of_another_task_is_no_rate_of_a_key(storage: Storage, clock: Clock) -> None:
    now = clock.freeze()
    storage.declare_limits([Limit("task", "k", 1)])
    storage.enqueue([new(key_name="k") for _ in range(2)])
    storage.pause(task="other", until=now + 3600)
    take(storage, worker(storage), 9)

    assert storage.key_due("huey", "k", "task") is None
    assert [key.due for key in storage.held_keys().keys] == [None]
