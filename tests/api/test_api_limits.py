"""Locks, limits and rates as an application says them; pausing from Python."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from hueycore import (
    ConfigurationError,
    Huey,
    MemoryHuey,
    RateLimitExceeded,
    SqliteHuey,
    TaskLockedException,
)
from hueycore.model.limits import Limit, Rate
from hueycore.model.states import State
from tests.helpers import Clock, Signals, drain, job, run_one, run_python, states, wait_until


def limits(huey: Huey) -> list[Limit]:
    return huey.storage.limits()


# --- declaring ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"max_concurrent": 2}, (None, 2, None)),
        ({"context": {"max_concurrent": 2}}, (None, 2, None)),
        ({"lock": True}, (None, 1, None)),
        ({"lock": "shared"}, ("shared", 1, None)),
        ({"lock": True, "concurrency_key": "shared"}, ("shared", 1, None)),
        ({"max_concurrent": 3, "concurrency_key": "shared"}, ("shared", 3, None)),
        ({"rate": "10/m"}, (None, None, Rate(10, 60.0))),
        ({"rate": "5/30s", "max_concurrent": 1}, (None, 1, Rate(5, 30.0))),
        ({"rate": " 100 / h "}, (None, None, Rate(100, 3600.0))),
    ],
)
@pytest.mark.feature("max_concurrent", "lock=True", "rate limit")
def test_options_of_a_task_become_a_limit_of_the_queue(
    huey: Huey, options: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    @huey.task(**options)
    def held() -> None: ...

    handle = held()

    key, at_once, rate = expected
    name = key or f"{__name__}.held"
    assert limits(huey) == [Limit(f"{__name__}.held", name, at_once, rate)]
    assert job(huey, handle).key_name == name


def test_a_key_can_depend_on_the_call(huey: Huey) -> None:
    @huey.task(max_concurrent=1, concurrency_key=lambda customer, **_: f"customer {customer}")
    def bill(customer: int, amount: int = 0) -> None: ...

    handles = [bill(1), bill(1, amount=5), bill(2)]

    assert [job(huey, handle).key_name for handle in handles] == [
        "customer 1", "customer 1", "customer 2",
    ]  # fmt: skip
    assert [str(job(huey, handle).state) for handle in handles] == ["pending", "blocked", "pending"]
    assert limits(huey)[0].key is None


@pytest.mark.parametrize(
    "options",
    [
        {"lock": True, "max_concurrent": 2},
        {"lock": "name", "concurrency_key": "other"},
        {"concurrency_key": "alone"},
        {"max_concurrent": 0},
        {"rate": "often"},
        {"rate": "0/s"},
        {"rate": "1/0s"},
    ],
)
def test_options_that_make_no_sense_are_refused(huey: Huey, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        huey.task(**options)(lambda: None)


def test_decorators_above_a_task_that_cannot_be_joined_are_refused(huey: Huey) -> None:
    with pytest.raises(ConfigurationError, match="one key"):
        huey.lock_task("b")(huey.task(lock="a")(lambda: None))
    with pytest.raises(ConfigurationError, match="one rate"):
        huey.rate_limit("a", 1, 1)(huey.rate_limit("a", 2, 1)(huey.task(name="x")(lambda: None)))
    both = huey.rate_limit("a", 1, 60)(huey.lock_task("a")(huey.task(name="y")(lambda: None)))
    assert both.limit == Limit(both.name, "a", 1, Rate(1, 60, 1))


@pytest.mark.parametrize("numbers", [(0, 1, None), (1, 0, None), (5, 1, 6), (5, 1, 0)])
def test_a_rate_that_is_none_is_refused(huey: Huey, numbers: Any) -> None:
    limit, per, burst = numbers
    with pytest.raises(ConfigurationError):
        huey.rate_limit("api", limit, per, burst=burst)


def test_a_deploy_with_another_limit_is_in_force_when_its_consumer_begins(path: str) -> None:
    def release(**options: Any) -> tuple[Huey, Any]:
        huey = Huey("app", url=path)
        return huey, huey.task(name="work", **options)(lambda: None)

    old, work = release(max_concurrent=1)
    for _ in range(4):
        work()
    old.close()

    for options, expected in (
        ({"max_concurrent": 3}, {"pending": 3, "blocked": 1}),
        ({}, {"pending": 4}),
    ):
        huey, _ = release(**options)
        huey.declare_limits()
        assert states(huey) == expected
        huey.close()


# --- lock_task ------------------------------------------------------------------------------------


@pytest.mark.feature("lock_task")
def test_a_lock_in_a_task_that_is_held_raises_and_the_job_is_retried(huey: Huey) -> None:
    seen = Signals(huey)

    @huey.task(retries=1)
    def work() -> str:
        with huey.lock_task("name"):
            return "done"

    handle = work()
    with huey.lock_task("name"):
        run_one(huey)
    assert "locked" in seen.names()
    assert job(huey, handle).errors[0]["type"] == "TaskLockedException"
    run_one(huey)

    assert handle.get() == "done"
    assert not huey.is_locked("name")


def test_a_job_that_finds_a_lock_and_has_no_retries_is_dead(huey: Huey) -> None:
    @huey.task()
    @huey.lock_task("name")
    def work() -> None: ...

    handle = work()
    with huey.lock_task("name"):
        run_one(huey)

    assert (job(huey, handle).state, job(huey, handle).reason) == (State.DEAD, "locked")


@pytest.mark.feature("lock_task")
def test_a_lock_above_a_task_makes_its_runs_take_turns(huey: Huey) -> None:
    """As `@huey.lock_task("demo:daily-sync")` stands in the published tutorial."""

    @huey.lock_task("demo:daily-sync")
    @huey.task()
    def sync(tag: str = "sync") -> str:
        assert huey.is_locked("demo:daily-sync")
        with pytest.raises(TaskLockedException):
            huey.lock_task("demo:daily-sync").acquire()
        return tag

    handles = [sync(f"run{n}") for n in range(3)]
    assert states(huey) == {"pending": 1, "blocked": 2}
    assert drain(huey) == 3

    assert [handle.get() for handle in handles] == ["run0", "run1", "run2"]
    assert states(huey) == {"done": 3}


def test_a_lock_is_not_reentrant_as_in_huey(huey: Huey) -> None:
    lock = huey.lock_task("name")

    with lock, pytest.raises(TaskLockedException), lock:
        pass

    assert not lock.is_locked()


def test_a_lock_is_let_go_when_its_body_fails(huey: Huey) -> None:
    @huey.lock_task("name")
    def work() -> None:
        assert huey.is_locked("name")
        raise ValueError

    for _ in range(2):
        with pytest.raises(ValueError):
            work()

    assert not huey.is_locked("name")


def test_a_lease_ends_and_its_old_holder_does_not_free_the_new_ones_lock(
    huey: Huey, clock: Clock
) -> None:
    clock.freeze()
    with huey.lock_task("name", ttl=60):
        clock.jump(61)
        new = huey.lock_task("name")
        new.acquire()
    assert huey.is_locked("name")
    assert new.clear()


def test_a_lock_can_be_waited_for(huey: Huey) -> None:
    order: list[str] = []
    held, wanted = threading.Event(), threading.Event()

    def first() -> None:
        with huey.lock_task("name"):
            held.set()
            assert wanted.wait(10)
            order.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    assert held.wait(10)
    with pytest.raises(TaskLockedException), huey.lock_task("name", wait=0.02):
        pass
    threading.Timer(0.05, wanted.set).start()
    with huey.lock_task("name", wait=10):
        order.append("second")
    thread.join()

    assert order == ["first", "second"]


def test_who_gave_up_waiting_leaves_no_place_behind(huey: Huey) -> None:
    work = huey.task(lock="name")(lambda: None)
    work()
    task = huey.dequeue()
    assert task is not None
    with pytest.raises(TaskLockedException):
        huey.lock_task("name", wait=0.01).acquire()

    huey.execute(task)

    assert not huey.is_locked("name")


def test_the_lock_of_a_killed_process_is_free_at_once(huey: Huey, path: str) -> None:
    run_python(
        """
        import os, signal, sys
        from hueycore import Huey

        Huey("app", url=sys.argv[1]).lock_task("name").acquire()
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        path,
        exits=-9,
    )
    assert [lock.alive for lock in huey.storage.locks()] == [False]

    assert not huey.is_locked("name")
    with huey.lock_task("name"):
        assert huey.is_locked("name")


def test_locks_can_be_flushed(huey: Huey) -> None:
    huey.lock_task("mine").acquire()
    huey.lock_task("free")
    huey.storage.lock("other", huey._lock_holder.number(), b"token")

    assert huey.flush_locks("other", " unknown") == {"mine", "other"}
    assert huey.flush_locks() == set()


def test_a_queue_in_memory_has_locks_too() -> None:
    huey = MemoryHuey()
    with huey.lock_task("name"):
        assert huey.is_locked("name")
    assert not huey.is_locked("name")
    huey.close()


def test_immediate_mode_runs_the_jobs_of_a_key_one_after_the_other() -> None:
    huey = SqliteHuey("app", immediate=True)
    work = huey.task(lock=True)(lambda n: n)

    handles = huey.enqueue_many(work.s(n) for n in range(3))

    assert [handle.get() for handle in handles] == [0, 1, 2]
    huey.close()


# --- rates ----------------------------------------------------------------------------------------


@pytest.mark.feature("rate limit")
def test_a_rate_in_a_task_reserves_the_slot_and_counts_no_attempt(huey: Huey, clock: Clock) -> None:
    now = clock.freeze()
    runs: list[int] = []

    @huey.task(context=True, retry_delay=500)
    def call(n: int, task: Any) -> int:
        with huey.rate_limit("api", limit=2, per=60):
            runs.append(n)
            return int(task.attempt)

    handles = [call(n) for n in range(5)]
    assert drain(huey) == 5
    assert runs == [0, 1]
    assert [job(huey, handle).run_at - now for handle in handles[2:]] == pytest.approx([30, 60, 90])

    while huey.scheduled_count():
        clock.jump(30)
        assert drain(huey) == 1

    assert runs == [0, 1, 2, 3, 4]
    assert [handle.get() for handle in handles] == [1] * 5
    assert max(job(huey, handle).claim for handle in handles) == 2


@pytest.mark.feature("rate limit")
def test_a_rate_above_a_task_holds_its_jobs_back(huey: Huey, clock: Clock) -> None:
    clock.freeze()

    @huey.rate_limit("api", limit=2, per=60)
    @huey.task()
    def call(n: int) -> int:
        return n

    for n in range(4):
        call(n)
    assert drain(huey) == 2
    assert states(huey) == {"done": 2, "blocked": 2}
    clock.jump(30)

    assert drain(huey) == 1


def test_a_rate_of_a_plain_program_raises(huey: Huey, clock: Clock) -> None:
    clock.freeze()

    @huey.rate_limit("api", limit=1, per=60)
    def call() -> str:
        return "called"

    assert call() == "called"
    with pytest.raises(RateLimitExceeded) as error:
        call()
    assert (error.value.key, error.value.retry, error.value.run_at) == ("api", True, None)
    assert error.value.delay == pytest.approx(60)
    clock.jump(60)
    assert call() == "called"
    huey.rate_limit("api", 1, 60).reset()
    assert call() == "called"


def test_a_rate_that_is_not_to_be_retried_uses_up_the_retries(huey: Huey, clock: Clock) -> None:
    clock.freeze()

    @huey.task()
    def call() -> None:
        huey.rate_limit("api", 1, 60, retry=False).acquire()

    first, second = call(), call()
    drain(huey)

    assert job(huey, first).state is State.DONE
    assert (job(huey, second).state, job(huey, second).reason) == (State.DEAD, "rate-limited")


@pytest.mark.parametrize(("retry_delay", "waits"), [(0, 60), (7, 7)])
def test_a_retry_of_a_used_up_rate_waits_for_the_next_slot_unless_it_has_a_delay(
    huey: Huey, clock: Clock, retry_delay: int, waits: int
) -> None:
    now = clock.freeze()

    @huey.task(retries=1, retry_delay=retry_delay)
    def call() -> None:
        huey.rate_limit("api", 1, 60, retry=False).acquire()

    first, second = call(), call()
    drain(huey)

    row = job(huey, second)
    assert (job(huey, first).state, row.state, row.retries) == (State.DONE, State.SCHEDULED, 0)
    assert row.run_at == pytest.approx(now + waits, abs=1e-3)
    clock.jump(61)
    drain(huey)
    assert job(huey, second).state is State.DONE


# --- pausing --------------------------------------------------------------------------------------


@pytest.mark.feature("pause and resume")
def test_a_task_can_be_paused_and_resumed(huey: Huey, clock: Clock) -> None:
    clock.freeze()
    work = huey.task(name="work")(lambda: 1)
    other = huey.task(name="other")(lambda: 2)
    work(), other()

    huey.pause(work, for_=60, reason="tests")
    assert drain(huey) == 1
    (order,) = huey.storage.revocations()
    assert (order.name, order.until, order.reason) == (work.name, clock.now() + 60, "tests")
    clock.jump(61)
    assert drain(huey) == 1

    huey.pause(task=work.name)
    assert huey.resume(task=work)
    assert not huey.resume(task=work)


@pytest.mark.feature("pause and resume")
def test_a_queue_can_be_paused_and_resumed(huey: Huey) -> None:
    work = huey.task()(lambda: 1)
    huey.pause(reason="tests")
    work()

    assert drain(huey) == 0
    assert huey.resume()
    assert drain(huey) == 1
    wait_until(lambda: states(huey) == {"done": 1})
