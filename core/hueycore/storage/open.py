"""From a path or URL to an engine: the one place that names them.

``queue.db`` and ``:memory:`` are SQLite, as are ``sqlite:///queue.db?name=huey`` and, with an
absolute path, ``sqlite:////var/queue.db``.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from hueycore.exceptions import ConfigurationError, StorageError
from hueycore.storage.base import Storage
from hueycore.system.mask import masked

if TYPE_CHECKING:
    from hueycore.model.migration import OldFile

#: The queue that lives and dies with this process.
MEMORY = ":memory:"
LATER = {"redis": "Redis", "rediss": "Redis", "postgresql": "PostgreSQL", "postgres": "PostgreSQL"}


class Location(NamedTuple):
    """Where a storage is: a SQLite file, and the queue that the URL names."""

    filename: str
    queue: str | None = None


class BadURL(ConfigurationError):
    """The URL of a storage cannot be read."""

    def __init__(self, message: str, hint: str = "like sqlite:///queue.db?name=huey") -> None:
        super().__init__(message)
        self.hint = hint


def locate(where: str) -> Location:
    """Where a storage is. Opens nothing.

    Raises ``BadURL``; ``StorageError`` for an engine that is not there yet."""
    scheme, separator, rest = where.partition("://")
    if not separator:
        path, queue = _split_query(where) if "?name=" in where else (where, None)
        return Location(path, queue)
    scheme = scheme.lower()
    if scheme in LATER:
        raise StorageError(f"{LATER[scheme]} storages come with a later release")
    if scheme != "sqlite":
        raise BadURL(f"unknown storage {scheme!r}")
    path, queue = _split_query(rest)
    if not path.startswith("/"):
        raise BadURL(
            f"a SQLite URL has three slashes, or four for an absolute path: {masked(where)}",
            f"sqlite:///{path}",
        )
    path = _unquoted(path[1:])
    if not path:
        raise BadURL("the URL names no file")
    return Location(path, queue)


class Place(NamedTuple):
    """What a storage lies on: '' for a file system that is not known, or not there yet."""

    path: str
    file_system: str
    is_network: bool


def place(location: Location) -> Place:
    """What a storage lies, or would lie, on. Opens nothing."""
    from hueycore.storage.sqlite.path import NETWORK, file_system

    path = os.path.realpath(location.filename)
    kind = file_system(path) if os.path.exists(path) else ""
    return Place(path, kind, kind in NETWORK)


def holds_queue(path: str) -> bool:
    """Whether a file is a database, or one of those beside a database. Opens no storage."""
    from hueycore.storage.sqlite.path import belongs_to_database

    return belongs_to_database(path)


def open_storage(
    where: str | os.PathLike[str] | Location,
    queue: str | None = None,
    *,
    create: bool = True,
    read_only: bool = False,
    **options: Any,
) -> Storage:
    """Open the storage of a queue: the one named here, else by the URL, else ``huey``.

    ``create``: make it when it is missing. ``read_only``: look, never write. ``options`` are those
    of the engine. Raises what ``locate`` and the engine raise."""
    from hueycore.storage.sqlite import SqliteStorage

    location = where if isinstance(where, Location) else locate(os.fspath(where))
    return SqliteStorage(
        location.filename,
        queue or location.queue or "huey",
        create=create,
        read_only=read_only,
        **options,
    )


def read_old(path: str | os.PathLike[str], queue: str | None) -> OldFile:
    """What Huey left in a file, read and nothing else; see ``sqlite.oldfile``."""
    from hueycore.storage.sqlite import oldfile

    return oldfile.read_old(os.fspath(path), queue)


def _split_query(text: str) -> tuple[str, str | None]:
    path, _, query = text.partition("?")
    queue = None
    for pair in filter(None, query.split("&")):
        key, _, value = pair.partition("=")
        if key not in ("name", "queue"):
            raise BadURL(f"the URL has an unknown part {key!r}", "only ?name=QUEUE is known")
        queue = _unquoted(value) or None
    return path, queue


def _unquoted(text: str) -> str:
    if "%" not in text:
        return text
    from urllib.parse import unquote

    return unquote(text)
