"""What time does: due jobs, expiry, periodic tasks. The clock is frozen and moved."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from hueycore.model.endings import Blocked, Dead, Ending, Released, Retry, Snoozed
from hueycore.model.jobs import NewJob, Selector, Want
from hueycore.model.schedules import Fire
from hueycore.model.states import State
from hueycore.storage.base import Storage
from hueycore.system.ids import new_id
from tests.helpers import Clock
from tests.storage.conftest import Maker
from tests.storage.kit import (
    DAY,
    NOW,
    born,
    by_seq,
    ended,
    new,
    one,
    periodic,
    row,
    run,
    state,
    stored,
    take,
    tasks,
    worker,
)
from tests.storage.lab import Lab

# --- due jobs -------------------------------------------------------------------------------------


def test_due_jobs_become_pending_in_the_order_of_their_times(
    storage: Storage, clock: Clock
) -> None:
    clock.freeze(NOW)
    storage.enqueue([new(f"t{n}", run_at=NOW + 10 - n) for n in range(10)])
    clock.jump(5)

    promoted = storage.promote()

    assert [ref.task for ref in promoted] == [f"t{n}" for n in range(9, 4, -1)]
    assert storage.count(Selector(states=(State.SCHEDULED,))) == 5
    assert row(storage, promoted[0].seq).run_at == NOW + 1


def test_promote_moves_at_most_its_limit(storage: Storage, clock: Clock) -> None:
    clock.freeze(NOW)
    storage.enqueue([new(run_at=NOW + 1) for _ in range(12)])
    clock.jump(1)

    assert [len(storage.promote(5)) for _ in range(4)] == [5, 5, 2, 0]


def test_promote_keeps_everything_of_a_job(storage: Storage, clock: Clock) -> None:
    """A due job changes its state: it is not deleted and born again."""
    clock.freeze(NOW)
    job = born(storage, run_at=NOW + 1, retries=3, preview="args")
    before = row(storage, job)
    clock.jump(1)
    storage.promote()

    assert row(storage, job) == before._replace(state=State.PENDING)
    assert storage.payload(job.seq) == b"payload"


def test_nothing_due_writes_nothing(storage: Storage, lab: Lab, clock: Clock) -> None:
    clock.freeze(NOW)
    born(storage, run_at=NOW + 1)
    before = lab.commits()

    assert storage.promote() == [] and storage.expire() == []
    assert lab.commits() == before


def test_the_next_due_time_is_known(storage: Storage, clock: Clock) -> None:
    clock.freeze(NOW)
    assert storage.next_run_at() is None
    born(storage)
    assert storage.next_run_at() is None
    storage.enqueue([new(run_at=NOW + 20), new(run_at=NOW + 10)])

    assert storage.next_run_at() == NOW + 10
    clock.jump(10)
    storage.promote()
    assert storage.next_run_at() == NOW + 20


def test_due_jobs_of_another_queue_are_not_ours(make_shared: Maker, clock: Clock) -> None:
    clock.freeze(NOW)
    ours, theirs = make_shared("ours"), make_shared("theirs")
    job = born(theirs, run_at=NOW + 1, expires_at=NOW + 2)
    clock.jump(5)

    assert ours.next_run_at() is None
    assert ours.promote() == [] and ours.expire() == []
    assert state(theirs, job) is State.SCHEDULED


def test_a_clock_that_is_set_back_delays_and_loses_nothing(storage: Storage, clock: Clock) -> None:
    clock.freeze(NOW)
    born(storage, "scheduled", run_at=NOW + 10)
    born(storage, "pending")
    clock.jump(-DAY)
    number = worker(storage)

    assert storage.promote() == []
    assert tasks(take(storage, number, 9)) == ["pending"]
    clock.jump(DAY + 10)
    assert [ref.task for ref in storage.promote()] == ["scheduled"]
    assert tasks(take(storage, number, 9)) == ["scheduled"]


def test_a_clock_that_is_set_forward_hastens_and_duplicates_nothing(
    storage: Storage, clock: Clock
) -> None:
    clock.freeze(NOW)
    job = born(storage, retries=1)
    number = worker(storage)
    claim = one(storage, number)
    clock.jump(DAY)

    assert storage.recover() == []
    assert take(storage, number, 9) == []
    assert state(storage, claim) is State.RUNNING
    clock.jump(-2 * DAY)
    assert storage.recover() == []
    assert row(storage, job).claim == 1


# --- expiry ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("waiting", [State.SCHEDULED, State.PENDING, State.BLOCKED])
def test_a_waiting_job_expires_at_its_time(storage: Storage, clock: Clock, waiting: State) -> None:
    clock.freeze(NOW)
    storage.lock("k", worker(storage), b"token")
    job = born(
        storage, expires_at=NOW + 5,
        run_at=NOW + 50 if waiting is State.SCHEDULED else None,
        key_name="k" if waiting is State.BLOCKED else None,
    )  # fmt: skip
    assert state(storage, job) is waiting
    clock.jump(4.9)
    assert storage.expire() == []
    clock.jump(0.1)

    ((ref, before),) = storage.expire()

    assert (ref.seq, before) == (job.seq, waiting)
    found = row(storage, job)
    assert (found.state, found.reason, found.finished_at) == (State.EXPIRED, None, NOW + 5)
    assert storage.expire() == []


def test_a_running_job_does_not_expire(storage: Storage, clock: Clock) -> None:
    clock.freeze(NOW)
    job = born(storage, expires_at=NOW + 5, retries=1)
    number = worker(storage)
    one(storage, number)
    clock.jump(10)

    assert storage.expire() == []
    assert state(storage, job) is State.RUNNING


def test_a_retry_past_its_expiry_expires(storage: Storage, clock: Clock) -> None:
    clock.freeze(NOW)
    job = born(storage, expires_at=NOW + 5, retries=1)
    run(storage, worker(storage), Retry(NOW + 7, 0, 0))
    clock.jump(6)

    assert [(ref.seq, before) for ref, before in storage.expire()] == [(job.seq, State.SCHEDULED)]


def test_a_relative_expiry_counts_from_the_moment_when_a_job_can_begin(
    storage: Storage, clock: Clock
) -> None:
    clock.freeze(NOW)
    now, later = storage.enqueue([new(expires_in=60), new(run_at=NOW + 3600, expires_in=60)])
    assert [row(storage, job).expires_at for job in (now, later)] == [NOW + 60, NOW + 3660]
    clock.jump(3700)
    assert [ref.seq for ref, _ in storage.expire()] == [now.seq], "nobody has made the other ready"

    storage.promote()

    assert (state(storage, later), row(storage, later).expires_at) == ("pending", NOW + 3760)
    clock.jump(60)
    assert [ref.seq for ref, _ in storage.expire()] == [later.seq]


@pytest.mark.parametrize(
    ("ending", "expires_at"),
    [
        (Retry(None, 0, 0), NOW + 110),
        (Retry(NOW + 200, 0, 0), NOW + 260),
        (Retry(NOW - 5, 0, 0), NOW + 110),
        (Snoozed(NOW + 200), NOW + 260),
        (Released(), NOW + 60),
        (Blocked("key"), NOW + 60),
    ],
)
def test_a_relative_expiry_counts_anew_for_each_retry(
    storage: Storage, clock: Clock, ending: Ending, expires_at: float
) -> None:
    clock.freeze(NOW)
    job, fixed = storage.enqueue([new(expires_in=60), new(expires_at=NOW + 70)])
    number = worker(storage)
    claims = take(storage, number, 2)
    clock.jump(50)

    storage.exchange(number, [ended(claim, ending) for claim in claims], Want(0))

    assert row(storage, job).expires_at == expires_at
    assert row(storage, fixed).expires_at == NOW + 70


VERBS: dict[str, Callable[[Storage, int], object]] = {
    "requeued": lambda s, seq: s.requeue(by_seq(seq)),
    "requeued for later": lambda s, seq: s.requeue(by_seq(seq), run_at=NOW + 200),
    "requeued apart": lambda s, seq: s.requeue(Selector(), apart=40),
    "loaded": lambda s, seq: s.load(s.export(by_seq(seq)), if_exists="replace", pending=True),
}


@pytest.mark.parametrize(
    ("verb", "expires_at"),
    list(zip(VERBS, (NOW + 160, NOW + 260, NOW + 200, NOW + 160), strict=True)),
)
def test_a_relative_expiry_counts_anew_for_a_job_that_is(
    storage: Storage, clock: Clock, verb: str, expires_at: float
) -> None:
    clock.freeze(NOW)
    number = worker(storage)
    for _ in range(2):
        job = born(storage, expires_in=60)
        run(storage, number, Dead("failed"))
    clock.jump(100)

    VERBS[verb](storage, job.seq)

    (last,) = storage.jobs(Selector(keys=(job.id,)))
    assert (last.expires_at, last.expires_in) == (expires_at, 60)


def test_a_relative_expiry_moves_with_a_job_that_waits(storage: Storage, clock: Clock) -> None:
    clock.freeze(NOW)
    jobs = storage.enqueue([new(expires_in=60, run_at=NOW + 10) for _ in range(4)])
    moved, sooner, longer, fixed = jobs

    storage.reschedule(by_seq(moved), run_at=NOW + 500)
    storage.reschedule(by_seq(sooner), run_at=NOW)
    storage.reschedule(by_seq(longer), expires_in=5)
    storage.reschedule(by_seq(fixed), run_at=NOW + 500, expires_at=NOW + 505)

    found = [(row(storage, job).expires_at, row(storage, job).expires_in) for job in jobs]
    assert found == [(NOW + 560, 60), (NOW + 60, 60), (NOW + 15, 5), (NOW + 505, None)]


def test_a_replaced_job_has_the_expiry_of_the_new_one(storage: Storage, clock: Clock) -> None:
    clock.freeze(NOW)
    keyed = {"unique_key": "k", "unique_until": "end", "on_conflict": "replace"}
    job = born(storage, expires_at=NOW + 5, **keyed)

    born(storage, run_at=NOW + 100, expires_in=7, **keyed)

    assert (row(storage, job).expires_at, row(storage, job).expires_in) == (NOW + 107, 7)


def test_expire_moves_at_most_its_limit(storage: Storage, clock: Clock) -> None:
    clock.freeze(NOW)
    storage.enqueue([new(expires_at=NOW + 1) for _ in range(12)])
    clock.jump(2)

    assert [len(storage.expire(5)) for _ in range(4)] == [5, 5, 2, 0]


# --- periodic tasks -------------------------------------------------------------------------------


def test_a_declared_schedule_is_stored_whole(storage: Storage) -> None:
    one = periodic(
        "b", tz="Europe/Paris", catch_up="all", grace=5.0, payload=b"args", preview="args",
        options={"priority": 5, "at_most_once": True, "expires": 1.5}, queue="huey",
    )  # fmt: skip
    storage.declare_periodic([one, periodic("a")])

    assert [found.name for found in storage.periodic()] == ["a", "b"]
    assert stored(storage)["b"] == one
    assert stored(storage)["b"].origin == "code"


def test_declaring_again_keeps_the_next_run_of_what_is_unchanged(storage: Storage) -> None:
    storage.declare_periodic([periodic("same"), periodic("other"), periodic("zone")])

    storage.declare_periodic(
        [
            periodic("same", next_run=NOW + 60, grace=1.0, catch_up="skip"),
            periodic("other", "0 * * * *", next_run=NOW + 60),
            periodic("zone", tz="UTC", next_run=NOW + 60),
        ]
    )

    found = stored(storage)
    assert found["same"].next_run == NOW
    assert (found["same"].grace, found["same"].catch_up) == (1.0, "skip")
    assert (found["other"].next_run, found["other"].schedule) == (NOW + 60, "0 * * * *")
    assert (found["zone"].next_run, found["zone"].tz) == (NOW + 60, "UTC")


def test_what_is_declared_no_more_is_forgotten_and_what_was_made_by_hand_is_kept(
    storage: Storage,
) -> None:
    storage.declare_periodic([periodic("old"), periodic("kept")])
    storage.schedule_periodic(periodic("by hand"))

    storage.declare_periodic([periodic("kept"), periodic("new")])

    assert set(stored(storage)) == {"by hand", "kept", "new"}
    storage.declare_periodic([])
    assert set(stored(storage)) == {"by hand"}


def test_a_fire_moves_the_schedule_and_enqueues_in_one_transaction(
    storage: Storage,
    lab: Lab,
) -> None:
    storage.declare_periodic([periodic()])
    job = new("tick", scheduled_for=NOW)
    before = lab.commits()

    assert storage.fire([Fire("tick", NOW, NOW + 60, [job])])

    assert lab.commits() == before + 1
    found = stored(storage)["tick"]
    assert (found.next_run, found.last_run, found.last_id) == (NOW + 60, NOW, job.id)
    (enqueued,) = storage.jobs(Selector())
    assert (enqueued.id, enqueued.scheduled_for, enqueued.state) == (job.id, NOW, State.PENDING)


def test_a_fire_that_somebody_else_made_does_nothing(storage: Storage) -> None:
    storage.declare_periodic([periodic()])
    storage.fire([Fire("tick", NOW, NOW + 60, [new()])])

    assert not storage.fire([Fire("tick", NOW, NOW + 60, [new()])])
    assert not storage.fire([Fire("unknown", NOW, NOW + 60, [new()])])

    assert storage.count(Selector()) == 1
    assert stored(storage)["tick"].next_run == NOW + 60


def test_a_fire_without_a_job_only_moves_on(storage: Storage) -> None:
    storage.declare_periodic([periodic()])
    storage.fire([Fire("tick", NOW, NOW + 60, [new(scheduled_for=NOW, id="first")])])

    assert storage.fire([Fire("tick", NOW + 60, NOW + 120, [])])

    found = stored(storage)["tick"]
    assert (found.next_run, found.last_run, found.last_id) == (NOW + 120, NOW, "first")


def test_a_fire_of_several_remembers_the_last(storage: Storage) -> None:
    storage.declare_periodic([periodic()])
    jobs = [new(scheduled_for=NOW + n) for n in range(3)]

    storage.fire([Fire("tick", NOW, NOW + 60, jobs)])

    assert stored(storage)["tick"].last_id == jobs[-1].id
    assert storage.count(Selector()) == 3


def test_many_schedulers_fire_each_time_once(storage: Storage) -> None:
    storage.declare_periodic([periodic()])
    barrier = threading.Barrier(5)

    def scheduler(_: int) -> int:
        barrier.wait()
        fired = 0
        while (seen := stored(storage)["tick"].next_run) < NOW + 40:
            jobs = [NewJob(new_id(), "tick", b"", scheduled_for=seen)]
            fired += len(storage.fire([Fire("tick", seen, seen + 1, jobs)]))
        return fired

    with ThreadPoolExecutor(5) as pool:
        fired = sum(pool.map(scheduler, range(5)))

    times = [job.scheduled_for for job in storage.jobs(Selector())]
    assert fired == 40
    assert sorted(times) == [NOW + n for n in range(40)]  # type: ignore[type-var]


def test_a_stored_schedule_is_removed_by_name_and_one_of_code_is_not(
    storage: Storage,
) -> None:
    storage.declare_periodic([periodic("of code")])
    storage.schedule_periodic(periodic("a"))
    storage.schedule_periodic(periodic("b"))

    assert storage.remove_periodic("a") and not storage.remove_periodic("a")
    assert not storage.remove_periodic("of code")
    assert set(stored(storage)) == {"b", "of code"}


def test_schedules_belong_to_their_queue(make_shared: Maker) -> None:
    ours, theirs = make_shared("ours"), make_shared("theirs")
    ours.declare_periodic([periodic()])
    theirs.declare_periodic([periodic("other")])

    assert not theirs.fire([Fire("tick", NOW, NOW + 60, [new()])])
    theirs.schedule_periodic(periodic())
    assert theirs.remove_periodic("tick")
    assert theirs.pause_periodic(["tick"]) == theirs.resume_periodic(["tick"]) == []
    assert set(stored(ours)) == {"tick"}
    assert stored(ours)["tick"].queue == "ours"
    everywhere = [(one.queue, one.name) for one in ours.periodic(whole=True)]
    assert everywhere == [("ours", "tick"), ("theirs", "other")]
