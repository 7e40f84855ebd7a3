"""The application of the table: jobs in the words of each kind, and consumers that can be held in
the middle of an exchange, and whose workers can be struck, by files that the test makes."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hueycore import Huey
from hueycore.consumer.workers.worker import Worker
from hueycore.model.endings import Done
from hueycore.model.jobs import Ended, Exchange, Want
from hueycore.storage.base import Storage
from hueycore.system import native
from tests.crash.app import PATIENCE, die_with_parent, log_of_runs, wait_for


class Tasks:
    """``gated`` runs until a file is there; the worker of the kind asyncio is no thread, so there
    it is async."""

    def __init__(self, huey: Huey, log: str, kind: str) -> None:
        note = log_of_runs(log)

        def gated(gate: str, task: Any = None) -> None:
            note(task.id, task.attempt, "start")
            wait_for(gate)
            note(task.id, task.attempt, "end")

        async def agated(gate: str, task: Any = None) -> None:
            note(task.id, task.attempt, "start")
            end = time.monotonic() + PATIENCE
            while not os.path.exists(gate) and time.monotonic() < end:
                await asyncio.sleep(0.002)
            note(task.id, task.attempt, "end")

        self.gated = huey.task(name="gated-job", context=True)(
            agated if kind == "asyncio" else gated
        )
        huey.on_startup()(lambda: note("-", 0, "worker"))


class Holding:
    """A place in an exchange where the first process that comes by waits, once: it writes its
    number into ``held``, and goes on when there is ``released``."""

    def __init__(self, folder: Path, phase: str) -> None:
        self.folder, self.phase = folder, phase

    def here(self) -> None:
        try:
            descriptor = os.open(self.folder / "held", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:
            return
        os.write(descriptor, f"{os.getpid()}\n".encode())
        os.close(descriptor)
        end = time.monotonic() + PATIENCE
        while not (self.folder / "released").exists() and time.monotonic() < end:
            native.sleep(0.002)

    def looked(self) -> None:
        """A worker has found nothing to do: the next claim is made for it, not by it."""
        (self.folder / f"looked-{os.getpid()}").touch()


class HeldHuey(Huey):
    holding: Holding

    def create_storage(self) -> Storage:
        storage, holding = super().create_storage(), self.holding
        plain = storage.exchange

        def exchange(worker: int, endings: Sequence[Ended], want: Want) -> Exchange:
            if holding.phase == "ending" and any(isinstance(each.ending, Done) for each in endings):
                holding.here()
            got = plain(worker, endings, want)
            if want.free:
                holding.looked()
            if holding.phase == "claiming" and got.claims:
                holding.here()
            return got

        storage.exchange = exchange  # type: ignore[method-assign]
        return storage


def strike_when(sign: Path) -> None:
    """In a thread of its own: when there is a file ``sign``, strike a worker and rename it."""
    while not sign.exists():
        native.sleep(0.002)
    (worker,) = [each for each in gc.get_objects() if issubclass(type(each), Worker)]
    strike(worker)
    sign.rename(f"{sign}-done")


def strike(worker: Any) -> None:
    """What ends one of its kind, as others might do it who know nothing of workers."""
    match type(worker).__name__:
        case "ThreadWorker":
            thread = ctypes.c_ulong(worker.owner)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(SystemExit))
        case "GreenletWorker":
            struck(worker._kind.call, lambda: worker._greenlet.kill(block=False))
        case "AsyncioWorker":
            struck(worker._kind.loop.call, worker._task.cancel)


def struck(call: Callable[[Callable[[], object]], object], strike: Callable[[], object]) -> None:
    """Until the loop has gone round once more: a job whose gate is opened before would get away."""
    over: list[None] = []
    call(lambda: (strike(), call(lambda: over.append(None))))
    while not over:
        native.sleep(0.002)


if "CRASH_DB" in os.environ:
    die_with_parent()
    folder, kind = Path(os.environ["CRASH_LOG"]).parent, os.environ["TABLE_KIND"]
    huey = HeldHuey("app", url=os.environ["CRASH_DB"])
    huey.holding = Holding(folder, os.environ["TABLE_PHASE"])
    tasks = Tasks(huey, os.environ["CRASH_LOG"], kind)
    if kind != "process" and sys.argv[-1] != "--burst":
        native.Thread(lambda: strike_when(folder / "strike"), "strike").start()
