"""The application of the soak: a little of everything, each job with one ``end`` in the log."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

from hueycore import SqliteHuey
from hueycore.api import Huey
from tests.crash.app import die_with_parent, log_of_runs

#: A job may be what runs at every kill.
OFTEN = 10**6


class Tasks:
    def __init__(self, huey: Huey, log: str) -> None:
        note = log_of_runs(log)

        @huey.task(context=True, max_crashes=OFTEN)
        def work(seconds: float = 0.0, task: Any = None) -> None:
            time.sleep(seconds)
            note(task.id, task.attempt, "end")

        @huey.task(context=True, max_crashes=OFTEN)
        async def awork(seconds: float = 0.0, task: Any = None) -> None:
            await asyncio.sleep(seconds)
            note(task.id, task.attempt, "end")

        @huey.task(context=True, max_crashes=OFTEN, retries=2, retry_delay=0.02)
        def at_last(task: Any = None) -> None:
            """Fails twice."""
            if task.retries:
                raise ValueError(task.retries)
            note(task.id, task.attempt, "end")

        @huey.task(context=True, max_crashes=OFTEN, retries=1)
        async def never(task: Any = None) -> None:
            """Fails for good."""
            if not task.retries:
                note(task.id, task.attempt, "end")
            raise ValueError(task.retries)

        self.work, self.awork, self.at_last, self.never = work, awork, at_last, never


if "CRASH_DB" in os.environ:
    die_with_parent()
    huey = SqliteHuey("app", os.environ["CRASH_DB"])
    tasks = Tasks(huey, os.environ["CRASH_LOG"])
