"""The engines that the conformance suite runs on: to test another one, add its factory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hueycore.storage.sqlite import SqliteStorage

#: (an empty folder, the queue's name, options) → a storage on the same data for the same folder,
#: except in memory.
Factory = Callable[..., SqliteStorage]


def sqlite_file(folder: Path, queue: str = "huey", **options: Any) -> SqliteStorage:
    return SqliteStorage(folder / "queue.db", queue, **options)


def memory(folder: Path, queue: str = "huey", **options: Any) -> SqliteStorage:
    return SqliteStorage(":memory:", queue, **options)


ENGINES: dict[str, Factory] = {"sqlite": sqlite_file, "memory": memory}
