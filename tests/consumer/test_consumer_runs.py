"""A consumer's life inside a process: begin, stop, restart of workers, loss of its storage."""

from __future__ import annotations

import gc
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from hueycore import (
    ConfigurationError,
    Huey,
    MemoryHuey,
    SqliteHuey,
    State,
    StorageCorrupt,
    StorageError,
    StorageMoved,
    StorageTooNew,
    every,
)
from hueycore.constants import WORKER_THREAD
from hueycore.model.jobs import Claim
from hueycore.runs.executor import Executor
from tests.helpers import (
    Gate,
    Signals,
    check_rows,
    consuming,
    descriptors,
    job,
    jobs,
    run_python,
    running,
    states,
    wait_until,
)
from tests.storage.engines import lab_of


def consumer_threads() -> set[threading.Thread]:
    return {thread for thread in threads() if thread.name.startswith("huey-")}


def threads() -> set[threading.Thread]:
    """Without those of a queue on a server, which live until the queue is closed."""
    of_the_queue = ("huey-session", "huey-beat")
    return {thread for thread in threading.enumerate() if thread.name not in of_the_queue}


@pytest.fixture
def no_threads_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """What this test started has ended by its end, and all of it when its queue is closed."""
    before = set(threading.enumerate())
    yield
    wait_until(lambda: threads() <= before, 10, "threads left behind")
    if "huey" in request.fixturenames:
        request.getfixturevalue("huey").close()
    wait_until(lambda: set(threading.enumerate()) <= before, 10, "a session left behind")


# --- options --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"workers": -1}, "workers=-1"),
        ({"workers": 5000}, "workers=5000"),
        ({"worker_type": "fibre"}, "fibre"),
        ({"worker_type": "greenlet"}, "patch_all"),
        ({"scheduler_interval": 0}, "scheduler_interval"),
        ({"graceful_signal": "HUP"}, "graceful_signal"),
    ],
)
def test_options_that_cannot_work_are_refused_at_once(
    huey: Huey, options: dict[str, Any], why: str
) -> None:
    with pytest.raises(ConfigurationError, match=why):
        huey.create_consumer(**options)


def test_every_option_of_huey_is_taken(huey: Huey) -> None:
    """Seed 001, and the rest of Huey's signature."""
    consumer = huey.create_consumer(
        workers=4, worker_type=WORKER_THREAD, periodic=True, initial_delay=0.1, backoff=1.15,
        max_delay=2.0, scheduler_interval=1, check_worker_health=True, health_check_interval=10,
        flush_locks=True, extra_locks="a,b", max_tasks=1000, shutdown_timeout=5,
        graceful_signal="TERM",
    )  # fmt: skip

    assert (consumer.workers, consumer.max_tasks, consumer.shutdown_timeout) == (4, 1000, 5)
    with pytest.raises(TypeError):
        huey.create_consumer(worker=4)


# --- start and stop -------------------------------------------------------------------------------


def test_a_consumer_that_runs_is_a_worker_in_the_file_and_gone_afterwards(
    huey: Huey, no_threads_left: None
) -> None:
    consumer = huey.create_consumer(workers=3, name="mine")
    consumer.start()

    (row,) = huey.storage.workers()
    assert (row.name, row.pid, row.kind, row.state) == ("mine", os.getpid(), "thread", "running")
    assert row.alive
    assert consumer.stop(graceful=True) == 0
    assert huey.storage.workers() == []


@pytest.mark.usefixtures("any_kind")
@pytest.mark.parametrize(
    "order",
    ["stop", "start start stop", "start stop stop", "stop start stop", "start stop start stop"],
)
def test_start_and_stop_may_come_in_any_order_and_any_number_of_times(
    huey: Huey, order: str, no_threads_left: None
) -> None:
    consumer = huey.create_consumer(workers=2)
    for step in order.split():
        if step == "start":
            consumer.start()
        else:
            assert consumer.stop(graceful=True) == 0

    assert huey.storage.workers() == []


def test_a_run_that_is_stopped_before_it_began_ends_at_once(
    huey: Huey, no_threads_left: None
) -> None:
    consumer = huey.create_consumer()
    consumer.stop()

    assert consumer.run() == 0
    assert consumer.run() == 0
    assert huey.storage.workers() == []


@pytest.mark.usefixtures("any_kind")
def test_a_run_that_is_stopped_while_it_begins_ends(huey: Huey, no_threads_left: None) -> None:
    for _ in range(20):
        consumer = huey.create_consumer()
        thread = threading.Thread(target=consumer.run)
        thread.start()
        consumer.stop(graceful=True)
        thread.join(10)
        assert not thread.is_alive()

    assert huey.storage.workers() == []


@pytest.mark.usefixtures("any_kind")
def test_several_threads_may_stop_one_consumer(huey: Huey, no_threads_left: None) -> None:
    consumer = huey.create_consumer(workers=2)
    consumer.start()
    codes: list[int] = []
    stoppers = [
        threading.Thread(target=lambda: codes.append(consumer.stop(graceful=True)))
        for _ in range(5)
    ]
    for stopper in stoppers:
        stopper.start()
    for stopper in stoppers:
        stopper.join(10)

    assert codes == [0] * 5


@pytest.mark.usefixtures("any_kind")
def test_a_job_may_stop_its_own_consumer(huey: Huey, no_threads_left: None) -> None:
    @huey.task()
    def last() -> str:
        consumer.stop(graceful=True)
        return "the last one"

    handle = last()
    consumer = huey.create_consumer()

    assert consumer.run() == 0
    assert handle.get() == "the last one"


@pytest.mark.usefixtures("any_kind")
def test_a_receiver_may_stop_the_consumer(huey: Huey, no_threads_left: None) -> None:
    @huey.task()
    def work(fail: bool) -> None:
        if fail:
            raise ValueError

    @huey.signal("error")
    def give_up(signal: str, task: Any, exc: BaseException) -> None:
        consumer.stop(graceful=True)

    work(False)
    work(True)
    consumer = huey.create_consumer()
    started = time.monotonic()

    assert consumer.run() == 0
    assert time.monotonic() - started < 5
    assert states(huey) == {"done": 1, "dead": 1}


@pytest.mark.usefixtures("any_kind")
def test_a_graceful_stop_lets_jobs_finish_and_gives_back_the_others(
    huey: Huey, no_threads_left: None
) -> None:
    gate = Gate()

    @huey.task()
    def work() -> str:
        gate.pass_through()
        return "finished"

    handles = [work() for _ in range(5)]
    with running(huey, workers=2) as (consumer, thread):
        gate.wait_entered(2)
        stopper = threading.Thread(target=consumer.stop, kwargs={"graceful": True})
        stopper.start()
        wait_until(lambda: {row.state for row in huey.storage.workers()} == {"stopping"})
        assert states(huey) == {"running": 2, "pending": 3}
        gate.open.set()
        stopper.join(10)
        thread.join(10)

    assert states(huey) == {"done": 2, "pending": 3}
    assert [handle.get() for handle in handles[:2]] == ["finished"] * 2
    assert sum(row.attempt for row in jobs(huey)) == 2


def test_a_stop_with_a_timeout_leaves_what_runs_and_says_so(
    huey: Huey, no_threads_left: None
) -> None:
    gate = Gate()

    @huey.task()
    def work() -> str:
        gate.pass_through()
        return "late"

    handle = work()
    seen = Signals(huey)
    consumer = huey.create_consumer()
    consumer.start()
    gate.wait_entered()

    assert consumer.stop(graceful=True, timeout=0.05) == 1
    assert seen.of("interrupted") == [(handle.id, "running", ())]
    assert handle.state is State.RUNNING
    # Its process lives: the job is nobody else's, and its late ending is accepted.
    assert huey.storage.recover() == []
    gate.open.set()
    assert handle.get(blocking=True, timeout=10) == "late"
    consumer._feed.leave()
    huey.storage.unregister(consumer._worker)  # type: ignore[arg-type]


def test_what_a_stop_left_running_can_be_seen_by_the_next_consumer(
    huey: Huey, no_threads_left: None
) -> None:
    gate = Gate()
    runs: list[int] = []

    @huey.task()
    def work(n: int) -> None:
        runs.append(n)
        gate.pass_through()

    work(1)
    first = huey.create_consumer()
    first.start()
    gate.wait_entered()
    assert first.stop() == 1
    with consuming(huey, workers=2):
        work(2)
        gate.wait_entered(2)
        assert states(huey) == {"running": 2}
        gate.open.set()
        wait_until(lambda: states(huey) == {"done": 2})

    assert runs == [1, 2]
    first._feed.leave()
    huey.storage.unregister(first._worker)  # type: ignore[arg-type]


@pytest.mark.usefixtures("any_kind")
def test_starting_and_stopping_leaves_no_thread_and_no_descriptor(huey: Huey) -> None:
    @huey.task()
    def work() -> int:
        return 1

    def once() -> None:
        with consuming(huey, workers=3):
            assert work().get(blocking=True, timeout=10) == 1

    once()
    gc.collect()
    threads, files = len(consumer_threads()), descriptors()
    for _ in range(20):
        once()
        huey.create_consumer()

    wait_until(lambda: len(consumer_threads()) <= threads)
    # A server's engine keeps as many connections as were used at once, which is not twice the same.
    assert descriptors() < files + 5


def test_closing_the_queue_gives_back_every_descriptor(path: str) -> None:
    gc.collect()
    before = descriptors()
    for _ in range(3):
        huey = Huey("app", url=path)
        huey.task(name="work")(lambda: 1)()
        with consuming(huey):
            wait_until(lambda huey=huey: huey.pending_count() == 0)  # type: ignore[misc]
        huey.close()

    assert descriptors() <= before


@pytest.mark.sql_only("a worker registers by one script, which fails as a whole")
def test_a_consumer_that_cannot_start_leaves_nothing_behind(
    huey: Huey, monkeypatch: pytest.MonkeyPatch, no_threads_left: None
) -> None:
    def refuse(*args: Any) -> None:
        raise StorageError("no schedules today")

    monkeypatch.setattr("hueycore.storage.sql.workers.declare", refuse)
    consumer = huey.create_consumer()
    with pytest.raises(StorageError, match="no schedules"):
        consumer.run()

    assert huey.storage.workers() == []
    assert consumer.stop() == 0


def test_no_signal_handler_is_touched_off_the_main_thread(huey: Huey) -> None:
    import signal

    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with running(huey):
        wait_until(lambda: huey.storage.workers())
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_signal_handlers_are_put_back_after_a_run(huey: Huey) -> None:
    import signal

    def mine(number: int, frame: Any) -> None: ...

    before = signal.signal(signal.SIGHUP, mine)
    try:
        huey.create_consumer(burst=True).run()
        assert signal.getsignal(signal.SIGHUP) is mine
    finally:
        signal.signal(signal.SIGHUP, before)


def test_consumers_of_two_queues_in_one_file_keep_to_their_own(
    path: str, no_threads_left: None
) -> None:
    emails, reports = Huey("emails", url=path), Huey("reports", url=path)
    ran: list[str] = []
    send = emails.task(name="work")(lambda n: ran.append(f"email {n}"))
    build = reports.task(name="work")(lambda n: ran.append(f"report {n}"))
    with consuming(emails) as first:
        for n in range(5):
            send(n)
            build(n)
        wait_until(lambda: len(ran) == 5)
        assert states(reports) == {"pending": 5}
        with consuming(reports):
            wait_until(lambda: len(ran) == 10)
        assert first.error is None

    assert sorted(ran)[0] == "email 0"
    assert states(emails) == states(reports) == {"done": 5}
    emails.close()
    reports.close()
    check_rows(path)


def test_a_memory_queue_has_the_whole_consumer(no_threads_left: None) -> None:
    huey = MemoryHuey()
    ticks: list[int] = []

    @huey.task(retries=2, retry_delay=0.02)
    def flaky() -> int:
        tries = huey.incr("tries")
        if tries < 3:
            raise ValueError
        return tries

    @huey.periodic_task(every("0.1s"))
    def tick() -> None:
        ticks.append(1)

    with consuming(huey, workers=3):
        assert flaky().get(blocking=True, timeout=10) == 3
        wait_until(lambda: len(ticks) >= 2)
    assert huey.storage.workers() == []
    huey.close()


# --- ends by themselves ---------------------------------------------------------------------------


def test_a_burst_ends_when_the_queue_is_empty(huey: Huey, no_threads_left: None) -> None:
    @huey.task(retries=1)
    def work(n: int) -> int:
        if n == 7 and huey.incr("tries") == 1:
            raise ValueError
        if n < 3:
            work(n + 10)
        return n

    huey.enqueue_many(work.s(n) for n in range(50))
    later = work.schedule((1,), delay=600)

    assert huey.create_consumer(workers=3, burst=True).run() == 0
    assert states(huey) == {"done": 53, "scheduled": 1}
    assert later.state is State.SCHEDULED


@pytest.mark.usefixtures("any_kind")
def test_a_burst_runs_all_stages_and_does_not_wait_for_those_of_a_job_that_is_not_due(
    huey: Huey, no_threads_left: None
) -> None:
    @huey.task()
    def add(a: int, b: int) -> int:
        return a + b

    handles = huey.enqueue(add.s(1, 2) | add.s(3) | add.s(4))
    huey.enqueue(add.s(1, 2, delay=600) | add.s(3))

    assert huey.create_consumer(workers=2, burst=True).run() == 0
    assert handles is not None and handles.get() == [3, 6, 10]
    assert states(huey) == {"done": 3, "scheduled": 1, "blocked": 1}


def test_a_burst_waits_for_what_other_consumers_run(huey: Huey) -> None:
    gate = Gate()

    @huey.task()
    def work() -> None:
        gate.pass_through()

    work()
    with consuming(huey), running(huey, burst=True) as (_, thread):
        gate.wait_entered()
        thread.join(0.2)
        assert thread.is_alive()
        gate.open.set()
        thread.join(10)
        assert not thread.is_alive()


def test_a_consumer_ends_after_its_time(huey: Huey, no_threads_left: None) -> None:
    started = time.monotonic()

    assert huey.create_consumer(max_time=0.15).run() == 0
    assert 0.15 <= time.monotonic() - started < 1


def test_workers_are_replaced_after_so_many_jobs_without_a_pause(
    huey: Huey, no_threads_left: None
) -> None:
    threads: list[int] = []
    begun: list[int] = []

    @huey.task()
    def work() -> None:
        threads.append(id(threading.current_thread()))
        begun.append(1)

    starts: list[int] = []
    before = len(consumer_threads())
    huey.on_startup("count")(lambda: starts.append(1))
    started = time.monotonic()
    with consuming(huey, workers=2, max_tasks=3, check_worker_health=False):
        huey.enqueue_many(work.s() for _ in range(30))
        wait_until(lambda: states(huey) == {"done": 30})
        assert time.monotonic() - started < 5
        wait_until(lambda: len(starts) >= 10)
        # Two workers, and the threads of the consumer's other duties.
        wait_until(lambda: len(consumer_threads()) <= before + 2 + 6)


@pytest.mark.usefixtures("any_kind")
def test_an_idle_consumer_writes_nothing(huey: Huey, monkeypatch: pytest.MonkeyPatch) -> None:
    with consuming(huey, workers=2) as consumer:
        lab = lab_of(huey.storage)
        rounds: list[int] = []
        keep = consumer.janitor.step

        def step() -> float:
            rounds.append(lab.commits())
            keep()
            return 0.01

        wait_until(lambda: consumer._feed._waiting == 2)
        monkeypatch.setattr(consumer._services[1], "_step", step)
        consumer._services[1].poke()
        wait_until(lambda: len(rounds) >= 30)

    assert len(set(rounds)) == 1


# --- hooks ----------------------------------------------------------------------------------------


def test_hooks_run_in_each_worker_at_its_begin_and_end(
    huey: Huey, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[tuple[str, str]] = []

    @huey.on_startup()
    def bad() -> None:
        raise SystemExit("hook")

    @huey.on_startup()
    def begin() -> None:
        calls.append(("begin", threading.current_thread().name))

    @huey.on_shutdown()
    def end() -> None:
        calls.append(("end", threading.current_thread().name))

    @huey.task()
    def work() -> list[tuple[str, str]]:
        return [call for call in calls if call[1] == threading.current_thread().name]

    with consuming(huey, workers=2):
        own = work().get(blocking=True, timeout=10)
        assert own is not None and [what for what, _ in own] == ["begin"]
        wait_until(lambda: len(calls) == 2)

    assert sorted(calls) == [
        (what, f"huey-worker-{n}") for what in ("begin", "end") for n in (1, 2)
    ]
    assert "startup hook bad failed" in caplog.text


def test_a_hook_that_was_taken_away_is_not_called(huey: Huey) -> None:
    calls: list[str] = []

    @huey.on_startup()
    def begin() -> None:
        calls.append("begin")

    @huey.on_shutdown("stop")
    def end() -> None:
        calls.append("end")

    assert huey.unregister_on_startup(begin)
    assert huey.unregister_on_shutdown("stop")
    with consuming(huey):
        pass

    assert calls == []


# --- workers that die -----------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_worker_thread_that_dies_is_replaced_and_its_job_is_dead(
    huey: Huey, monkeypatch: pytest.MonkeyPatch, no_threads_left: None
) -> None:
    original = Executor.run

    def run(self: Executor, claim: Claim) -> Any:
        if claim.task.endswith("deadly"):
            raise MemoryError("in the worker itself")
        return original(self, claim)

    @huey.task(retries=3)
    def deadly() -> None: ...

    @huey.task()
    def fine() -> int:
        return 1

    monkeypatch.setattr(Executor, "run", run)
    with running(huey, workers=1, health_check_interval=0.05):
        victim = deadly()
        wait_until(lambda: victim.state is State.DEAD)
        assert fine().get(blocking=True, timeout=10) == 1

    row = job(huey, victim)
    assert (row.reason, row.errors[0]["type"]) == ("crashed", "Crashed")


# --- at most once ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("any_kind")
def test_the_ending_of_an_at_most_once_job_is_written_before_its_slot_forgets_it(
    huey: Huey, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, str]] = []

    @huey.task(at_most_once=True)
    def pay(n: int) -> int:
        return n

    handles = [pay(n) for n in range(5)]
    consumer = huey.create_consumer(workers=1)
    storage: Any = huey.storage
    register = storage.register

    def registered(**options: Any) -> int:
        number: int = register(**options)
        slots = storage.slots(number)

        def looking(name: str) -> None:
            change = getattr(slots, name)

            def changed(*args: int) -> None:
                (row,) = storage.workers()
                for _, seq in row.running:
                    seen.append((str(seq), str(job(huey, str(seq)).state)))
                change(*args)

            monkeypatch.setattr(slots, name, changed)

        looking("start")  # of the next one
        looking("clear")
        return number

    monkeypatch.setattr(storage, "register", registered)
    consumer.start()
    try:
        assert [handle.get(blocking=True, timeout=10) for handle in handles] == list(range(5))
        wait_until(lambda: len(set(seen)) == 5)
    finally:
        consumer.stop(graceful=True)

    assert list(dict.fromkeys(seen)) == [(str(handle.seq), "done") for handle in handles]


# --- the storage goes away ------------------------------------------------------------------------


@pytest.mark.sqlite_only("a file is removed")
@pytest.mark.usefixtures("any_kind")
def test_a_consumer_whose_file_is_removed_stops_and_keeps_the_reason(
    huey: Huey, path: str, caplog: pytest.LogCaptureFixture, no_threads_left: None
) -> None:
    with running(huey, workers=2) as (consumer, thread):
        wait_until(lambda: len(huey.storage.workers()) == 1)
        os.remove(path)
        thread.join(10)
        assert not thread.is_alive()

    assert isinstance(consumer.error, StorageMoved)
    assert consumer.stop() == 1
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(errors) == 1, caplog.text
    assert "removed" in errors[0].getMessage()


@pytest.mark.sqlite_only("a file is replaced")
def test_a_consumer_whose_file_is_replaced_stops(
    huey: Huey, path: str, tmp_path: Any, no_threads_left: None
) -> None:
    other = SqliteHuey("app", tmp_path / "other.db")
    assert len(other) == 0
    other.close()
    with running(huey) as (consumer, thread):
        wait_until(lambda: len(huey.storage.workers()) == 1)
        os.replace(tmp_path / "other.db", path)
        thread.join(10)
        assert not thread.is_alive()

    assert isinstance(consumer.error, StorageMoved)
    huey.close()
    for suffix in ("", "-wal", "-shm", "-huey"):
        if os.path.exists(path + suffix):
            os.remove(path + suffix)


@pytest.mark.sql_only("tables have a schema")
def test_a_consumer_stops_when_the_file_is_upgraded_under_it(
    huey: Huey, no_threads_left: None
) -> None:
    with running(huey) as (consumer, thread):
        wait_until(lambda: len(huey.storage.workers()) == 1)
        huey.storage.db.transact(  # type: ignore[attr-defined]
            lambda con: con.execute("update huey_meta set value = '99' where name = 'schema'")
        )
        thread.join(10)
        assert not thread.is_alive()
        huey.storage.db.transact(  # type: ignore[attr-defined]
            lambda con: con.execute("update huey_meta set value = '1' where name = 'schema'")
        )

    assert isinstance(consumer.error, StorageTooNew)
    assert consumer.stop() == 1


def test_a_consumer_whose_file_is_damaged_stops(tmp_path: Any, no_threads_left: None) -> None:
    path = str(tmp_path / "damaged.db")
    huey = Huey("app", url=path)
    work = huey.task(name="work")(lambda: 1)
    with running(huey) as (consumer, thread):
        assert work().get(blocking=True, timeout=10) == 1
        huey.storage.checkpoint()
        # In another process: closing any descriptor of the file here would drop its locks.
        run_python(_DAMAGE, path)
        with pytest.raises(StorageError):
            for _ in range(200):
                work()
        thread.join(10)
        assert not thread.is_alive()

    assert isinstance(consumer.error, StorageCorrupt)
    huey.close()


_DAMAGE = """
import os, sqlite3, sys
file = os.open(sys.argv[1], os.O_WRONLY)
os.pwrite(file, b"\\xff" * (os.stat(file).st_size - 100), 100)
try:
    sqlite3.connect(sys.argv[1], isolation_level=None).execute("pragma user_version=3")
except sqlite3.Error:
    pass
"""


@pytest.mark.sqlite_only("a file is removed")
@pytest.mark.usefixtures("any_kind")
def test_a_job_that_runs_while_the_file_is_removed_does_not_hold_up_the_stop(
    path: str, no_threads_left: None
) -> None:
    gate = Gate()
    huey = Huey("app", url=path)

    @huey.task(at_most_once=True)
    def work() -> None:
        gate.pass_through()

    work()
    with running(huey) as (consumer, thread):
        gate.wait_entered()
        for suffix in ("", "-wal", "-shm", "-huey"):
            os.remove(path + suffix)
        thread.join(10)
        assert not thread.is_alive()
        gate.open.set()

    assert isinstance(consumer.error, StorageMoved)
    assert consumer.stop() == 1
    huey.close()


# --- the notebook of seed 001 ---------------------------------------------------------------------


@pytest.mark.sqlite_only("a file is removed")
def test_a_notebook_cell_may_be_run_again_and_again(path: str) -> None:
    """It removes the file (and nothing beside it) under the daemon-thread consumer of the cell
    before, and makes a new queue at the same path in the same process."""
    old: list[Any] = []
    for round_ in range(4):
        if os.path.exists(path):
            os.remove(path)
        huey = SqliteHuey(
            name="colab-huey", filename=path, results=True, store_none=False, utc=True
        )

        @huey.task(priority=50)
        def quick_add(a: int, b: int) -> int:
            return a + b

        consumer = huey.create_consumer(
            workers=4, worker_type=WORKER_THREAD, periodic=True, initial_delay=0.1, backoff=1.15,
            max_delay=2.0, scheduler_interval=1, check_worker_health=True,
            health_check_interval=10,
        )  # fmt: skip
        thread = threading.Thread(target=consumer.run, daemon=True)
        thread.start()
        handles = [quick_add(round_, n) for n in range(20)]
        assert [h.get(blocking=True, timeout=10) for h in handles] == [
            round_ + n for n in range(20)
        ]
        assert [row.attempt for row in jobs(huey)] == [1] * 20
        old.append((huey, consumer, thread))

    *before, (huey, consumer, thread) = old
    for _, gone, gone_thread in before:
        gone_thread.join(10)
        assert not gone_thread.is_alive()
        assert isinstance(gone.error, StorageMoved)
    # The queues before it are closed now: what belongs to the new one must survive that.
    for instance, _, _ in before:
        instance.close()
    looks = subprocess.run(
        [sys.executable, "-c", _LOOK, path], capture_output=True, text=True, check=True
    )
    assert looks.stdout.strip() == "20 20"
    assert quick_add(1, 2).get(blocking=True, timeout=10) == 3
    assert consumer.error is None
    assert consumer.stop(graceful=True) == 0
    thread.join(10)
    huey.close()
    check_rows(path)


_LOOK = """
import sqlite3, sys
for _ in range(50):
    con = sqlite3.connect(sys.argv[1])
    con.execute("create table if not exists beside (n)")
    con.execute("insert into beside values (1)")
    con.commit()
    found = con.execute("select count(*), sum(state = 'done') from huey_job").fetchone()
    con.close()
print(*found)
"""


@pytest.mark.sqlite_only("a file is removed")
def test_a_new_file_shares_nothing_with_a_removed_one_that_is_still_open(path: str) -> None:
    """Sharing the -shm ended in a bus error as soon as another process looked."""
    old = Huey("app", url=path)
    old.put("key", 1)
    before = [os.stat(path + suffix).st_ino for suffix in ("-wal", "-shm")]
    os.remove(path)
    new = Huey("app", url=path)
    new.put("key", 2)
    after = [os.stat(path + suffix).st_ino for suffix in ("-wal", "-shm")]
    old.close()

    assert set(before).isdisjoint(after)
    assert new.get("key") == 2
    new.close()


@pytest.mark.sqlite_only("a file is removed")
def test_an_application_may_keep_its_handle_on_a_queue_that_moved(path: str) -> None:
    huey = Huey("app", path)
    work = huey.task(name="work")(lambda: 1)
    work()
    os.remove(path)

    with pytest.raises(StorageMoved):
        work()
    huey.close()
    work()

    assert len(huey) == 1
    huey.close()


@pytest.mark.usefixtures("any_kind")
def test_a_job_that_ends_after_its_consumer_has_left_is_written(huey: Huey) -> None:
    """Until the process is gone, what was left running may end as if nothing had happened."""
    gate = Gate()

    @huey.task()
    def late() -> str:
        gate.pass_through()
        return "late"

    handle = late()
    consumer = huey.create_consumer()
    consumer.start()
    gate.wait_entered()
    assert consumer.stop(graceful=True, timeout=0.05) == 1
    assert handle.state is State.RUNNING

    gate.open.set()
    assert handle.get(blocking=True, timeout=10) == "late"
    assert job(huey, handle).attempt == 1
    consumer._feed.leave()
    huey.storage.unregister(consumer._worker)  # type: ignore[arg-type]
