"""The connections of a process to a database: one writes, one reads, one exchanges, each behind a
lock, and those that others ask for.

They are opened at the first use and closed after an error of the network; a child process has its
own.
"""

from __future__ import annotations

from time import CLOCK_REALTIME, clock_gettime
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from hueycore.exceptions import StorageError
from hueycore.storage.postgres import forks
from hueycore.storage.postgres.pipeline import Pipeline
from hueycore.storage.postgres.statements import Connection, Cursor, Typed
from hueycore.storage.postgres.wire import connect
from hueycore.system import clock, native

#: Seconds after which a queue that somebody else holds is given up, by default.
DEADLINE = 5.0
#: Seconds from one look at the server's clock to the next.
LOOK = 60.0
#: What a host does not say is found out after 30 s: a dead one sends no farewell. The address may
#: say something else. Not by ``options``, which a pooler refuses.
_USUAL: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    "fallback_application_name": "hueycore",
}
_LOOK = b"select extract(epoch from clock_timestamp()), pg_backend_pid()"


class Link:
    """A connection that is opened at its first use and after an error of the network, and the lock
    of whoever uses it. ``settings`` are statements for it, unless it is to a pooler."""

    def __init__(self, settings: str) -> None:
        self.settings = settings
        self.lock = native.Lock()
        self.connection: psycopg.Connection[Any] | None = None
        #: That of the connection.
        self.pipeline: Pipeline

    def discard(self) -> None:
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close()


class Connections:
    """``dsn``: a URL, or the words of libpq. ``timeout``: seconds that a queue which somebody else
    holds, or a server that is away, is tried."""

    def __init__(self, dsn: str, schema: str, *, timeout: float, read_only: bool) -> None:
        self.dsn = dsn
        self.schema = schema
        self.read_only = read_only
        self._place = '"{}"'.format(schema.replace('"', '""'))
        self._timeout = timeout
        patience = f"set lock_timeout to {int(self._timeout * 1000)};"
        self._write, self._read = Link(patience), Link("")
        # All that an exchange asks for is to be found by an index: what the planner knows of the
        # rows of a queue is often old.
        speed = "set synchronous_commit to off; set enable_seqscan to off"
        self._hot = Link(f"{patience} {speed}")
        self._links = (self._write, self._read, self._hot)
        self._closed = self._old = False
        #: It was there once: that it is away may be a restart.
        self._was_there = False
        self._offset, self._looked = 0.0, 0.0
        forks.heirs.add(self)

    def connect(self) -> psycopg.Connection[Any]:
        """A new connection, in autocommit mode. Raises ``psycopg.Error``."""
        words = {**_USUAL, **conninfo_to_dict(self.dsn), "client_encoding": "utf8"}
        # Prepared statements are another client's behind a pooler.
        connection = connect(make_conninfo(**words), autocommit=True, prepare_threshold=None)
        self._was_there = True
        return connection

    def dress(self, connection: psycopg.Connection[Any]) -> Connection:
        """A connection as bodies see it."""
        found = Connection(connection, self._place, self._offset)
        found.old = self._old
        return found

    def now(self) -> float:
        return clock.now() + self._offset

    def close(self) -> None:
        self._closed = True
        for link in self._links:
            with link.lock:
                link.discard()

    def leave(self) -> None:
        for link in self._links:
            if link.lock.acquire(blocking=False):
                try:
                    link.discard()
                finally:
                    link.lock.release()

    def after_fork_in_child(self) -> None:
        for link in self._links:
            if link.connection is not None:
                forks.abandon(link.connection, in_use=link.lock.locked())
            link.lock, link.connection = native.Lock(), None

    # --- inside -----------------------------------------------------------------------------------

    def _connection(self, link: Link) -> psycopg.Connection[Any]:
        """That of a link, connected; for whoever holds its lock."""
        if self._closed:
            raise StorageError("the storage is closed")
        found = link.connection
        if found is None or found.closed:
            found = self.connect()
            try:
                if self._look(found) == found.info.backend_pid:
                    # No pooler, behind which statements would be prepared for somebody else.
                    found.prepare_threshold = 0
                    Cursor(found).execute(link.settings.encode())
            except BaseException:
                found.close()
                raise
            link.connection, link.pipeline = found, Pipeline(found, Typed(found))
        if clock.monotonic() - self._looked > LOOK:
            self._look(found)
        return found

    def _look(self, connection: psycopg.Connection[Any]) -> int:
        """By how much the server's clock is ahead. It is none when it is within the time that the
        question took. Answers with the number of the process that serves the connection."""
        before = clock_gettime(CLOCK_REALTIME)
        row = Cursor(connection).execute(_LOOK).fetchone()
        after = clock_gettime(CLOCK_REALTIME)
        assert row is not None
        ahead = row[0] - (before + after) / 2
        self._offset = ahead if abs(ahead) > (after - before) / 2 else 0.0
        self._looked = clock.monotonic()
        return int(row[1])
