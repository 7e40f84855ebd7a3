"""Helpers of these tests. Not in conftest.py: every test folder has one, and only one of them is
what ``import conftest`` finds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DEADLINE = 20.0
FILE = "queue.db"
Write = Callable[[str | Path, str], Path]

#: What stands for it in a command line, where the queue is in no file.
addresses: dict[str, str] = {}

APP = """
import time
from hueycore import Huey, every

huey = Huey("huey", url="queue.db")

@huey.task()
def add(a: int, b: int = 2) -> int:
    return a + b

@huey.task()
def greet(name, greeting="hello"):
    return f"{greeting} {name}"

@huey.task(retries=1)
def boom(message):
    raise ValueError(message)

@huey.task()
def nap(seconds: float):
    time.sleep(seconds)
    return seconds

@huey.task(context=True)
def whoami(task=None):
    return task.id
"""


def make_impatient(home: Path) -> None:
    """The application gives up a locked file soon."""
    source = (home / "app.py").read_text()
    (home / "app.py").write_text(source.replace('"queue.db"', '"queue.db", timeout=0.5'))


class QueueFile:
    """A queue that a test fills without the command line, in the file ``path`` or at a URL."""

    storage: Any

    def __init__(self, where: Path | str, queue: str = "huey") -> None:
        from hueycore.serializer import Serializer
        from hueycore.storage.open import open_storage

        self.where = where
        self.path = Path(where)
        self.storage = open_storage(where, queue, create=True)
        self.serializer = Serializer()
        #: The worker that runs jobs; without one each ``run`` has its own.
        self.worker: int | None = None

    def add(self, task: str, *args: Any, kwargs: dict[str, Any] | None = None, **row: Any) -> str:
        """Enqueue a job and return its long id."""
        from hueycore.model.jobs import NewJob
        from hueycore.system.ids import new_id

        row.setdefault("id", new_id())
        if "payload" not in row:
            row["payload"] = self.serializer.serialize((args, kwargs or {}))
        if "preview" not in row:
            row["preview"] = self.serializer.preview(args, kwargs or {})
        return self.storage.enqueue([NewJob(task=task, **row)])[0].id

    def run(self, end: Callable[[Any], Any], workers: int = 100) -> None:
        """Claim what is pending, and end each claim as ``end`` says."""
        from hueycore.model.jobs import Ended, Want

        worker = self.worker or self.storage.register(name="test", kind="thread", slots=4)
        claims = self.storage.exchange(worker, [], Want(workers)).claims
        endings = [Ended(claim, end(claim), time.time() - 1, 0.5) for claim in claims]
        self.storage.exchange(worker, endings, Want(0))
        if worker != self.worker:
            self.storage.unregister(worker)

    def finish(self, value: Any = None) -> None:
        """What is pending ends well, each with ``value``."""
        from hueycore.model.endings import Done

        result = None if value is None else self.serializer.serialize(value)
        self.run(lambda claim: Done(result))

    def kill(self, type_: str = "ValueError", message: str = "broken") -> None:
        """What is pending fails for good."""
        from hueycore.model.endings import Dead, Failure

        trace = f"Traceback (most recent call last):\n  …\n{type_}: {message}"
        self.run(lambda claim: Dead("failed", Failure(type_, message, trace)))

    def state(self, key: str) -> str:
        job = self.storage.job(key)
        assert job is not None
        return str(job.state)


def fill(queue: QueueFile) -> None:
    """1 done, 2 dead, 3 and 4 pending, 5 scheduled."""
    queue.add("app.add", 1, 2)
    queue.finish(3)
    queue.add("app.boom", kwargs={"user": 7})
    queue.kill("TimeoutError", "too slow")
    queue.add("app.mail.send", "ann", kwargs={"user": 8, "deep": {"list": [1, "two"]}})
    queue.add("app.mail.drop", "bob", 2.5, priority=10, retries=3)
    queue.add("app.report", run_at=time.time() + 3600)


def states_of_workers(where: Path | str) -> list[str]:
    """What the living consumers of a queue say of themselves: running, stopping."""
    return [row.state for row in living_workers(where)]


def living_workers(where: Path | str) -> list[Any]:
    from hueycore.exceptions import StorageError
    from hueycore.storage.open import open_storage

    try:
        storage = open_storage(where, create=False, read_only=True)
    except StorageError:
        return []
    try:
        return [row for row in storage.workers() if row.alive]
    finally:
        storage.close()


def state_of_job(where: Path | str, key: str) -> str:
    from hueycore.storage.open import open_storage

    storage = open_storage(where, create=False, read_only=True)
    try:
        job = storage.job(key)
        return str(job.state) if job else "unknown"
    finally:
        storage.close()


def validate(document: Any, name: str) -> None:
    """ValidationError unless it is as its schema says."""
    import jsonschema

    from hueyctl.commands.help.schemas import schemas

    jsonschema.Draft202012Validator(schemas()[f"hueyctl.{name}"]).validate(document)


def tells_of_a_lock(message: str) -> bool:
    """In the words of a file, or of a server."""
    return "locked" in message or "held a lock of the queue" in message


def command(*args: str) -> list[str]:
    """A command line for a real process."""
    return [sys.executable, "-m", "hueyctl", *map(typed, args)]


def typed(word: str) -> str:
    """As it is typed on the engine of the test."""
    return addresses.get(word, word)
