"""A copy of a queue back in its place, while the file stays the one that others have open."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from hueycore.exceptions import StorageCorrupt, StorageError
from hueycore.storage.sqlite import numbers, schema
from hueycore.storage.sqlite.backup import OnProgress, copy
from hueycore.storage.sqlite.errors import translate
from hueycore.storage.sqlite.path import uri

if TYPE_CHECKING:
    from hueycore.storage.sqlite.database import Database
    from hueycore.storage.sqlite.dial import Connection


def restore(database: Database, path: str, on_progress: OnProgress | None) -> None:
    """Put a copy in the place of all that the file holds, in one transaction.

    Never by copying files: others have this one open, and its log would not fit. Raises
    ``OSError``, ``StorageCorrupt``, ``StorageTooNew``."""
    path = os.path.abspath(path)
    os.stat(path)
    if not database.memory and os.path.samefile(path, database.path):
        raise StorageError(f"{path} is the queue itself")

    def body(con: Connection) -> None:
        last = numbers.next_number(con) - 1
        copy(source, con, on_progress)
        con.execute("begin immediate")
        try:
            schema.migrate(con)
            numbers.keep_last(con, last)
            con.execute("commit")
        except BaseException:
            con.execute("rollback")
            raise

    # One that is in use has a log, which belongs to it.
    access = "mode=ro" if os.path.exists(path + "-wal") else "immutable=1"
    try:
        with closing(sqlite3.connect(uri(path, access), uri=True)) as source:
            _check(source, path)
            database.alone(body)
    except sqlite3.Error as error:
        raise translate(error, path) from error
    database.checkpoint(truncate=True)


def _check(source: sqlite3.Connection, path: str) -> None:
    (answer,) = source.execute("pragma integrity_check(1)").fetchone()
    if answer != "ok":
        raise StorageCorrupt(f"{path} is damaged: {answer}")
    schema.check(source)  # type: ignore[arg-type]
