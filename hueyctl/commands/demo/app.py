"""The application that ``hueyctl demo`` runs: a few kinds of trouble in a few lines."""

from __future__ import annotations

import os
import time

from hueycore import SqliteHuey, Task, every

DB = "HUEYCTL_DEMO_DB"

huey = SqliteHuey("demo", filename=os.environ.get(DB, "demo.db"))


@huey.task()
def quick(number: int) -> int:
    """Returns at once; its result is checked at the end."""
    return number * number


@huey.task()
def slow(number: int, seconds: float) -> int:
    """Takes its time, so that something is running when the consumer is killed."""
    time.sleep(seconds)
    return number * number


@huey.task(retries=3, retry_delay=0.4, context=True)
def flaky(number: int, task: Task | None = None) -> int:
    """Fails twice, then succeeds."""
    if task is not None and task.retries > 1:
        raise ConnectionError("the other side hung up")
    return number * number


@huey.task(retries=1, retry_delay=0.4)
def broken(number: int) -> None:
    """Fails for good and ends as a dead letter."""
    raise ValueError(f"nobody can do number {number}")


@huey.task()
def later(number: int) -> int:
    """Is enqueued with a delay."""
    return number * number


@huey.periodic_task(every("2s"))
def tick() -> None:
    """Runs by itself."""
