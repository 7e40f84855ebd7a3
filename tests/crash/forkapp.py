"""Jobs that have child processes of their own, in consumers of every kind."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import subprocess
import sys
import time
from typing import Any

from hueycore import Huey
from tests.crash.app import die_with_parent

#: How a child that a job has forked leaves it, and the exit code that it has then.
EXITS = {"exit": 3, "exit now": 4, "raise": 1, "text": 1, "return": 0}

forking = multiprocessing.get_context("fork")


class Tasks:
    def __init__(self, huey: Huey, log: str) -> None:
        def note(what: str) -> None:
            with open(log, "a", encoding="utf-8") as file:
                file.write(f"{what} {os.getpid()}\n")

        def leave(how: str) -> None:
            if how == "exit":
                sys.exit(EXITS[how])
            if how == "exit now":
                os._exit(EXITS[how])
            if how == "text":
                sys.exit("the end of a child")
            if how == "raise":
                raise LookupError("in a child")

        def nap(seconds: float) -> None:
            note("child")
            time.sleep(seconds)

        @huey.task()
        def terminate(seconds: float) -> list[int | None]:
            child = forking.Process(target=time.sleep, args=(30,))
            child.start()
            time.sleep(seconds)
            child.terminate()
            child.join(20)
            plain = subprocess.Popen(["sleep", "30"])
            plain.terminate()
            return [child.exitcode, plain.wait(20)]

        @huey.task()
        def pool() -> str:
            with forking.Pool(1) as workers:
                try:
                    workers.apply_async(time.sleep, (30,)).get(timeout=0.2)
                except multiprocessing.TimeoutError:
                    pass
            return "left"

        @huey.task()
        def fork(how: str) -> int:
            pid = os.fork()
            if pid == 0:
                nap(0.3)
                leave(how)
                return -1
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

        @huey.task()
        async def afork(how: str) -> int:
            loop, pid = asyncio.get_running_loop(), os.fork()
            if pid == 0:
                note("child")
                if how == "await":
                    await loop.create_future()
                leave(how)
                return -1
            while (found := os.waitpid(pid, os.WNOHANG))[0] == 0:
                await asyncio.sleep(0.01)
            return os.waitstatus_to_exitcode(found[1])

        @huey.task()
        async def aticks(number: int) -> None:
            for _ in range(number):
                await asyncio.sleep(0.05)
                note("tick")

        @huey.task()
        def ticks(number: int) -> None:
            for _ in range(number):
                time.sleep(0.05)
                note("tick")

        @huey.task()
        def outlive() -> None:
            child = forking.Process(target=nap, args=(60,))
            child.start()
            note("outlived")
            child.join()

        @huey.task()
        def orphan() -> list[int]:
            """Leaves a process behind that ends soon; and ends others that it waits for late."""
            late = [subprocess.Popen(["sh", "-c", f"exit {code}"]) for code in (3, 7)]
            subprocess.run(["sh", "-c", "sleep 0.2 & exit 0"], check=True)
            time.sleep(1)
            return [child.wait(20) for child in late]

        @huey.task()
        def quick() -> str:
            return "done"

        @huey.pre_execute()
        def fork_in_a_hook(task: Any) -> None:
            if task.name == "quick" and os.fork() == 0:
                note("child")
                sys.exit(0)

        self.terminate, self.pool, self.fork, self.afork = terminate, pool, fork, afork
        self.ticks, self.aticks, self.outlive, self.quick = ticks, aticks, outlive, quick
        self.orphan = orphan


if "CRASH_DB" in os.environ:
    die_with_parent()
    huey = Huey("app", url=os.environ["CRASH_DB"])
    tasks = Tasks(huey, os.environ["CRASH_LOG"])
