"""The application of the tests of worker kinds, in consumers that are processes of their own."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import subprocess
import threading
import time
from typing import Any

from hueycore import Huey, every
from tests.crash.app import die_with_parent

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")
#: Made when the module is imported: a greenlet's, if that was after the patching.
lock = threading.RLock()


class Tasks:
    def __init__(self, huey: Huey, log: str) -> None:
        def note(what: str, seq: int | str) -> None:
            with open(log, "a", encoding="utf-8") as file:
                file.write(f"{what} {seq}\n")

        @huey.task(context=True)
        def hang(task: Any = None) -> None:
            note("start", task.seq)
            try:
                time.sleep(60)
            except BaseException as error:
                note(type(error).__name__, task.seq)
                raise

        @huey.task(context=True)
        async def ahang(task: Any = None) -> None:
            note("start", task.seq)
            try:
                await asyncio.sleep(60)
            except BaseException as error:
                note(type(error).__name__, task.seq)
                raise

        @huey.task(at_most_once=True, context=True)
        async def once(task: Any = None) -> None:
            note("start", task.seq)
            await asyncio.sleep(60)

        @huey.task()
        def nap(seconds: float) -> float:
            note("nap", seconds)
            time.sleep(seconds)
            return seconds

        @huey.task()
        async def anap(seconds: float) -> float:
            note("nap", seconds)
            await asyncio.sleep(seconds)
            return seconds

        @huey.task()
        def enqueue(number: int) -> list[Any]:
            """A job that works with the queue, and waits for what others do."""
            handles = [nap(0.01 * n) for n in range(number)]
            return [handle.get(blocking=True, timeout=20) for handle in handles]

        @huey.task()
        async def aenqueue(number: int) -> list[Any]:
            handles = [await anap.aenqueue(0.01 * n) for n in range(number)]
            return list(await asyncio.gather(*handles))

        @huey.task()
        def where() -> dict[str, Any]:
            before = variable.get()
            variable.set("set")
            with lock:
                time.sleep(0)
            return {
                "sleep": time.sleep.__module__,
                "child": subprocess.run(["true"], check=False).returncode,
                "variable": before,
                "thread": threading.current_thread().name,
            }

        @huey.task()
        async def awhere() -> dict[str, Any]:
            before = variable.get()
            variable.set("set")
            await asyncio.sleep(0.01)
            return {
                "variable": before,
                "loop": id(asyncio.get_running_loop()),
                "child": await asyncio.to_thread(lambda: 0),
                "thread": threading.current_thread().name,
            }

        @huey.task(retries=1, context=True)
        def fail(task: Any = None) -> int:
            if task.retries:
                raise LookupError("once")
            return int(task.attempt)

        @huey.task(retries=1, context=True)
        async def afail(task: Any = None) -> int:
            await asyncio.sleep(0)
            return fail.func(task)  # type: ignore[no-any-return]

        @huey.task(timeout=20)
        def wrapped() -> Any:
            """A plain function that gives a coroutine, as a decorator of one does."""
            return awhere.func()

        @huey.task(retries=1)
        def strike() -> None:
            raise KeyboardInterrupt

        @huey.task()
        def spin(seconds: float) -> str:
            """Never lets anybody else run."""
            note("spin", 0)
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                pass
            return "done"

        @huey.task()
        def slay() -> None:
            """Ends all greenlets that there are, its own first."""
            import gevent

            everybody = [each for each in gc.get_objects() if isinstance(each, gevent.Greenlet)]
            gevent.killall(everybody)

        @huey.task()
        async def aslay() -> None:
            for task in asyncio.all_tasks():
                task.cancel()
            await asyncio.sleep(0)

        @huey.task()
        def kill() -> None:
            note("kill", 0)
            os.kill(os.getpid(), 9)

        @huey.periodic_task(every(0.2))
        def tick() -> None:
            note("tick", 0)

        @huey.on_startup()
        def begin() -> None:
            note("startup", threading.get_ident())

        @huey.on_shutdown()
        def end() -> None:
            note("shutdown", threading.get_ident())

        self.hang, self.ahang, self.once, self.nap, self.anap = hang, ahang, once, nap, anap
        self.enqueue, self.aenqueue, self.where, self.awhere = enqueue, aenqueue, where, awhere
        self.fail, self.afail, self.spin, self.kill = fail, afail, spin, kill
        self.slay, self.aslay, self.wrapped, self.strike = slay, aslay, wrapped, strike


if "CRASH_DB" in os.environ:
    die_with_parent()
    huey = Huey("app", url=os.environ["CRASH_DB"])
    tasks = Tasks(huey, os.environ["CRASH_LOG"])
