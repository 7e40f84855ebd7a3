"""Where the storage of a queue is: one class per engine, which opens it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple

from hueycore.exceptions import ConfigurationError
from hueycore.model.retention import Keeping
from hueycore.storage import redis_address
from hueycore.storage.dsn import PUBLIC, joined, shown

if TYPE_CHECKING:
    from hueycore.model.migration import OldFile
    from hueycore.storage.base import Storage

#: The queue that lives and dies with this process.
MEMORY = ":memory:"
#: Options that only a file has. An application that changes its URL keeps them.
_OF_FILES = ("mode", "durability", "force_network")


class SqliteLocation(NamedTuple):
    """A SQLite file, or this process's memory."""

    filename: str
    queue: str | None = None

    @property
    def name(self) -> str:
        """For people."""
        return self.filename

    @property
    def keep(self) -> Keeping:
        """How long finished jobs are kept there, if nobody says it."""
        return Keeping()

    @property
    def is_file(self) -> bool:
        return self.filename != MEMORY

    @property
    def shared(self) -> bool:
        """Not the memory of this process."""
        return self.filename != MEMORY

    def arguments(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """What the engine is made with."""
        return {"filename": self.filename, **options}

    def open(self, queue: str, **options: Any) -> Storage:
        from hueycore.storage.sqlite import SqliteStorage

        return SqliteStorage(queue=queue, **self.arguments(options))


class PostgresLocation(NamedTuple):
    """A schema of a PostgreSQL database. ``dsn`` is what libpq takes, a URL or ``key=value`` words;
    what it leaves out is for the variables, the service file and the password file of libpq."""

    dsn: str
    queue: str | None = None
    schema: str = PUBLIC

    def __repr__(self) -> str:
        return f"PostgresLocation({self.name!r}, queue={self.queue!r})"

    @property
    def name(self) -> str:
        """For people: without passwords."""
        return shown(self.dsn, self.schema)

    @property
    def keep(self) -> Keeping:
        return Keeping()

    @property
    def is_file(self) -> bool:
        return False

    @property
    def filename(self) -> str:
        """None of the kind."""
        return ""

    @property
    def shared(self) -> bool:
        return True

    def with_words(self, words: Mapping[str, Any]) -> PostgresLocation:
        """With more of libpq's connection parameters, such as ``host`` and ``password``."""
        given = {key: str(value) for key, value in words.items() if value is not None}
        return self._replace(dsn=joined(self.dsn, given))

    def arguments(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """What the engine is made with; what only a file has is left out."""
        ours = {key: value for key, value in options.items() if key not in _OF_FILES}
        return {"dsn": self.dsn, "schema": self.schema, **ours}

    def open(self, queue: str, **options: Any) -> Storage:
        """Raises ``ConfigurationError`` where psycopg is not installed."""
        try:
            from hueycore.storage.postgres import PostgresStorage
        except ImportError as error:
            raise without_driver(error) from error
        return PostgresStorage(queue=queue, **self.arguments(options))


class RedisLocation(NamedTuple):
    """A database of a Redis or Valkey server. ``client`` is one of the application's own, or its
    pool; ``words`` are more of redis-py's options of a connection, as ``password``."""

    url: str
    queue: str | None = None
    client: Any = None
    words: tuple[tuple[str, Any], ...] = ()

    def __repr__(self) -> str:
        return f"RedisLocation({self.name!r}, queue={self.queue!r})"

    @property
    def name(self) -> str:
        return redis_address.shown(self.url, self.client)

    @property
    def keep(self) -> Keeping:
        """How long finished jobs are kept there, if nobody says it: they take memory."""
        return Keeping(done_count=10_000)

    @property
    def is_file(self) -> bool:
        return False

    @property
    def filename(self) -> str:
        return ""

    @property
    def shared(self) -> bool:
        return True

    @property
    def has_password(self) -> bool:
        """Whether it says one, or is not for it to say."""
        given = redis_address.has_password(self.url) or "password" in dict(self.words)
        return given or self.client is not None

    def with_words(self, words: Mapping[str, Any]) -> RedisLocation:
        """With more of redis-py's options of a connection."""
        given = {**dict(self.words), **{k: v for k, v in words.items() if v is not None}}
        return self._replace(words=tuple(given.items()))

    def arguments(self, options: Mapping[str, Any]) -> dict[str, Any]:
        ours = {key: value for key, value in options.items() if key not in _OF_FILES}
        if options.get("durability") == "full":
            ours["durability"] = "full"
        return {"url": self.url, "client": self.client, **dict(self.words), **ours}

    def open(self, queue: str, **options: Any) -> Storage:
        """Raises ``ConfigurationError`` where redis-py is not installed."""
        try:
            from hueycore.storage.redis import RedisStorage
        except ImportError as error:
            raise without_redis(error) from error
        return RedisStorage(queue=queue, **self.arguments(options))

    def read_old(self, queue: str | None, *, take: bool) -> OldFile:
        """See ``redis.oldkeys``. Raises ``ConfigurationError`` where redis-py is not installed."""
        try:
            from hueycore.storage.redis import oldkeys
            from hueycore.storage.redis.client import Client
        except ImportError as error:
            raise without_redis(error) from error
        with closing(Client(**self.arguments({}))) as client:
            return oldkeys.read_old(client, queue, take=take)


Location = SqliteLocation | PostgresLocation | RedisLocation


class Place(NamedTuple):
    """What a file lies on: '' for a file system that is not known, or not there yet."""

    path: str
    file_system: str
    is_network: bool


def place(location: SqliteLocation) -> Place:
    """What a file lies, or would lie, on. Opens nothing."""
    from hueycore.storage.sqlite.path import NETWORK, file_system

    path = os.path.realpath(location.filename)
    kind = file_system(path) if os.path.exists(path) else ""
    return Place(path, kind, kind in NETWORK)


def without_driver(error: ImportError) -> ImportError | ConfigurationError:
    """What to raise when the engine of PostgreSQL cannot be imported."""
    # psycopg without a libpq says so in words, and names no module.
    if (error.name or "").split(".")[0] != "psycopg" and "pq wrapper" not in str(error):
        return error
    return ConfigurationError(
        "a queue in PostgreSQL needs psycopg 3, which is not here: pip install 'hueyctl[postgres]'"
    )


def without_redis(error: ImportError) -> ImportError | ConfigurationError:
    """What to raise when the engine of Redis cannot be imported."""
    if (error.name or "").split(".")[0] != "redis":
        return error
    return ConfigurationError(
        "a queue in Redis needs redis-py, which is not here: pip install 'hueyctl[redis]'"
    )
