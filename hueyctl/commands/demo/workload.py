"""The jobs of ``hueyctl demo``: fast and slow ones, retries, dead letters, some for later."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from hueycore.model.jobs import NewJob
from hueycore.serializer import Serializer
from hueycore.system.ids import new_id

APP = "hueyctl.commands.demo.app"
WORKERS = 8


class Call(NamedTuple):
    """What is asked of a task of ``app``; ``delay`` in seconds."""

    task: str
    args: tuple[Any, ...]
    delay: float | None = None


def jobs(count: int, seconds: float) -> Iterator[NewJob]:
    """The jobs of a demo that is to take so many seconds, the n-th about the number n."""
    serializer = Serializer()
    # Half of the workers' time goes into slow jobs, whatever the count. Not too slow: after the
    # crash the suspects start one after another.
    slow = max(0.02, min(0.3, seconds * WORKERS * 0.5 / max(1, count * 0.06)))
    for number in range(count):
        call = _call(number, slow, seconds)
        yield NewJob(
            new_id(),
            f"{APP}.{call.task}",
            serializer.serialize((call.args, {})),
            serializer.preview(call.args, {}),
            run_at=None if call.delay is None else time.time() + call.delay,
            retries={"flaky": 3, "broken": 1}.get(call.task, 0),
            retry_delay=0.4,
        )


def _call(number: int, slow: float, seconds: float) -> Call:
    place = number % 50
    if place in (7, 23, 41):
        return Call("slow", (number, round(slow, 3)))
    if place in (11, 31):
        return Call("flaky", (number,))
    if place == 17:
        return Call("broken", (number,))
    if place in (3, 29):
        return Call("later", (number,), 0.5 + (number % 7) * seconds / 12)
    return Call("quick", (number,))
