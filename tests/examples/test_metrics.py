"""The metrics recipe of Huey's documentation, word for word, with a statsd server that listens."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hueycore import SqliteHuey
from hueycore.signals import SIGNAL_COMPLETE, SIGNAL_ERROR, SIGNAL_EXECUTING
from tests.helpers import consuming, jobs, wait_until


class Statsd:
    """A client of ten lines, and the socket that it sends to."""

    def __init__(self) -> None:
        self.server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.server.bind(("127.0.0.1", 0))
        self.server.settimeout(10)
        self._client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def timing(self, name: str, seconds: float, tags: dict[str, str]) -> None:
        tail = ",".join(f"{key}:{value}" for key, value in tags.items())
        packet = f"{name}:{seconds * 1000:.3f}|ms|#{tail}".encode()
        self._client.sendto(packet, self.server.getsockname())

    def incr(self, name: str) -> None:
        self._client.sendto(f"{name}:1|c".encode(), self.server.getsockname())

    def receive(self, number: int) -> list[str]:
        return sorted(self.server.recv(1024).decode() for _ in range(number))

    def close(self) -> None:
        self.server.close()
        self._client.close()


@pytest.fixture
def metrics() -> Iterator[Statsd]:
    made = Statsd()
    yield made
    made.close()


@pytest.fixture
def huey(tmp_path: Path) -> Iterator[SqliteHuey]:
    made = SqliteHuey("app", str(tmp_path / "queue.db"))
    yield made
    made.close()


def declare(huey: SqliteHuey) -> Any:
    @huey.task()
    def work(fail: bool) -> None:
        time.sleep(0.01)
        if fail:
            raise ValueError("no")

    return work


@pytest.mark.feature("signals")
def test_every_run_is_timed_with_its_task_and_its_end(huey: SqliteHuey, metrics: Statsd) -> None:
    _task_start_times = {}

    @huey.signal(SIGNAL_EXECUTING)
    def on_executing(signal: str, task: Any) -> None:
        _task_start_times[task.id] = time.monotonic()

    @huey.signal(SIGNAL_COMPLETE, SIGNAL_ERROR)
    def on_finished(signal: str, task: Any, exc: Any = None) -> None:
        start = _task_start_times.pop(task.id, None)
        if start is not None:
            duration = time.monotonic() - start
            metrics.timing(
                "huey.task.duration",
                duration,
                tags={"task": task.name, "status": "error" if signal == "error" else "ok"},
            )

    work = declare(huey)
    work(False)
    work(True)
    with consuming(huey, workers=2):
        bad, good = sorted(metrics.receive(2), key=lambda line: line.split("#")[1])

    assert bad.endswith("|ms|#task:work,status:error")
    assert good.endswith("|ms|#task:work,status:ok")
    assert all(10 <= float(line.split(":")[1].split("|")[0]) < 10_000 for line in (bad, good))
    assert _task_start_times == {}


@pytest.mark.feature("hooks")
def test_hooks_count_what_begins_and_what_ends(huey: SqliteHuey, metrics: Statsd) -> None:
    @huey.on_startup()
    def connected() -> None:
        metrics.incr("worker.up")

    @huey.pre_execute()
    def begins(task: Any) -> None:
        metrics.incr(f"{task.name}.begun")

    @huey.post_execute()
    def ends(task: Any, value: Any, error: Any) -> None:
        metrics.incr(f"{task.name}.{'ok' if error is None else 'failed'}")

    work = declare(huey)
    work(False)
    work(True)
    with consuming(huey):
        assert metrics.receive(5) == [
            "work.begun:1|c", "work.begun:1|c", "work.failed:1|c", "work.ok:1|c", "worker.up:1|c",
        ]  # fmt: skip


@pytest.mark.feature("signals")
def test_the_dead_letter_handler_of_the_articles_is_called_once(huey: SqliteHuey) -> None:
    letters: list[dict[str, Any]] = []

    @huey.signal()
    def task_failed_handler(signal: str, task: Any, exc: Any = None) -> None:
        if signal == "task-failed":
            letters.append(
                {
                    "task_id": task.id, "task_name": task.name, "args": task.args,
                    "kwargs": task.kwargs, "error": exc,
                }
            )  # fmt: skip

    @huey.task(retries=2)
    def charge(order: int, currency: str = "EUR") -> None:
        raise LookupError("no such order")

    handle = charge(7, currency="USD")
    with consuming(huey):
        wait_until(lambda: letters)

    (letter,) = letters
    assert (letter["task_id"], letter["task_name"]) == (handle.id, "charge")
    assert (letter["args"], letter["kwargs"]) == ((7,), {"currency": "USD"})
    assert isinstance(letter["error"], LookupError)
    assert [(row.state, row.attempt) for row in jobs(huey)] == [("dead", 3)]
