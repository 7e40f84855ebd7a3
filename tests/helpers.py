"""What the tests of more than one folder share: waiting, looking, clocks, consumers."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from hueycore import Huey, Result, Task
from hueycore.consumer.consumer import Consumer
from hueycore.model.jobs import Job, Selector
from hueycore.model.states import State
from hueycore.system import clock
from tests.servers import Unavailable

T = TypeVar("T")

#: Whether all of what ``make test`` plays a part of is to be played, as in CI.
WHOLE = os.environ.get("HUEYCTL_TABLE") == "whole"


def wait_until(predicate: Callable[[], T], deadline: float = 10.0, what: str = "") -> T:
    """The first true answer of ``predicate``; AssertionError after ``deadline`` seconds."""
    end = time.monotonic() + deadline
    pause = 0.001
    while not (answer := predicate()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline} s: {what or predicate.__name__}")
        time.sleep(pause)
        pause = min(pause * 1.3, 0.02)
    return answer


def stays_true(predicate: Callable[[], bool], seconds: float) -> bool:
    """Whether it is true at every look for so long: for what must not happen."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not predicate():
            return False
        time.sleep(0.01)
    return True


def give_up_after(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Every database of this process, also one that is open, tries a busy queue for so long."""
    from hueycore.storage.postgres.connections import Connections
    from hueycore.storage.sqlite.database import Database

    fixed = property(lambda _: seconds, lambda _, given: None)
    for owner in (Database, Connections):
        names = owner.__init__.__code__.co_names
        assert "_timeout" in names, "else this would change nothing"
        monkeypatch.setattr(owner, "_timeout", fixed, raising=False)


@contextmanager
def or_skip() -> Iterator[None]:
    """Without a server the test is skipped; where engines are required, as in CI, it fails."""
    try:
        yield
    except Unavailable as error:
        required = os.environ.get("HUEY_TEST_ENGINES") == "required"
        (pytest.fail if required else pytest.skip)(str(error))


class Arrived(BaseException):
    """Thrown by a thread into itself."""


def take_an_exception() -> None:
    """Have an asynchronous exception arrive in this thread."""
    try:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(threading.get_ident()), ctypes.py_object(Arrived)
        )
        while True:
            pass
    except Arrived:
        pass


class Clock:
    """``hueycore.system.clock`` moved: ``now`` jumps as told, ``monotonic`` never does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.offset = 0.0
        self.frozen: float | None = None
        monkeypatch.setattr(clock, "now", self.now)

    def now(self) -> float:
        return time.time() + self.offset if self.frozen is None else self.frozen

    def freeze(self, at: float | None = None) -> float:
        self.frozen = time.time() if at is None else at
        return self.frozen

    def jump(self, seconds: float) -> None:
        if self.frozen is not None:
            self.frozen += seconds
        self.offset += seconds


class Signals:
    """Every signal of an application, with the state that the storage shows at that moment."""

    def __init__(self, huey: Huey) -> None:
        self.huey = huey
        self.seen: list[tuple[str, str, str | None, tuple[Any, ...]]] = []
        huey.signals.connect(self._receive)

    def _receive(self, signal: str, task: Task, *args: Any) -> None:
        row = self.huey.storage.result(task.id, preserve=True)
        self.seen.append((str(signal), task.id, row and str(row.state), args))

    def names(self, id: str | None = None) -> list[str]:
        return [signal for signal, task, _, _ in self.seen if id in (None, task)]

    def of(self, signal: str) -> list[tuple[str, str | None, tuple[Any, ...]]]:
        """(id, state, arguments) of each time a signal was sent."""
        return [(task, state, args) for name, task, state, args in self.seen if name == signal]


# --- looking --------------------------------------------------------------------------------------


def job(huey: Huey, handle: Result[Any] | Task | str | None) -> Job:
    """The row of a job."""
    assert handle is not None
    found = huey.storage.job(handle if isinstance(handle, str) else handle.id)
    assert found is not None, f"no job {handle}"
    return found


def jobs(huey: Huey, *states: State) -> list[Job]:
    return huey.storage.jobs(Selector(queues=(huey.name,), states=states))


def states(huey: Huey) -> dict[str, int]:
    """How many jobs are in which state."""
    return dict(Counter(str(row.state) for row in jobs(huey)))


def drain(huey: Huey, limit: int = 1000) -> int:
    """Run what is ready by hand; how many runs that were."""
    for done in range(limit):
        task = huey.dequeue()
        if task is None:
            return done
        huey.execute(task)
    raise AssertionError(f"more than {limit} runs")


def run_one(huey: Huey) -> Any:
    """Dequeue one job and run it."""
    task = huey.dequeue()
    assert task is not None, "nothing is ready"
    return huey.execute(task)


def check_rows(url: str) -> None:
    """The invariants of the storage's own tests, which hold for every queue at any time."""
    if url.startswith("redis"):
        from tests.storage.redis.invariants import check_invariants
    elif "://" in url:
        from tests.storage.postgres.invariants import check_invariants
    elif os.path.exists(url):
        from tests.storage.sqlite.invariants import check_invariants
    else:
        return
    check_invariants(url)


@contextmanager
def write_lock_of(url: str) -> Iterator[None]:
    """Nobody can change a job of the queue at ``url`` meanwhile."""
    if "://" in url:
        from tests.storage.postgres.lab import write_lock
    else:
        from tests.storage.sqlite.lab import write_lock
    with write_lock(url):
        yield


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


# --- other processes ------------------------------------------------------------------------------

ROOT = Path(__file__).resolve().parent.parent
PYTHONPATH = os.pathsep.join((str(ROOT / "core"), str(ROOT)))


def run_python(code: str, *args: str, exits: int = 0) -> str:
    """Run a script to its end in a process of its own, where a fork meets no thread of the tests;
    answers its output."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code), *args],
        env={**os.environ, "PYTHONPATH": PYTHONPATH},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    assert done.returncode == exits, f"exit {done.returncode}:\n{done.stdout}"
    return done.stdout


def run_in(
    folder: Path, environment: dict[str, str], *words: str
) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder, as a project's ``manage.py`` is run, to its good end."""
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may write everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


# --- consumers in this process --------------------------------------------------------------------


@contextmanager
def consuming(huey: Huey, **options: Any) -> Iterator[Consumer]:
    """A started consumer; stopped gracefully at the end."""
    consumer = huey.create_consumer(**options)
    consumer.start()
    try:
        yield consumer
    finally:
        consumer.stop(graceful=True, timeout=5)


@contextmanager
def running(huey: Huey, **options: Any) -> Iterator[tuple[Consumer, threading.Thread]]:
    """A consumer whose ``run`` is in a daemon thread, as in a notebook."""
    consumer = huey.create_consumer(**options)
    thread = threading.Thread(target=consumer.run, daemon=True, name="run")
    thread.start()
    try:
        yield consumer, thread
    finally:
        consumer.stop(graceful=True, timeout=5)
        thread.join(10)
        assert not thread.is_alive()


class Gate:
    """Jobs that hold until the test lets them go, and say that they came."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self._entered = 0
        self._lock = threading.Lock()

    def pass_through(self) -> None:
        with self._lock:
            self._entered += 1
        assert self.open.wait(30)

    def wait_entered(self, number: int = 1, deadline: float = 10.0) -> None:
        wait_until(lambda: self._entered >= number, deadline, f"{number} jobs inside")

    @property
    def entered(self) -> int:
        return self._entered
