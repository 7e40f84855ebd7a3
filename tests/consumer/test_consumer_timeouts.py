"""Soft timeouts of thread workers: thrown into the run, never into the storage."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from hueycore import Huey, State, TaskException, TaskTimeout
from hueycore.consumer.workers import timeouts as timeouts_module
from hueycore.consumer.workers.timeouts import Timeouts
from hueycore.runs.timeouts import limited
from hueycore.system.shield import shield_of_this_thread
from tests.helpers import (
    Gate,
    Signals,
    consuming,
    job,
    jobs,
    run_python,
    running,
    states,
    wait_until,
)
from tests.storage.engines import lab_of


@pytest.fixture
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that ignores its timeout is overdue almost at once."""
    monkeypatch.setattr("hueycore.tasks.options.GRACE", 0.05)


@pytest.mark.usefixtures("any_kind")
@pytest.mark.feature("timeouts")
def test_a_loop_in_python_is_interrupted(huey: Huey) -> None:
    @huey.task(timeout=0.05)
    def spin() -> None:
        while True:
            pass

    seen = Signals(huey)
    handle = spin()
    started = time.monotonic()
    with consuming(huey):
        with pytest.raises(TaskException, match="TaskTimeout"):
            handle.get(blocking=True, timeout=10)
        assert time.monotonic() - started < 2
        wait_until(lambda: seen.of("timeout"))

    row = job(huey, handle)
    assert (row.state, row.reason) == (State.DEAD, "timeout")
    assert row.errors[0]["type"] == "TaskTimeout"
    assert 0.05 <= row.errors[0]["run_s"] < 2
    assert sorted(seen.names()) == ["enqueued", "executing", "timeout"]


@pytest.mark.usefixtures("any_kind")
def test_a_timeout_uses_retries_and_the_timeout_of_a_call_wins(huey: Huey) -> None:
    @huey.task(timeout=60, retries=1)
    def spin(n: int) -> None:
        while huey.incr("tries", 0) < 1000:
            huey.incr(f"run {n}", 0)

    with consuming(huey):
        handle = huey.enqueue(spin.s(1, timeout=0.05))
        assert handle is not None
        wait_until(lambda: handle.state is State.DEAD)

    assert [error["type"] for error in job(huey, handle).errors] == ["TaskTimeout"] * 2


def test_a_job_in_time_is_left_alone_also_afterwards(huey: Huey) -> None:
    @huey.task(timeout=0.02)
    def quick(n: int) -> int:
        time.sleep(0.019 if n % 10 == 0 else 0)
        return n

    @huey.task()
    def after() -> str:
        end = time.monotonic() + 0.002
        while time.monotonic() < end:
            pass
        return "untouched"

    with consuming(huey, workers=2):
        handles = [(quick(n), after()) for n in range(100)]
        for _, handle in handles:
            assert handle.get(blocking=True, timeout=20) == "untouched"

    outcomes = {str(handle.state) for handle, _ in handles}
    assert outcomes <= {"done", "dead"}
    assert {row.reason for row in jobs(huey, State.DEAD)} <= {"timeout"}


@pytest.mark.usefixtures("any_kind")
def test_a_task_may_clean_up_and_may_swallow_its_timeout(huey: Huey) -> None:
    @huey.task(timeout=0.05)
    def careful() -> str:
        try:
            while True:
                pass
        except TaskTimeout:
            return "cleaned up"

    with consuming(huey):
        assert careful().get(blocking=True, timeout=10) == "cleaned up"


@pytest.mark.parametrize("timeout", [1e-9, 1e-6, 1e-4])
def test_a_timeout_of_almost_nothing_hits_its_own_job_only(
    huey: Huey, timeout: float, short_grace: None
) -> None:
    @huey.task(timeout=timeout)
    def hurried() -> None:
        for _ in range(200):
            pass

    @huey.task()
    def calm() -> int:
        assert shield_of_this_thread() is None
        return 1

    with consuming(huey, workers=2) as consumer:
        hurried_ones = huey.enqueue_many(hurried.s() for _ in range(150))
        calm_ones = huey.enqueue_many(calm.s() for _ in range(150))
        for handle in calm_ones:
            assert handle.get(blocking=True, timeout=20) == 1
        wait_until(lambda: all(handle.is_complete() for handle in hurried_ones))
        assert consumer._timeouts._runs == {}

    assert {row.reason for row in jobs(huey, State.DEAD)} <= {"timeout"}
    assert {row.attempt for row in jobs(huey)} == {1}


@pytest.mark.slow
def test_a_timeout_never_strikes_inside_a_storage_verb(
    huey: Huey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task that does nothing but enqueue: after each timeout the lock is free, the file sound,
    and every enqueue that was acknowledged is there."""
    acknowledged: list[str] = []
    inside: list[str] = []
    database, verb = innermost(huey.storage)
    original = getattr(database, verb)

    def transact(self: Any, body: Any, *how: Any) -> Any:
        begun = []

        def noted(con: Any) -> Any:
            begun.append(1)
            return body(con)

        try:
            return original(self, noted, *how)
        except TaskTimeout:
            inside.extend("struck" for _ in begun)
            raise

    monkeypatch.setattr(database, verb, transact)

    @huey.task()
    def child() -> None: ...

    @huey.task(timeout=0.004)
    def parent() -> None:
        while True:
            handle = child.schedule(delay=3600)
            acknowledged.append(handle.id)
            huey.put("key", len(acknowledged))
            huey.get("key", peek=True)
            huey.incr("n")

    with consuming(huey, workers=3):
        parents = huey.enqueue_many(parent.s() for _ in range(250))
        wait_until(lambda: all(handle.is_complete() for handle in parents), 60)
        assert child().get(blocking=True, timeout=10) is None

    assert inside == []
    assert {row.reason for row in jobs(huey, State.DEAD)} == {"timeout"}
    found = {row.id for row in jobs(huey, State.SCHEDULED)}
    assert len(acknowledged) > 50
    assert set(acknowledged) <= found
    assert len(found) - len(acknowledged) <= 250
    lab = lab_of(huey.storage)
    assert not (lab.transactional and lab.writing.locked())


def innermost(storage: Any) -> tuple[Any, str]:
    """The class and the method that carry out what a verb does with a connection."""
    if hasattr(storage, "client"):
        return type(storage.client), "_try"
    return type(storage.db), "_transact"


@pytest.mark.feature("timeouts")
def test_a_thread_that_will_not_stop_is_overdue_and_another_takes_its_place(
    huey: Huey, short_grace: None, caplog: pytest.LogCaptureFixture
) -> None:
    in_c = threading.Lock()
    in_c.acquire()
    runs: list[int] = []

    @huey.task(timeout=0.02)
    def stuck() -> str:
        runs.append(1)
        in_c.acquire()  # a call into C, where no exception arrives
        return "never"

    @huey.task()
    def other() -> int:
        return 1

    handle = stuck()
    with running(huey, workers=1) as (consumer, _):
        wait_until(lambda: "ignores its timeout" in caplog.text)
        # Its claim is kept: while the thread lives, nobody runs the job beside it.
        assert other().get(blocking=True, timeout=10) == 1
        assert handle.state is State.RUNNING
        assert [seq for _, seq in huey.storage.workers()[0].running] == [handle.seq]
        in_c.release()
        wait_until(handle.is_complete)
        assert consumer.error is None
        assert other().get(blocking=True, timeout=10) == 1
        wait_until(lambda: len(workers_alive()) == 1)

    row = job(huey, handle)
    assert (row.state, row.reason, row.attempt, runs) == (State.DEAD, "timeout", 1, [1])


def workers_alive() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("huey-worker")]


def test_a_job_is_overdue_at_its_hard_timeout(huey: Huey, caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate()

    @huey.task(timeout=(0.02, 0.1))
    def stubborn() -> None:
        while not gate.open.is_set():
            try:
                gate.open.wait(0.01)
            except TaskTimeout:
                gate.pass_through()

    stubborn()
    with consuming(huey, workers=1):
        wait_until(lambda: "ignores its timeout" in caplog.text, 4.0)
        gate.open.set()


def test_an_overdue_job_that_swallows_its_timeout_ends_as_it_likes(
    huey: Huey, short_grace: None, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate()

    @huey.task(timeout=0.02)
    def stubborn() -> str:
        while not gate.open.is_set():
            try:
                gate.open.wait(0.01)
            except TaskTimeout:
                gate.pass_through()
        return "in the end"

    handle = stubborn()
    with consuming(huey, workers=1):
        wait_until(lambda: "ignores its timeout" in caplog.text)
        gate.open.set()
        assert handle.get(blocking=True, timeout=10) == "in the end"
        assert job(huey, handle).attempt == 1


def test_as_many_spares_as_workers_and_then_the_consumer_gives_up(
    huey: Huey, short_grace: None
) -> None:
    gate = Gate()

    @huey.task(timeout=0.01)
    def stubborn() -> None:
        while not gate.open.is_set():
            try:
                gate.pass_through()
            except TaskTimeout:
                pass

    huey.enqueue_many(stubborn.s() for _ in range(10))
    with running(huey, workers=2) as (consumer, thread):
        thread.join(20)
        assert not thread.is_alive()
        # Two workers hung, two spares hung, and the next one to hang was too many.
        assert states(huey)["running"] in (3, 4)
        assert "too many workers hang" in str(consumer.error)
        assert consumer.stop() == 1
        gate.open.set()
        wait_until(lambda: workers_alive() == [])


@pytest.mark.usefixtures("any_kind")
def test_time_remaining_is_told_to_the_task(huey: Huey) -> None:
    @huey.task(timeout=30, context=True)
    def look(task: Any = None) -> tuple[bool, bool]:
        return 29 < task.time_remaining <= 30, task.is_timed_out

    with consuming(huey):
        assert look().get(blocking=True, timeout=10) == (True, False)


def test_a_profiler_works_in_a_process_whose_jobs_ran_into_their_timeout(path: str) -> None:
    """A flag of CPython that nobody takes down again hangs a traced 3.11 at the next call."""
    run_python(
        """
        import cProfile, faulthandler, sys, time
        from hueycore import Huey
        from tests.helpers import consuming, states, wait_until

        huey = Huey("app", url=sys.argv[1])

        @huey.task(timeout=0.01)
        def swallow():
            try:
                time.sleep(0.1)  # thrown meanwhile, it may arrive at any line from here on
            except BaseException:
                pass

        @huey.task(timeout=10)
        def quick(): ...

        with consuming(huey, workers=4):
            for _ in range(20):
                swallow()
                quick()
            wait_until(lambda: states(huey).keys() <= {"done", "dead"})

        faulthandler.dump_traceback_later(20, exit=True)
        cProfile.run("len(str(huey))")
        """,
        path,
    )


@pytest.mark.usefixtures("any_kind")
def test_timeouts_of_many_threads_are_kept_apart(huey: Huey) -> None:
    @huey.task(context=True)
    def work(n: int, task: Any = None) -> int:
        end = time.monotonic() + (20 if n % 2 else 0.03)
        while time.monotonic() < end:
            pass
        return n

    with consuming(huey, workers=6):
        handles = [huey.enqueue(work.s(n, timeout=0.005 if n % 2 else 20)) for n in range(30)]
        wait_until(lambda: all(h is not None and h.is_complete() for h in handles), 20)

    assert [str(h.state) for h in handles if h] == ["done", "dead"] * 15


@pytest.mark.usefixtures("any_kind")
def test_a_run_that_swallows_its_timeout_says_so(
    huey: Huey, caplog: pytest.LogCaptureFixture
) -> None:
    """It is done, as the task wanted; its record and the log have the rest of the truth."""

    @huey.task(timeout=0.1)
    def swallow() -> str:
        for _ in range(30):
            try:
                time.sleep(0.01)
            except Exception:
                pass
        return "done"

    @huey.task(timeout=0.1)
    async def aswallow() -> str:
        for _ in range(30):
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                pass
        return "done"

    @huey.task(timeout=0.1)
    def swallow_and_fail() -> None:
        swallow.func()
        raise LookupError("later")

    @huey.task(timeout=0.1)
    def take_it_over() -> None:
        try:
            time.sleep(0.3)
        except TaskTimeout:
            time.sleep(0.2)
            raise LookupError("at once") from None

    late = [swallow(), aswallow(), swallow_and_fail()]
    obedient = take_it_over()
    with consuming(huey):
        for handle in late[:2]:
            assert handle.get(blocking=True, timeout=10) == "done"
        for handle in (late[2], obedient):
            with pytest.raises(TaskException, match="LookupError"):
                handle.get(blocking=True, timeout=10)

    for handle in late:
        (line,) = huey.storage.log(handle.seq)
        assert (line.level, line.attempt) == ("WARNING", 1)
        assert re.fullmatch(r"it ran 0\.\d s, past its limit of 0\.1 s: .+", line.message)
        assert "swallowed" in line.message
        assert f"job {handle.seq} of {job(huey, handle).task} ran 0." in caplog.text
    assert huey.storage.log(obedient.seq) == []


def test_a_run_that_is_on_time_says_nothing_of_its_limit(huey: Huey) -> None:
    @huey.task(timeout=5)
    def quick() -> str:
        return "done"

    handle = quick()
    with consuming(huey):
        assert handle.get(blocking=True, timeout=10) == "done"
    assert huey.storage.log(handle.seq) == []


class Meeting:
    """A shield for which the time limit asks while its run is leaving."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.asked, self.left = threading.Event(), threading.Event()

    def acquire(self, timeout: float) -> bool:
        self.asked.set()
        assert self.left.wait(10)
        return self._lock.acquire(timeout=timeout)

    def release(self) -> None:
        self._lock.release()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *raised: object) -> None:
        self._lock.release()


def test_nothing_is_thrown_into_a_run_that_leaves_just_now() -> None:
    timeouts = Timeouts(lambda owner: None, lambda: False)
    run = timeouts.prepare(0.0, 10.0)
    run.shield = shield = Meeting()
    limit = threading.Thread(target=timeouts.step)
    arrived = None
    try:
        timeouts.arm(run)
        limit.start()
        assert shield.asked.wait(10)
        timeouts.disarm(run)
        shield.left.set()
        limit.join(10)
        for _ in range(100):
            time.sleep(0)
    except TaskTimeout as error:
        arrived = error

    assert arrived is None
    assert not run.thrown
    assert not timeouts._runs


def test_an_exception_that_comes_late_is_taken_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thrown while the run was leaving, and not arrived when it is disarmed."""
    throw, here = timeouts_module._throw_into, threading.get_ident()
    on_its_way: list[int] = []

    def late(thread: int) -> None:
        if threading.get_ident() != here:
            on_its_way.append(thread)
        else:  # which makes whatever is on its way arrive
            on_its_way.clear()
            throw(thread)

    monkeypatch.setattr(timeouts_module, "_throw_into", late)
    timeouts = Timeouts(lambda owner: None, lambda: False)
    run = timeouts.prepare(0.0, 10.0)
    timeouts.arm(run)
    limit = threading.Thread(target=timeouts.step)
    limit.start()
    limit.join(10)
    assert on_its_way == [here]

    timeouts.disarm(run)
    assert on_its_way == []
    assert not timeouts._runs


def test_a_run_whose_timeout_strikes_while_it_leaves_is_disarmed_and_over() -> None:
    timeouts = Timeouts(lambda owner: None, lambda: False)
    run = timeouts.prepare(60.0, 10.0)
    disarm, struck = timeouts.disarm, []

    class Struck(Timeouts):
        def disarm(self, run: Any) -> None:
            if not struck:
                struck.append(run)
                raise TaskTimeout
            disarm(run)

    timeouts.__class__ = Struck
    with pytest.raises(TaskTimeout):
        limited(timeouts, run, lambda: "value")

    assert struck == [run]
    assert not run.armed
    assert not timeouts._runs
    assert shield_of_this_thread() is None


@pytest.mark.usefixtures("any_kind")
def test_a_timeout_does_not_strike_what_follows_its_run(huey: Huey, tmp_path: Path) -> None:
    @huey.task(timeout=0.2)
    def quick() -> str:
        return "done"

    @huey.post_execute()
    def slow(task: Any, value: Any, error: Any) -> None:
        time.sleep(0.6)
        (tmp_path / "after").write_text(f"{value} {error}")

    handle = quick()
    with consuming(huey):
        assert handle.get(blocking=True, timeout=10) == "done"

    assert (tmp_path / "after").read_text() == "done None"
