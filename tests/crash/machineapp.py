"""The application of the machine whose power is cut: each job has one right result, and whoever
enqueued it writes down that it was acknowledged, and what that result will be."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from typing import Any

from hueycore import SqliteHuey
from hueycore.api import Huey
from tests.crash.app import die_with_parent, log_of_runs

#: A job may be what runs at every cut.
OFTEN = 10**6


class Tasks:
    def __init__(self, huey: Huey, log: str) -> None:
        self.huey = huey
        self._note = note = log_of_runs(log)

        @huey.task(max_crashes=OFTEN)
        def double(n: int, seconds: float = 0.0) -> int:
            time.sleep(seconds)
            return 2 * n

        @huey.task(max_crashes=OFTEN)
        async def adouble(n: int) -> int:
            await asyncio.sleep(0.001)
            return 2 * n

        @huey.task(at_most_once=True, context=True)
        def once(n: int, task: Any = None) -> int:
            note(task.id, n, "start")
            return 2 * n

        @huey.task(max_crashes=OFTEN)
        def bring(n: int) -> int:
            """Enqueues another one from a worker."""
            self.acknowledge(double(n), 2 * n)
            return 2 * n

        self.double, self.adouble, self.once, self.bring = double, adouble, once, bring

    def acknowledge(self, handle: Any, result: int) -> None:
        self._note(handle.id, result, "acked")

    def produce(self) -> None:
        """One after another for ever, in each way that jobs are enqueued."""
        for n in itertools.count():
            match n % 6:
                case 0:
                    self.acknowledge(self.double(n), 2 * n)
                case 1:
                    self.acknowledge(self.adouble(n), 2 * n)
                case 2:
                    self.acknowledge(self.once(n), 2 * n)
                case 3:
                    self.acknowledge(self.bring(n), 2 * n)
                case 4:
                    for handle in self.huey.enqueue_many(self.double.s(n, 0.002) for _ in "abc"):
                        self.acknowledge(handle, 2 * n)
                case 5:
                    stages = self.huey.enqueue(self.double.s(n).then(self.double))
                    assert stages is not None
                    for handle, result in zip(stages, (2 * n, 4 * n), strict=True):
                        self.acknowledge(handle, result)
            time.sleep(0.001)


if "CRASH_DB" in os.environ:
    die_with_parent()
    huey = SqliteHuey(
        "app", os.environ["CRASH_DB"], durability=os.environ.get("CRASH_DURABILITY", "standard")
    )
    tasks = Tasks(huey, os.environ["CRASH_LOG"])
