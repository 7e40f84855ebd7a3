"""What a handle gives in every state of its job."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest

from hueycore import (
    Huey,
    MemoryHuey,
    Result,
    ResultTimeout,
    SerializationError,
    State,
    StorageError,
    TaskException,
    UnknownJob,
)
from hueycore.signals import SIGNAL_FINAL_ERROR
from tests.helpers import Clock, Signals, consuming, drain, job, jobs, states, wait_until
from tests.storage.engines import lab_of


@pytest.fixture
def tasks(huey: Huey) -> Any:
    class Tasks:
        @staticmethod
        @huey.task()
        def double(n: int) -> int:
            return 2 * n

        @staticmethod
        @huey.task()
        def nothing() -> None: ...

        @staticmethod
        @huey.task()
        def fail(text: str) -> None:
            raise LookupError(text)

    return Tasks


def test_a_job_that_waits_gives_none_at_once(huey: Huey, tasks: Any) -> None:
    handle = tasks.double(4)

    assert handle.get() is None
    assert handle() is None
    assert not handle.is_ready()
    assert not handle.is_complete()
    assert handle.state is State.PENDING


@pytest.mark.feature("Result")
def test_a_blocking_get_that_times_out_raises_a_timeout_error(huey: Huey, tasks: Any) -> None:
    handle = tasks.double(4)

    with pytest.raises(ResultTimeout, match=r"0\.05 s"):
        handle.get(blocking=True, timeout=0.05)
    with pytest.raises(TimeoutError):
        handle(blocking=True, timeout=0)

    assert handle.state is State.PENDING


def test_a_get_may_revoke_what_it_will_not_wait_for(huey: Huey, tasks: Any) -> None:
    handle = tasks.double(4)

    with pytest.raises(ResultTimeout):
        handle.get(blocking=True, timeout=0.01, revoke_on_timeout=True)

    assert handle.state is State.REVOKED
    assert drain(huey) == 0


def test_a_value_is_handed_out_once_to_all_handles_and_kept_by_the_one_that_read_it(
    huey: Huey, tasks: Any
) -> None:
    handle = tasks.double(4)
    drain(huey)

    assert handle.is_ready() and handle.is_complete()
    assert [handle.get(), handle.get(), handle(blocking=True, timeout=0)] == [8, 8, 8]
    late: Result[int] = Result(huey, handle.id)
    assert late.get() is None
    assert late.get(blocking=True) is None
    assert (late.state, job(huey, late).taken) == (State.DONE, True)
    handle.reset()
    assert handle.get() is None


@pytest.mark.feature("huey.result")
def test_preserve_leaves_the_value_for_others(huey: Huey, tasks: Any) -> None:
    handle = tasks.double(4)
    drain(huey)

    assert handle.get(preserve=True) == 8
    assert huey.result(handle.id, preserve=True) == 8
    assert huey.result(handle.id) == 8
    assert huey.result(handle.id) is None


@pytest.mark.feature("what get gives")
def test_none_is_given_at_once_also_to_a_blocking_get(huey: Huey, tasks: Any) -> None:
    handle = tasks.nothing()
    drain(huey)

    started = time.monotonic()
    assert handle.get(blocking=True, timeout=30) is None
    assert time.monotonic() - started < 5
    assert (handle.is_ready(), job(huey, handle).taken, huey.result_count()) == (True, None, 0)


def test_store_none_counts_none_as_a_result(path: str) -> None:
    huey = Huey("app", url=path, store_none=True)

    @huey.task()
    def nothing() -> None: ...

    handle = nothing()
    drain(huey)

    assert huey.result_count() == 1
    assert handle.get() is None
    assert (huey.result_count(), job(huey, handle).taken) == (0, True)
    huey.close()


@pytest.mark.feature("what get gives")
def test_a_dead_job_raises_what_happened(huey: Huey, tasks: Any) -> None:
    handle = tasks.fail("no such page")
    drain(huey)

    for _ in range(2):
        with pytest.raises(TaskException, match=r"LookupError\('no such page'\)") as caught:
            handle.get(blocking=True)
    assert caught.value.metadata["task_id"] == handle.id
    assert caught.value.metadata["retries"] == 0
    assert "raise LookupError(text)" in caught.value.metadata["traceback"]


def test_a_dead_job_raises_also_after_somebody_has_read_its_error(huey: Huey, tasks: Any) -> None:
    handle = tasks.fail("no such page")
    drain(huey)
    with pytest.raises(TaskException):
        huey.result(handle.id)

    with pytest.raises(TaskException, match=r"LookupError\('no such page'\)") as caught:
        huey.result(handle.id)

    assert caught.value.metadata["task_id"] == handle.id
    assert caught.value.metadata["reason"] == "failed"
    assert "raise LookupError(text)" in caught.value.metadata["traceback"]


def test_a_dead_job_raises_when_no_results_are_stored(path: str) -> None:
    huey = Huey("app", url=path, results=False)

    @huey.task()
    def fail() -> None:
        raise LookupError("kept in the row")

    fail()
    drain(huey)

    with pytest.raises(TaskException, match="kept in the row"):
        huey.result(jobs(huey)[0].id)
    huey.close()


@pytest.mark.parametrize("how", ["revoked", "expired"])
@pytest.mark.feature("what get gives")
def test_a_job_that_will_never_run_raises_instead_of_waiting(
    huey: Huey, tasks: Any, clock: Clock, how: str
) -> None:
    clock.freeze()
    handle = huey.enqueue(tasks.double.s(4, expires=5))
    assert handle is not None
    if how == "revoked":
        handle.revoke()
    else:
        clock.jump(6)
        drain(huey)

    with pytest.raises(TaskException, match=how):
        handle.get(blocking=True, timeout=30)
    assert handle.is_complete()


def test_a_revocation_says_why(huey: Huey, tasks: Any) -> None:
    handle = tasks.double(4)
    handle.revoke(reason="customer left")

    with pytest.raises(TaskException, match="customer left"):
        handle.get()


def test_a_job_that_does_not_exist_is_an_error_and_not_a_wait(huey: Huey) -> None:
    handle: Result[int] = Result(huey, "no-such-job")

    for ask in (
        handle.get,
        lambda: handle.get(blocking=True),
        lambda: huey.result("no-such-job"),
        lambda: handle.state,
        lambda: handle.seq,
        handle.is_complete,
        handle.is_ready,
        handle.wait,
    ):
        with pytest.raises(UnknownJob, match="no-such-job"):
            ask()


def test_a_job_that_is_flushed_while_somebody_waits_ends_the_wait(huey: Huey, tasks: Any) -> None:
    handle = tasks.double(4)
    outcome: list[BaseException] = []

    def wait() -> None:
        try:
            handle.get(blocking=True, timeout=20)
        except UnknownJob as error:
            outcome.append(error)

    waiter = threading.Thread(target=wait)
    waiter.start()
    huey.flush()
    waiter.join(10)

    assert len(outcome) == 1


@pytest.mark.feature("Result")
def test_a_handle_can_be_made_from_a_bare_id(huey: Huey, tasks: Any) -> None:
    sent = tasks.double(4)
    handle: Result[int] = Result(huey, sent.id)
    drain(huey)

    assert (handle.seq, handle.state, handle.get()) == (sent.seq, State.DONE, 8)
    assert sent.id in repr(handle)


def test_a_value_that_another_serializer_wrote_is_an_error_and_stays(
    huey: Huey, tasks: Any
) -> None:
    from hueycore import JSONSerializer

    handle = tasks.double(4)
    drain(huey)
    other = Huey("app", url=huey.location, serializer=JSONSerializer())

    with pytest.raises(SerializationError, match="written as pickle/1"):
        other.result(handle.id)

    assert handle.get() == 8
    other.close()


def test_wait_sleeps_until_the_job_is_over(huey: Huey, tasks: Any) -> None:
    handle = tasks.double(4)
    assert handle.wait(timeout=0.01) is False
    release = threading.Timer(0.05, lambda: drain(huey))
    release.start()

    assert handle.wait(timeout=20) is True
    assert handle.state is State.DONE
    release.join()


@pytest.mark.feature("Result")
def test_a_blocking_get_is_woken_by_the_consumer(huey: Huey, tasks: Any) -> None:
    with consuming(huey):
        started = time.monotonic()
        assert [tasks.double(n).get(blocking=True, timeout=20) for n in range(20)] == [
            2 * n for n in range(20)
        ]
        assert time.monotonic() - started < 5


def test_a_memory_queue_wakes_its_waiters_too() -> None:
    huey = MemoryHuey()

    @huey.task()
    def double(n: int) -> int:
        return 2 * n

    with consuming(huey, workers=2):
        assert double.map(range(5)).get(blocking=True, timeout=20) == [0, 2, 4, 6, 8]
    huey.close()


# --- groups ---------------------------------------------------------------------------------------


def test_a_group_gives_its_values_in_order(huey: Huey, tasks: Any) -> None:
    group = tasks.double.map([3, 1, 2])
    drain(huey)

    assert group() == [6, 2, 4]
    assert (group[1], len(group), [r.get() for r in group]) == (2, 3, [6, 2, 4])


def test_the_timeout_of_a_group_is_for_all_of_it(huey: Huey, tasks: Any) -> None:
    group = tasks.double.map(range(50))
    started = time.monotonic()

    with pytest.raises(ResultTimeout):
        group.get(blocking=True, timeout=0.1)

    assert time.monotonic() - started < 2


def test_as_completed_gives_values_in_the_order_of_their_ends(huey: Huey, tasks: Any) -> None:
    group = tasks.double.map([1, 2, 3])
    urgent = huey.enqueue(tasks.double.s(9, priority=5))
    assert urgent is not None
    group._results.append(urgent)
    values = group.as_completed(timeout=20)

    task = huey.dequeue()
    assert task is not None
    huey.execute(task)
    assert next(values) == 18
    drain(huey)

    assert list(values) == [2, 4, 6]


def test_as_completed_times_out(huey: Huey, tasks: Any) -> None:
    with pytest.raises(ResultTimeout, match="2 jobs"):
        list(tasks.double.map([1, 2]).as_completed(timeout=0.05))


# --- rescheduling ---------------------------------------------------------------------------------


@pytest.mark.feature("reschedule")
def test_reschedule_moves_the_job_and_keeps_its_id(huey: Huey, tasks: Any, clock: Clock) -> None:
    now = clock.freeze()
    handle = tasks.double.schedule((4,), delay=600)

    moved = handle.reschedule(delay=60, priority=9, expires=90)

    row = job(huey, handle)
    assert moved.id == handle.id
    assert (row.state, row.run_at) == (State.SCHEDULED, now + 60)
    assert (row.priority, row.expires_at) == (9, now + 150)
    assert states(huey) == {"scheduled": 1}
    clock.jump(61)
    drain(huey)
    assert moved.get() == 8


def test_reschedule_without_a_time_is_now_and_with_one_holds_back(
    huey: Huey, tasks: Any, clock: Clock
) -> None:
    clock.freeze()
    handle = tasks.double.schedule((4,), delay=600)
    handle.reschedule()
    assert states(huey) == {"pending": 1}

    handle.reschedule(delay=5)
    assert states(huey) == {"scheduled": 1}
    assert drain(huey) == 0


@pytest.mark.feature("reschedule")
@pytest.mark.parametrize("bare", [False, True])
def test_reschedule_of_a_job_that_is_over_enqueues_a_copy(
    huey: Huey, clock: Clock, bare: bool
) -> None:
    now = clock.freeze()

    @huey.task(retries=1, timeout=9)
    def divide(a: int, *, by: int) -> float:
        return a / by

    handle = divide.schedule((1,), {"by": 0}, delay=0, priority=3, expires=60)
    drain(huey)
    assert handle.state is State.DEAD
    old = job(huey, handle)

    again = (Result(huey, handle.id) if bare else handle).reschedule(delay=5)

    assert again.id != handle.id and job(huey, handle) == old
    row = job(huey, again)
    assert (row.state, row.run_at, row.expires_at) == (State.SCHEDULED, now + 5, now + 65)
    assert (row.preview, row.priority, row.retries, row.timeout) == (old.preview, 3, 1, 9)
    assert states(huey) == {"dead": 1, "scheduled": 1}


def test_a_copy_of_a_stage_is_called_with_what_the_stages_before_gave(
    huey: Huey, tasks: Any
) -> None:
    _, last = huey.enqueue(tasks.double.s(4).then(tasks.double))
    drain(huey)

    again = last.reschedule(expires=timedelta(minutes=1))
    drain(huey)

    assert again.get() == 16


def test_there_is_no_copy_of_a_job_that_is_gone(huey: Huey, tasks: Any) -> None:
    handle = tasks.double(4)
    huey.flush()

    with pytest.raises(UnknownJob):
        handle.reschedule()


def test_reschedule_leaves_a_job_that_runs(huey: Huey, tasks: Any) -> None:
    handle = tasks.double(4)
    assert huey.dequeue() is not None

    assert handle.reschedule(delay=5) is handle
    assert states(huey) == {"running": 1}


def test_a_rescheduled_job_wakes_the_consumer(huey: Huey, tasks: Any) -> None:
    with consuming(huey):
        handle = tasks.double.schedule((4,), delay=600)
        started = time.monotonic()
        handle.reschedule()
        wait_until(handle.is_complete)
        assert time.monotonic() - started < 2


# --- too large ------------------------------------------------------------------------------------


@pytest.fixture
def small(path: str) -> Iterator[Huey]:
    """A queue that takes a thousand bytes at most."""
    with closing(Huey("small", url=path, max_payload=1000)) as huey:
        yield huey


@pytest.mark.feature("back-pressure")
def test_a_result_over_the_limit_ends_its_job_dead_without_a_retry(small: Huey) -> None:
    seen = Signals(small)

    @small.task(retries=3)
    def give(size: int) -> bytes:
        return bytes(size)

    fits, large = give(900), give(1000)
    drain(small)

    assert fits.get() == bytes(900)
    row = job(small, large)
    assert (row.state, row.reason, row.attempt, row.retries) == (State.DEAD, "failed", 1, 3)
    assert row.errors[-1]["type"] == "ResultTooLarge"
    with pytest.raises(TaskException, match="the limit is 1,000"):
        large.get()
    assert seen.names(large.id)[-1] == SIGNAL_FINAL_ERROR


def test_a_result_for_the_next_stage_alone_has_the_limit_as_well(path: str) -> None:
    with closing(Huey("small", url=path, max_payload=1000, results=False)) as huey:

        @huey.task()
        def give(size: int) -> bytes:
            return bytes(size)

        @huey.task()
        def take(data: bytes) -> None: ...

        huey.enqueue(give.s(1000).then(take))
        drain(huey)

        assert states(huey) == {"dead": 1, "revoked": 1}


def test_who_completes_a_run_with_too_large_a_result_is_told(small: Huey) -> None:
    @small.task(context=True, retries=3)
    def give(task: Any = None) -> None:
        with closing(lab_of(small.storage).connect()) as connection:
            task.complete_in(connection, bytes(1000))

    handle = give()
    drain(small)

    assert (job(small, handle).state, job(small, handle).attempt) == (State.DEAD, 1)


@pytest.mark.parametrize("handled", [False, True])
def test_an_error_too_large_to_be_stored_is_told_from_the_row(small: Huey, handled: bool) -> None:
    given = []

    @small.task()
    def fail() -> None:
        raise LookupError("x" * 5000)

    @small.task()
    def handle_it(error: BaseException) -> None:
        given.append(error)

    handle = small.enqueue(fail.s().error(handle_it) if handled else fail.s())
    drain(small)

    with pytest.raises(TaskException, match=r"LookupError.*xxx"):
        handle.get()
    assert [type(error) for error in given] == ([TaskException] if handled else [])


def test_an_ending_that_cannot_be_written_is_a_dead_job_by_hand_too(
    huey: Huey, caplog: pytest.LogCaptureFixture
) -> None:
    seen = Signals(huey)

    @huey.task(context=True, retries=1)
    def odd(task: Any = None) -> None:
        task.retry_delay = Fraction(1, 3)
        raise LookupError("odd")

    handle = odd()
    assert drain(huey) == 1

    row = job(huey, handle)
    assert (row.state, row.reason) == (State.DEAD, "unwritable")
    ((number, state, (error,)),) = seen.of(SIGNAL_FINAL_ERROR)
    assert (number, state, type(error)) == (handle.id, "dead", StorageError)
    assert "is dead (unwritable)" in caplog.text
    with pytest.raises(TaskException, match=r"cannot be written.*LookupError: odd"):
        handle.get()
