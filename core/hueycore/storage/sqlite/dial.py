"""Opening a connection to a file, and reading from it for the first time."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from hueycore.exceptions import StorageError
from hueycore.storage.sqlite.dialect import Speaker
from hueycore.storage.sqlite.errors import error_code, retry, translate
from hueycore.storage.sqlite.path import uri

WAL_LIMIT = 16 * 1024 * 1024
MEMORY = ":memory:"


class Connection(sqlite3.Connection, Speaker):
    """What bodies see; statements go straight to SQLite."""

    #: A view that will not notice writers.
    frozen = False

    def __del__(self) -> None:
        """A program may end, or drop its queue, without ``close``: from 3.13 on Python would
        warn. One that was interrupted while it was opened cannot be closed."""
        with suppress(sqlite3.ProgrammingError):
            self.close()


#: Tests replace it to make the N-th statement fail.
connection_class: type[Connection] = Connection


def dial(
    path: str,
    access: str,
    *,
    pages: int,
    seconds: float,
    ready: Callable[[Connection], None] | None = None,
) -> Connection:
    """``access`` is ``ro`` or ``rw``, which makes a write-ahead log of a database without one;
    ``pages``: see ``Database.autocheckpoint``. A file that others recover or clean up is tried for
    so many ``seconds``; ``ready`` makes a reader's connection ready. Raises ``StorageError``."""
    try:
        connection = connect(MEMORY) if path == MEMORY else _reading(path, access, seconds)
    except sqlite3.Error as error:
        raise translate(error, path) from error
    try:
        connection.execute("pragma temp_store=memory")
        connection.execute(f"pragma journal_size_limit={WAL_LIMIT}")
        if access == "ro":
            if ready is not None:
                ready(connection)
            connection.execute("pragma query_only=1")
            # Who looks sees a row that is no UTF-8 among the others, and not an error instead.
            connection.text_factory = partial(str, encoding="utf-8", errors="replace")
        else:
            connection.execute(f"pragma wal_autocheckpoint={pages}")
            connection.execute("pragma synchronous=normal")  # a commit is synced by ``Log``
            connection.execute("pragma fullfsync=1")
    except sqlite3.Error as error:
        connection.close()
        raise translate(error, path) from error
    except StorageError:
        connection.close()
        raise
    return connection


def _reading(path: str, access: str, seconds: float) -> Connection:
    connection = connect(uri(path, f"mode={access}"))
    try:
        return retry(lambda: _first_read(connection, path, access), seconds)
    except sqlite3.Error as error:
        connection.close()
        # A cleanly closed WAL file wants write permission even to be read. Only then: an immutable
        # connection never sees what others write.
        unwritable = error_code(error) in (8, 14) and os.access(path, os.R_OK)
        if access != "ro" or not unwritable or os.path.exists(path + "-wal"):
            raise
        connection = connect(uri(path, "immutable=1"))
        connection.frozen = True
        return connection
    except BaseException:
        connection.close()
        raise


def _first_read(connection: Connection, path: str, access: str) -> Connection:
    """Which opens the log, and may meet another process that recovers or removes it."""
    if access == "rw":
        (mode,) = connection.execute("pragma journal_mode=wal").fetchone()
        if mode != "wal":
            raise StorageError(f"{path} cannot use a write-ahead log ({mode})")
    connection.execute("select 1 from sqlite_master").fetchall()
    return connection


def connect(target: str) -> Connection:
    """To a path, or to a URI of SQLite's."""
    return sqlite3.connect(
        target,
        uri=target.startswith("file:"),
        isolation_level=None,
        timeout=0,
        check_same_thread=False,
        cached_statements=256,
        factory=connection_class,
    )
