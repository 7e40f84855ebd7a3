"""The engine under the names of Huey's storages, with their arguments: a name, then a file."""

from __future__ import annotations

import os
from abc import ABC
from collections.abc import Mapping
from typing import Any

from hueycore.exceptions import ConfigurationError
from hueycore.storage.base import Storage
from hueycore.storage.location import MEMORY, Location
from hueycore.storage.sqlite import SqliteStorage as Engine

__all__ = ["BaseStorage", "MemoryStorage", "SqliteStorage", "made"]


class BaseStorage(ABC):  # noqa: B024
    """What every storage is (``isinstance``). Nothing is made of it: see ``made``."""

    @classmethod
    def __subclasshook__(cls, other: type) -> bool:
        return Storage in other.__mro__ if cls is BaseStorage else NotImplemented


class SqliteStorage(Engine):
    """A queue in a SQLite file, by Huey's order of arguments; ``Huey(storage_class=)`` takes
    subclasses."""

    #: The argument that says where it is.
    address = "filename"

    def __init__(
        self, name: str = "huey", filename: str | os.PathLike[str] = "huey.db", **options: Any
    ) -> None:
        super().__init__(filename, name, **options)


class MemoryStorage(Engine):
    """A queue that dies with the process, by Huey's order of arguments."""

    address = None

    def __init__(self, name: str = "huey", *_: Any, **options: Any) -> None:
        options.pop("filename", None)
        super().__init__(MEMORY, name, **options)


def made(storage_class: Any, name: str, location: Location, options: Mapping[str, Any]) -> Storage:
    """A storage of the class that the application chose, a subclass of one of these.

    Raises ``ConfigurationError`` for another one."""
    if not isinstance(storage_class, type) or not hasattr(storage_class, "address"):
        raise ConfigurationError(
            f"storage_class={storage_class!r}: Huey's storages hold bytes, those here hold jobs; "
            "derive it from hueycore.storage.SqliteStorage or MemoryStorage, or leave it out"
        )
    arguments = location.arguments(options) if storage_class.address else options
    if storage_class.address not in (None, *arguments):
        raise ConfigurationError(f"storage_class={storage_class!r} cannot open {location.name}")
    made: Storage = storage_class(name, **arguments)
    return made
