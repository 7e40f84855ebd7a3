"""From a path or URL to an engine.

``queue.db`` and ``:memory:`` are SQLite, as are ``sqlite:///queue.db?name=huey`` and, with an
absolute path, ``sqlite:////var/queue.db``. ``postgresql://ann@db1,db2/app?name=huey&schema=jobs``
is PostgreSQL: ``name`` and ``schema`` are ours, the rest is libpq's. ``redis://db1:6379/0?name=huey``
is Redis or Valkey, as are ``rediss`` with TLS and ``unix:///run/redis.sock?db=0``; the rest is
redis-py's.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from hueycore.exceptions import ConfigurationError
from hueycore.storage.base import Storage
from hueycore.storage.dsn import PUBLIC
from hueycore.storage.location import (
    MEMORY,
    Location,
    PostgresLocation,
    RedisLocation,
    SqliteLocation,
)
from hueycore.system.mask import masked

if TYPE_CHECKING:
    from hueycore.model.migration import OldFile

__all__ = [
    "MEMORY",
    "BadURL",
    "Location",
    "RedisLocation",
    "SqliteLocation",
    "holds_queue",
    "locate",
    "locate_dsn",
    "open_storage",
    "read_old",
]


class BadURL(ConfigurationError):
    """The URL of a storage cannot be read."""

    def __init__(self, message: str, hint: str = "like sqlite:///queue.db?name=huey") -> None:
        super().__init__(message)
        self.hint = hint


def locate(where: str) -> Location:
    """Where a storage is. Opens nothing.

    Raises ``BadURL``."""
    scheme, separator, rest = where.partition("://")
    if not separator:
        if where.lower().startswith(("postgres:", "postgresql:")):
            hint = "like postgresql://user@host/database?name=huey"
            raise BadURL(f"a PostgreSQL URL has two slashes: {masked(where)}", hint)
        path, queue = _split_file(where) if "?name=" in where else (where, None)
        return SqliteLocation(path, queue)
    match scheme.lower():
        case "sqlite":
            return _file(where, rest)
        case "postgresql" | "postgres":
            return _database(rest)
        case "redis" | "rediss" | "valkey" | "valkeys" | "unix":
            return _server(scheme.lower(), rest)
        case other if other.startswith("postgres"):
            hint = "like postgresql://user@host/database?name=huey"
            raise BadURL(f"unknown storage {scheme!r}", hint)
    raise BadURL(f"unknown storage {scheme!r}")


def locate_dsn(dsn: str, schema: str | None = None) -> PostgresLocation:
    """Where a database is: a URL, or the ``key=value`` words of libpq; "" is what its variables
    say. Raises ``BadURL``."""
    location = locate(dsn) if "://" in dsn else PostgresLocation(dsn)
    if not isinstance(location, PostgresLocation):
        raise BadURL(f"{masked(dsn)} is no database of PostgreSQL", "like postgresql://host/db")
    return location if schema is None else location._replace(schema=schema)


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
    location = where if isinstance(where, Location) else locate(os.fspath(where))
    name = queue or location.queue or "huey"
    return location.open(name, create=create, read_only=read_only, **options)


def read_old(
    path: str | os.PathLike[str] | RedisLocation, queue: str | None, *, take: bool = True
) -> OldFile:
    """What Huey left in a file, read and nothing else, or on a Redis server, where waiting messages
    are set aside if it is to ``take`` them; see ``sqlite.oldfile`` and ``redis.oldkeys``."""
    if not isinstance(path, RedisLocation):
        path = os.fspath(path)
        if "://" not in path:
            from hueycore.storage.sqlite import oldfile

            return oldfile.read_old(path, queue)
        location = locate(path)
        if not isinstance(location, RedisLocation):
            raise BadURL(f"Huey's jobs are read from a file or a Redis server: {masked(path)}")
        path = location
    return path.read_old(queue, take=take)


def _file(where: str, rest: str) -> SqliteLocation:
    path, queue = _split_file(rest)
    if not path.startswith("/"):
        raise BadURL(
            f"a SQLite URL has three slashes, or four for an absolute path: {masked(where)}",
            f"sqlite:///{path}",
        )
    path = _unquoted(path[1:])
    if not path:
        raise BadURL("the URL names no file")
    return SqliteLocation(path, queue)


def _split_file(text: str) -> tuple[str, str | None]:
    path, _, query = text.partition("?")
    queue = None
    for key, value in _pairs(query):
        if key not in _QUEUE:
            raise BadURL(f"the URL has an unknown part {key!r}", "only ?name=QUEUE is known")
        queue = _unquoted(value) or None
    return path, queue


def _database(rest: str) -> PostgresLocation:
    # As libpq reads it: a password may have a "?" that nobody encoded.
    credentials, at, tail = rest.partition("@")
    if not at or "/" in credentials:
        credentials, at, tail = "", "", rest
    server, _, query = tail.partition("?")
    queue, schema, libpqs = None, PUBLIC, []
    for key, value in _pairs(query):
        if key in _QUEUE:
            queue = _unquoted(value) or None
        elif key == "schema":
            schema = _unquoted(value) or PUBLIC
        else:
            libpqs.append(f"{key}={value}")
    more = f"?{'&'.join(libpqs)}" if libpqs else ""
    return PostgresLocation(f"postgresql://{credentials}{at}{server}{more}", queue, schema)


def _server(scheme: str, rest: str) -> RedisLocation:
    # A password may have a "?" that nobody encoded.
    credentials, at, tail = rest.rpartition("@")
    server, _, query = tail.partition("?")
    queue, others = None, []
    for key, value in _pairs(query):
        if key in _QUEUE:
            queue = _unquoted(value) or None
        else:
            others.append(f"{key}={value}")
    more = f"?{'&'.join(others)}" if others else ""
    scheme = {"valkey": "redis", "valkeys": "rediss"}.get(scheme, scheme)
    return RedisLocation(f"{scheme}://{_encoded(credentials)}{at}{server}{more}", queue)


def _encoded(credentials: str) -> str:
    """What would end the host's place in a URL, in a password that nobody encoded."""
    return (
        credentials.replace("/", "%2F").replace("?", "%3F").replace("#", "%23").replace("@", "%40")
    )


_QUEUE = ("name", "queue")


def _pairs(query: str) -> Iterator[tuple[str, str]]:
    for pair in filter(None, query.split("&")):
        key, _, value = pair.partition("=")
        yield key, value


def _unquoted(text: str) -> str:
    if "%" not in text:
        return text
    from urllib.parse import unquote

    return unquote(text)
