"""The application of these tests: every run writes its start and its end into one log.

A consumer process gets ``huey`` from the environment; a test makes the same application to enqueue.
"""

from __future__ import annotations

import asyncio
import ctypes
import hashlib
import os
import shutil
import signal
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

from hueycore import Huey, every
from hueycore.storage.sqlite import sidefile

#: Seconds after which a job stops waiting for its gate: nothing of a test may run for ever.
PATIENCE = 60.0
#: Random kills may meet the same job again and again: only what is about crashes counts them.
OFTEN = 10**6


class App:
    """``every_``: the period of two periodic tasks, one that makes up for the last missed run and
    one that makes up for all."""

    def __init__(
        self, database: str, log: str, *, name: str = "app", every_: float | None = None
    ) -> None:
        timeout = float(os.environ.get("CRASH_TIMEOUT", "5"))
        self.huey = huey = Huey(name, url=database, timeout=timeout)
        note = log_of_runs(log)

        @huey.task(max_crashes=OFTEN)
        def plain(key: str, seconds: float = 0.0) -> str:
            """Not asking for its job, so that it is run the short way where nobody watches."""
            note(key, 0, "start")
            if seconds:
                time.sleep(seconds)
            note(key, 0, "end")
            return key

        @huey.task(context=True)
        def archive(folder: str, task: Any = None) -> None:
            """What jobs do to the folder of their data: a copy, a checksum, a tar."""
            note(task.id, task.attempt, "start")
            with tempfile.TemporaryDirectory() as target:
                for name in sorted(os.listdir(folder)):
                    with suppress(FileNotFoundError):  # a part of it comes and goes
                        shutil.copy(os.path.join(folder, name), target)
                        hashlib.sha256(Path(folder, name).read_bytes()).digest()
                with tarfile.open(os.path.join(target, "all.tar"), "w") as tar:
                    tar.add(
                        target, filter=lambda info: None if info.name.endswith(".tar") else info
                    )
            note(task.id, task.attempt, "end")

        @huey.task()
        def gather(values: list[Any]) -> list[Any]:
            note("gather", 0, "start")
            note("gather", 0, "end")
            return values

        @huey.task()
        def fickle(gate: str, key: str) -> str:
            """Fails until the gate is open."""
            if not os.path.exists(gate):
                raise ValueError(key)
            return key

        @huey.task(context=True, max_crashes=OFTEN)
        def work(seconds: float = 0.0, task: Any = None) -> None:
            note(task.id, task.attempt, "start")
            time.sleep(seconds)
            note(task.id, task.attempt, "end")

        @huey.task(context=True)
        def gated(gate: str, task: Any = None) -> str:
            """Runs until a file is there, and says every few milliseconds that it does."""
            note(task.id, task.attempt, "start")
            wait_for(gate, lambda: note(task.id, task.attempt, "tick"))
            note(task.id, task.attempt, "end")
            return f"attempt {task.attempt}"

        @huey.task(context=True)
        async def agated(gate: str, task: Any = None) -> str:
            note(task.id, task.attempt, "start")
            end = time.monotonic() + PATIENCE
            while not os.path.exists(gate) and time.monotonic() < end:
                note(task.id, task.attempt, "tick")
                await asyncio.sleep(0.002)
            note(task.id, task.attempt, "end")
            return f"attempt {task.attempt}"

        @huey.task(context=True)
        def until(gate: str | None = None, task: Any = None) -> None:
            """Quick without a gate, and for as long as it takes with one."""
            if gate is not None:
                note(task.id, task.attempt, "start")
                wait_for(gate)
                note(task.id, task.attempt, "end")

        @huey.task(context=True, at_most_once=True)
        def once(gate: str, task: Any = None) -> None:
            note(task.id, task.attempt, "start")
            wait_for(gate)
            note(task.id, task.attempt, "end")

        @huey.task(context=True, max_concurrent=2)
        def narrow(seconds: float = 0.0, task: Any = None) -> None:
            note(task.id, task.attempt, "start")
            time.sleep(seconds)
            note(task.id, task.attempt, "end")

        @huey.task(context=True)
        def under_lock(gate: str, task: Any = None) -> None:
            with huey.lock_task("lock"):
                note(task.id, task.attempt, "start")
                wait_for(gate)

        @huey.task(context=True)
        def poison(how: str, task: Any = None) -> None:
            note(task.id, task.attempt, "start")
            if how == "exit":
                os._exit(3)
            os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(PATIENCE)

        @huey.task(context=True)
        def lose_the_byte(gate: str, task: Any = None) -> str:
            """Ends what holds the byte of this process, as only a bug could."""
            note(task.id, task.attempt, "start")
            if task.attempt == 1:
                for side in sidefile._files.values():
                    for holder in side._held.values():
                        if holder is not None:
                            holder.close()
            wait_for(f"{gate}{task.attempt}")
            note(task.id, task.attempt, "end")
            return f"attempt {task.attempt}"

        @huey.task()
        def forks(key: str) -> int:
            """Its child enqueues as well as itself."""
            child = os.fork()
            if child == 0:
                code = 1
                try:
                    plain(f"{key}-child")
                    code = 0
                finally:
                    os._exit(code)
            plain(f"{key}-parent")
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

        @huey.task()
        def mute() -> None:
            raise Mute

        @huey.task()
        def strange(size: int = 0) -> Any:
            """What no serializer can write, or much."""
            return bytes(size) if size else (lambda: None)

        @huey.task()
        async def astrange() -> Any:
            return lambda: None

        @huey.task(retries=1, context=True)
        def odd(task: Any = None) -> None:
            """Asks for a retry that no row can hold."""
            task.retry_delay = Fraction(1, 3)
            raise LookupError("odd")

        @huey.task(context=True)
        def bulky(gate: str, size: int, task: Any = None) -> bytes:
            note(task.id, task.attempt, "start")
            wait_for(gate)
            note(task.id, task.attempt, "end")
            return os.urandom(size)

        def due(task: Any) -> None:
            note(f"{task.name}@{task.scheduled_for:.3f}", task.attempt, "start")
            note(f"{task.name}@{task.scheduled_for:.3f}", task.attempt, "end")

        if every_ is not None:

            @huey.periodic_task(every(every_), context=True)
            def latest(task: Any = None) -> None:
                due(task)

            @huey.periodic_task(every(every_), context=True, catch_up="all")
            def all_of_them(task: Any = None) -> None:
                due(task)

        self.plain, self.work, self.gated, self.once = plain, work, gated, once
        self.agated, self.forks, self.mute, self.bulky = agated, forks, mute, bulky
        self.strange, self.astrange, self.odd = strange, astrange, odd
        self.gather, self.fickle, self.archive = gather, fickle, archive
        self.until, self.poison, self.lose_the_byte = until, poison, lose_the_byte
        self.narrow, self.under_lock = narrow, under_lock


class Mute(Exception):
    """Will not be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    __str__ = __repr__


def log_of_runs(path: str) -> Callable[[str, int, str], None]:
    """What a run says about itself: its key, its attempt, what it does."""
    descriptor = os.open(path, os.O_APPEND | os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)

    def note(key: str, attempt: int, what: str) -> None:
        """One line, one write: it is whole or missing."""
        line = f"{key} {attempt} {what} {os.getpid()} {time.monotonic_ns()}\n"
        os.write(descriptor, line.encode())

    return note


def wait_for(gate: str, meanwhile: Any = None) -> None:
    end = time.monotonic() + PATIENCE
    while not os.path.exists(gate) and time.monotonic() < end:
        if meanwhile is not None:
            meanwhile()
        time.sleep(0.002)


def die_with_parent() -> None:
    """However the test process ends, nothing of it stays behind (Linux)."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


if "CRASH_DB" in os.environ:
    die_with_parent()
    period = os.environ.get("CRASH_EVERY")
    app = App(
        os.environ["CRASH_DB"],
        os.environ["CRASH_LOG"],
        every_=float(period) if period else None,
    )
    huey = app.huey
