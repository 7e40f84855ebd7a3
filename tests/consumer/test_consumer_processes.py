"""Worker processes as an application has them: options, time limits, hooks, what is refused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from hueycore import ConfigurationError, Huey, MemoryHuey, SqliteHuey, State, TaskTimeout, every
from hueycore.constants import WORKER_PROCESS
from hueycore.consumer.consumer import Consumer
from hueycore.consumer.processes.supervisor import Supervisor
from hueycore.model.reports import WorkerRow
from hueycore.storage.sqlite.database import Database
from tests.helpers import consuming, job, jobs, run_python, running, states, wait_until

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")

PROCESS: dict[str, Any] = {"worker_type": WORKER_PROCESS}


def all_of(huey: Huey, number: int) -> list[WorkerRow]:
    """The rows of the processes, once there are so many."""
    rows = huey.storage.workers()
    return rows if len(rows) == number else []


@pytest.mark.feature("process workers")
def test_jobs_run_in_processes_of_their_own(huey: Huey) -> None:
    @huey.task()
    def where() -> tuple[int, bool]:
        return os.getpid(), threading.current_thread() is threading.main_thread()

    with consuming(huey, workers=2, name="mine", **PROCESS):
        answers = [handle.get(blocking=True, timeout=10) for handle in where.map([()] * 20)]
        rows = {row.name: row for row in wait_until(lambda: all_of(huey, 3))}

        groups = {os.getpgid(row.pid) for row in rows.values()}

    assert len(groups) == 1
    assert os.getpgid(0) not in groups
    assert {main for _, main in answers} == {True}
    assert {pid for pid, _ in answers} <= {rows["mine/1"].pid, rows["mine/2"].pid}
    assert {(row.kind, row.slots) for row in rows.values()} == {("process", 1), ("process", 0)}
    assert huey.storage.workers() == []


def test_async_functions_run_in_them_as_well(huey: Huey) -> None:
    @huey.task()
    async def where() -> int:
        import asyncio

        await asyncio.sleep(0.001)
        return os.getpid()

    @huey.task(timeout=0.1)
    async def long() -> None:
        import asyncio

        await asyncio.sleep(60)

    with consuming(huey, **PROCESS):
        assert where().get(blocking=True, timeout=10) != os.getpid()
        handle = long()
        wait_until(lambda: handle.state is State.DEAD)
        assert where().get(blocking=True, timeout=10) != os.getpid()
    assert job(huey, handle).reason == "timeout"


def test_periodic_tasks_fire(huey: Huey) -> None:
    @huey.periodic_task(every(0.1))
    def beat() -> None:
        huey.incr("beats")

    with consuming(huey, **PROCESS):
        wait_until(lambda: huey.incr("beats", 0) >= 3)


def test_hooks_are_called_in_each_process(huey: Huey, tmp_path: Path) -> None:
    log = tmp_path / "hooks"

    def note(what: str) -> None:
        with log.open("a") as file:
            file.write(f"{what} {os.getpid()}\n")

    huey.on_startup()(lambda: note("up"))
    huey.on_shutdown()(lambda: note("down"))

    @huey.task()
    def nothing() -> None: ...

    with consuming(huey, workers=3, **PROCESS):
        nothing().get(blocking=True, timeout=10)
        wait_until(lambda: log.exists() and log.read_text().count("up") == 3)
        pids = {row.pid for row in huey.storage.workers() if row.slots}

    lines = [line.split() for line in log.read_text().splitlines()]
    assert sorted(what for what, _ in lines) == ["down"] * 3 + ["up"] * 3
    assert {int(pid) for _, pid in lines} == pids


def test_max_tasks_replaces_the_process(huey: Huey) -> None:
    @huey.task()
    def where() -> int:
        return os.getpid()

    with consuming(huey, max_tasks=5, **PROCESS):
        pids = [handle.get(blocking=True, timeout=20) for handle in where.map([()] * 20)]

    assert {pids.count(pid) for pid in pids} == {5}
    assert {row.attempt for row in jobs(huey)} == {1}


# --- time limits ----------------------------------------------------------------------------------


@pytest.mark.feature("timeouts")
@pytest.mark.parametrize("how", ["sleep", "loop", "lock"])
def test_a_timeout_interrupts_also_a_call_that_blocks(huey: Huey, how: str) -> None:
    @huey.task(timeout=0.1)
    def long() -> None:
        if how == "sleep":
            time.sleep(60)
        elif how == "lock":
            lock = threading.Lock()
            lock.acquire()
            lock.acquire()
        while True:
            pass

    @huey.task()
    def where() -> int:
        return os.getpid()

    with consuming(huey, **PROCESS):
        before = where().get(blocking=True, timeout=10)
        handle = long()
        wait_until(lambda: handle.state is State.DEAD)
        assert where().get(blocking=True, timeout=10) == before

    row = job(huey, handle)
    assert (row.reason, row.errors[0]["type"]) == ("timeout", "TaskTimeout")
    assert 0.1 <= row.errors[0]["run_s"] < 3


@pytest.mark.feature("timeouts")
def test_a_run_that_goes_on_is_killed_at_the_hard_timeout_and_that_is_no_crash(
    huey: Huey,
) -> None:
    @huey.task(timeout=(0.1, 0.3), retries=1)
    def stuck() -> None:
        huey.incr("runs")
        while True:
            try:
                time.sleep(60)
            except TaskTimeout:
                pass

    @huey.task()
    def other() -> int:
        return os.getpid()

    with consuming(huey, **PROCESS):
        before = other().get(blocking=True, timeout=10)
        handle = stuck()
        wait_until(lambda: handle.state is State.DEAD)
        assert other().get(blocking=True, timeout=10) != before

    row = job(huey, handle)
    assert (row.reason, row.crashes, row.attempt, row.retries) == ("timeout", 0, 2, 0)
    assert [error["type"] for error in row.errors] == ["TaskTimeout"] * 2
    assert huey.incr("runs", 0) == 2


def test_the_hard_timeout_also_reaches_a_process_that_cannot_run_python(huey: Huey) -> None:
    @huey.task(timeout=(0.1, 0.3))
    def backtracking() -> None:
        import re

        re.match(r"(a+)+$", "a" * 60 + "b")  # holds the interpreter's lock for years

    with consuming(huey, **PROCESS):
        handle = backtracking()
        wait_until(lambda: handle.state is State.DEAD)

    assert (job(huey, handle).reason, job(huey, handle).crashes) == ("timeout", 0)


def test_a_timeout_never_strikes_inside_a_storage_verb(
    huey: Huey, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    struck = tmp_path / "struck"
    original = Database._transact

    def transact(self: Database, body: Any, durable: bool) -> Any:
        try:
            return original(self, body, durable)
        except TaskTimeout:
            struck.touch()
            raise

    monkeypatch.setattr(Database, "_transact", transact)

    @huey.task(timeout=0.01)
    def busy() -> None:
        while True:
            huey.incr("n")
            huey.put("key", "value")

    with consuming(huey, **PROCESS):
        handles = busy.map([()] * 40)
        wait_until(lambda: all(row.state is State.DEAD for row in jobs(huey)), 30)

    assert len(handles) == 40
    assert not struck.exists()
    assert {(row.reason, row.crashes, row.attempt) for row in jobs(huey)} == {("timeout", 0, 1)}
    assert huey.incr("n", 0) > 40


@pytest.mark.parametrize("timeout", [(5, 1), (1,), (0, 1), (1, None), (1, 2, 3)])
def test_a_pair_that_is_none_is_refused(huey: Huey, timeout: Any) -> None:
    with pytest.raises(ConfigurationError, match="soft, hard"):
        huey.task(timeout=timeout)(lambda: None)


# --- terminate and stop ---------------------------------------------------------------------------


@pytest.mark.feature("revoke")
def test_terminate_interrupts_a_running_job_within_a_second(huey: Huey) -> None:
    @huey.task()
    def long(key: str) -> None:
        try:
            huey.put(key, os.getpid())
            time.sleep(60)
        finally:
            huey.put(f"{key} cleaned up", 1)

    with consuming(huey, workers=2, **PROCESS):
        asked, left = long("asked"), long("left")
        wait_until(lambda: huey.get("asked", peek=True) and huey.get("left", peek=True))
        began = time.monotonic()
        asked.revoke(terminate=True)
        wait_until(lambda: asked.state is State.REVOKED)
        took = time.monotonic() - began
        assert left.state is State.RUNNING
        pids = {row.pid for row in huey.storage.workers() if row.slots}
        assert huey.get("asked") in pids
        left.revoke(terminate=True)

    assert took < 1.0
    assert huey.get("asked cleaned up") == 1
    assert job(huey, asked).crashes == 0


def test_a_plain_revoke_leaves_the_running_job_to_itself(huey: Huey) -> None:
    @huey.task()
    def long() -> str:
        huey.put("running", 1)
        time.sleep(0.8)
        return "finished"

    with consuming(huey, **PROCESS):
        handle = long()
        wait_until(lambda: huey.get("running"))
        handle.revoke()
        assert handle.get(blocking=True, timeout=10) == "finished"


def test_what_ignores_terminate_is_killed_and_revoked_without_a_charge(
    huey: Huey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hueycore.tasks.options.GRACE", 0.3)

    @huey.task()
    def stubborn() -> None:
        huey.put("running", 1)
        while True:
            try:
                time.sleep(60)
            except KeyboardInterrupt:
                pass

    with consuming(huey, **PROCESS):
        handle = stubborn()
        wait_until(lambda: huey.get("running"))
        handle.revoke(terminate=True)
        wait_until(lambda: handle.state is State.REVOKED)

    row = job(huey, handle)
    assert (row.reason, row.crashes, row.errors) == ("revoked", 0, [])


def test_a_stop_kills_what_cannot_be_interrupted_and_gives_it_back_uncounted(
    huey: Huey,
) -> None:
    @huey.task()
    def stubborn() -> None:
        huey.put("running", 1)
        while True:
            try:
                time.sleep(60)
            except KeyboardInterrupt:
                pass

    consumer = huey.create_consumer(**PROCESS)
    consumer.start()
    handle = stubborn()
    wait_until(lambda: huey.get("running"))

    assert consumer.stop(graceful=True, timeout=0.1) == 1

    row = job(huey, handle)
    assert (row.state, row.crashes) == (State.PENDING, 0)
    assert [error["type"] for error in row.errors] == ["Interrupted"]
    assert huey.storage.workers() == []


def test_stop_lets_jobs_finish_and_start_works_once(huey: Huey) -> None:
    @huey.task()
    def short() -> int:
        huey.put("running", 1)
        time.sleep(0.3)
        return 1

    consumer = huey.create_consumer(**PROCESS)
    consumer.start()
    consumer.start()
    handle = short()
    wait_until(lambda: huey.get("running"))

    assert consumer.stop(graceful=True) == 0
    assert consumer.stop() == 0
    assert handle.get() == 1
    consumer.start()
    assert huey.storage.workers() == []
    assert consumer.error is None


SLOW_TO_NOTE = """
import logging, os, signal, sys, threading
from hueycore import Huey

logging.basicConfig(level=logging.WARNING, stream=sys.stdout)
huey = Huey("app", url=sys.argv[1])
kind, close, supervisor = type(huey.storage), huey.close, os.getpid()
stopping, closed, noted = kind.stopping, threading.Event(), threading.Event()

def note_late(storage, worker):
    closed.wait(0.3)
    try:
        stopping(storage, worker)
    finally:
        noted.set()

def close_and_linger():
    close()
    if os.getpid() != supervisor:
        closed.set()
        noted.wait(1)

kind.stopping, huey.close = note_late, close_and_linger
consumer = huey.create_consumer(worker_type="process")
consumer.health.on_phase = (
    lambda phase: phase == "running" and os.kill(os.getpid(), signal.SIGTERM)
)
assert consumer.run() == 0
"""


def test_a_worker_leaves_when_its_stop_is_noted(path: str) -> None:
    assert run_python(SLOW_TO_NOTE, path) == ""


def test_a_consumer_that_was_stopped_before_it_began_does_nothing(huey: Huey) -> None:
    for run in (lambda consumer: consumer.run(), in_a_thread):
        consumer = huey.create_consumer(**PROCESS)
        assert consumer.stop() == 0
        consumer.start()
        assert run(consumer) == 0
        assert huey.storage.workers() == []


def in_a_thread(consumer: Consumer) -> int:
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(consumer.run()))
    thread.start()
    thread.join(10)
    return codes[0]


def test_run_in_a_thread_supervises_from_a_process(huey: Huey) -> None:
    @huey.task()
    def where() -> int:
        return os.getpid()

    with running(huey, **PROCESS) as (consumer, _):
        assert where().get(blocking=True, timeout=10) != os.getpid()
        assert isinstance(consumer, Supervisor)
    assert huey.storage.workers() == []


def test_a_program_that_dies_takes_its_processes_along(path: str) -> None:
    code = f"""
        import os, sys, time
        from hueycore import Huey
        huey = Huey("app", url={path!r})
        huey.create_consumer(worker_type="process", workers=2).start()
        while len(huey.storage.workers()) < 3: time.sleep(0.01)
        os._exit(7)
        """
    run_python(code, exits=7)

    huey = Huey("app", url=path)
    wait_until(lambda: huey.storage.workers() == [])
    huey.close()


@pytest.mark.sqlite_only("it looks for descriptors of a file")
def test_a_supervisor_owns_no_thread_and_no_handle_of_the_file(path: str, tmp_path: Path) -> None:
    script = tmp_path / "app.py"
    script.write_text(
        "from hueycore import Huey\n"
        f"huey = Huey('app', url={path!r})\n"
        "huey.task()(print)\n"
        "huey.create_consumer(worker_type='process', workers=2).run()\n"
    )
    process = subprocess.Popen([sys.executable, str(script)])
    huey = Huey("app", url=path)
    try:
        wait_until(lambda: len(huey.storage.workers()) == 3)
        proc = Path(f"/proc/{process.pid}")
        opened = [os.readlink(each) for each in (proc / "fd").iterdir()]
        assert not [name for name in opened if path in name]
        assert len(list((proc / "task").iterdir())) == 1
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        huey.close()


# --- refused --------------------------------------------------------------------------------------


def test_a_queue_in_memory_cannot_be_shared(tmp_path: Path) -> None:
    for huey in (MemoryHuey(), SqliteHuey("app", ":memory:")):
        with pytest.raises(ConfigurationError, match="in memory"):
            huey.create_consumer(**PROCESS)
        huey.close()


def test_a_consumer_of_threads_does_not_take_them(huey: Huey) -> None:
    with pytest.raises(ConfigurationError, match="create_consumer"):
        Consumer(huey, **PROCESS)


@pytest.mark.feature("dynamic periodic tasks")
def test_a_periodic_task_declared_in_a_job_is_refused_and_told_what_works(
    huey: Huey,
) -> None:
    @huey.task()
    def declare() -> None:
        huey.periodic_task(every(1))(lambda: None)

    with consuming(huey, **PROCESS):
        handle = declare()
        wait_until(lambda: handle.state is State.DEAD)

    (error,) = job(huey, handle).errors
    assert error["type"] == "ConfigurationError"
    assert "schedule_periodic" in error["message"]


@pytest.mark.sqlite_only("a file is removed")
def test_a_file_that_goes_away_ends_all_of_it(huey: Huey) -> None:
    @huey.task()
    def nothing() -> None: ...

    consumer = huey.create_consumer(workers=2, **PROCESS)
    consumer.start()
    nothing().get(blocking=True, timeout=10)
    huey.close()
    for name in Path(huey.filename).parent.glob(f"{Path(huey.filename).name}*"):
        name.unlink()

    thread = threading.Thread(target=lambda: consumer.stop(graceful=True))
    assert isinstance(consumer, Supervisor)
    code = consumer._wait_for_process()
    thread.start()
    thread.join(10)

    assert code == 1
    assert type(consumer.error).__name__ == "StorageMoved"
    assert states(huey) == {}


KILLS = """
import time
from hueycore.consumer.processes.channel import Board, Limit
from hueycore.consumer.processes.children import Children
from hueycore.consumer.processes.heartbeat import Heartbeat
from hueycore.consumer.processes.slot import Slot
from hueycore.system import clock

def work(channel, signals):
    while not channel.receive():
        time.sleep(0.01)
    return 0

board = Board(1)
cell = board.cell(0)
worker = Slot("worker", lambda: work, Heartbeat("feed"), cell)
children = Children(Slot("maintenance", lambda: work, Heartbeat("janitor")), [worker])
children.fill([])
overdue = Limit(clock.monotonic() - 1, 7, 1)

def answer(then, noted=True):
    '''Report a run that is overdue; its process does ``then`` before the answer comes.'''
    cell.write(overdue)
    children.report_overdue()
    assert worker.reported == overdue
    then()
    children.kill_overdue(7, 1, noted)

answer(cell.clear)
answer(lambda: cell.write(Limit(clock.monotonic() + 60, 8, 1)))
answer(lambda: None, noted=False)
cell.clear()
time.sleep(0.2)
assert worker.reap(replaced=False) is None, "it was killed"

worker.reported = None
answer(lambda: None)
while (code := worker.reap(replaced=False)) is None:
    time.sleep(0.01)
assert code == -9
children.maintenance.send("stop")
while children.maintenance.reap(replaced=False) is None:
    time.sleep(0.01)
"""


def test_a_process_whose_run_is_over_meanwhile_is_not_killed() -> None:
    """The limit was passed, which is noted first; by the answer another run may be inside."""
    run_python(KILLS)


def test_a_timeout_does_not_strike_what_follows_its_run(huey: Huey, tmp_path: Path) -> None:
    @huey.task(timeout=0.2)
    def quick() -> str:
        return "done"

    @huey.post_execute()
    def slow(task: Any, value: Any, error: Any) -> None:
        time.sleep(0.6)
        (tmp_path / "after").write_text(f"{value} {error}")

    handle = quick()
    with consuming(huey, worker_type="process"):
        assert handle.get(blocking=True, timeout=10) == "done"

    assert (tmp_path / "after").read_text() == "done None"
