"""A guest in a transaction of the application's own: jobs are born, and runs end, together with the
application's rows. Nothing here begins a transaction that it was not asked for, commits or rolls
back."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from hueycore.exceptions import ConfigurationError, OtherData
from hueycore.model.jobs import Ended, Enqueued, NewJob
from hueycore.model.plan import Plan
from hueycore.storage.sql.dialect import Body
from hueycore.storage.sql.endings import apply_endings
from hueycore.storage.sql.enqueue import Enqueue
from hueycore.storage.sqlite import schema
from hueycore.storage.sqlite.database import Database
from hueycore.storage.sqlite.dialect import Speaker
from hueycore.storage.sqlite.errors import translate
from hueycore.system.shield import shielded

if TYPE_CHECKING:
    from hueycore.storage.protocol.guest import Guest

#: ``sqlite3.LEGACY_TRANSACTION_CONTROL`` of Python 3.12; before, there is no other.
_LEGACY = -1

T = TypeVar("T")


class Guests(Enqueue):
    db: Database

    def on(self, connection: Any) -> Guest:
        if not isinstance(connection, sqlite3.Connection):
            kind = type(connection).__qualname__
            raise OtherData(f"a sqlite3.Connection is needed, not {kind}")
        if self.db.memory:
            return _Own(self)
        _check_file(connection, self.db)
        return _Joined(self, connection)


class _Own:
    shares = False

    def __init__(self, storage: Guests) -> None:
        self._storage = storage

    def enqueue(self, jobs: Sequence[NewJob], plan: Plan | None = None) -> list[Enqueued]:
        return self._storage.enqueue(jobs, plan)

    def end(self, ended: Ended) -> bool:
        storage = self._storage
        applied = storage.db.transact(lambda con: apply_endings(con, storage.queue, [ended]))
        return not applied.lost

    def ring(self) -> None:
        self._storage.ring()


class _Joined:
    shares = True

    def __init__(self, storage: Guests, connection: sqlite3.Connection) -> None:
        self._storage = storage
        self._connection = connection

    def enqueue(self, jobs: Sequence[NewJob], plan: Plan | None = None) -> list[Enqueued]:
        return self._join(lambda con: self._storage.admit(con, jobs, plan))

    def end(self, ended: Ended) -> bool:
        return not self._join(lambda con: apply_endings(con, self._storage.queue, [ended])).lost

    def ring(self) -> None:
        self._storage.ring()

    def _join(self, body: Body[T]) -> T:
        """Run ``body`` as one step of the caller's transaction: whole or not at all."""
        self._storage.db.check_identity()
        return shielded(self._step, body)

    def _step(self, body: Body[T]) -> T:
        connection = self._connection
        plain = _Plain(connection)
        began = inside = False
        try:
            began = _begin(connection, plain)
            plain.execute("savepoint huey_step")
            inside = True
            _check_schema(plain)
            value = body(plain)
            _release(plain)
            inside = False
            return value
        except sqlite3.Error as error:
            raise translate(error, self._storage.db.path) from error
        finally:
            # After a full disk SQLite has rolled back the whole transaction by itself.
            if inside and connection.in_transaction:
                _take_back(plain, began)
            plain.leave()


class _Plain(Speaker):
    """The caller's connection, with rows and texts as the engine reads them until ``leave``."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._text = connection.text_factory
        connection.text_factory = str

    def leave(self) -> None:
        self._connection.text_factory = self._text

    def execute(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        return sqlite3.Cursor(self._connection).execute(sql, parameters)

    def executemany(self, sql: str, parameters: Any) -> sqlite3.Cursor:
        return sqlite3.Cursor(self._connection).executemany(sql, parameters)


def _check_file(connection: sqlite3.Connection, db: Database) -> None:
    plain = _Plain(connection)
    try:
        rows = plain.execute("pragma database_list").fetchall()
    except sqlite3.Error as error:
        raise ConfigurationError(f"the connection cannot be used: {error}") from error
    finally:
        plain.leave()
    found = {name: path for _, name, path in rows}
    names = [name for name, path in found.items() if path and _same(path, db.path)]
    if "main" in names:
        return
    if names:
        raise ConfigurationError(
            f"{db.path} is only attached to this connection (as {names[0]}): with a write-ahead "
            "log two files are two commits. Open it as the main database, or keep the queue in "
            "the file of your tables"
        )
    main = found.get("main") or "a database in memory"
    raise OtherData(f"the connection is to {main}, the queue is in {db.path}")


def _same(path: str, other: str) -> bool:
    try:
        return os.path.samefile(path, other)
    except FileNotFoundError:
        return False


def _begin(connection: sqlite3.Connection, plain: _Plain) -> bool:
    """Where the sqlite3 module begins transactions by itself, so is one begun here; IMMEDIATE, for
    one that begins with a read can be too late to write. Otherwise that is up to the caller.
    False when one was open already."""
    if connection.in_transaction:
        return False
    mode = getattr(connection, "autocommit", _LEGACY)
    if mode is True or (mode == _LEGACY and connection.isolation_level is None):
        raise ConfigurationError(
            "the connection is in autocommit mode and no transaction is open: BEGIN one first"
        )
    plain.execute("begin immediate")
    return True


def _check_schema(plain: _Plain) -> None:
    if not schema.is_current(plain):
        raise ConfigurationError("this transaction began before the queue was made in the file")


def _release(plain: _Plain) -> None:
    """The step becomes part of the caller's transaction. An interrupt may strike when that has
    happened already: then it is no error, because nothing could undo it."""
    try:
        plain.execute("release huey_step")
    except sqlite3.Error:
        try:
            plain.execute("rollback to huey_step")
        except sqlite3.Error as second:
            if "no such savepoint" in str(second):
                return
        raise


def _take_back(plain: _Plain, began: bool) -> None:
    """Undo a step that failed, and nothing of the caller's."""
    try:
        if began:
            plain.execute("rollback")
        else:
            plain.execute("rollback to huey_step")
            plain.execute("release huey_step")
    except sqlite3.Error:
        pass  # the caller hears of the error that led here, and can only roll back
