"""The one owner of the transactions on a PostgreSQL database.

Every write of the project goes through :meth:`Database.transact`; ``psycopg.Error`` never leaves
here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, TypeVar

import psycopg
from psycopg.pq import TransactionStatus

from hueycore.exceptions import StorageError, StorageReadOnly
from hueycore.storage.postgres import schema
from hueycore.storage.postgres.connections import DEADLINE, Connection, Connections, Cursor
from hueycore.storage.postgres.errors import is_away, is_undone, missing, translate
from hueycore.storage.postgres.hints import is_coming
from hueycore.system import clock, native
from hueycore.system.shield import shielded

#: Seconds between two tries of what the server undid, or while it is away.
RETRY = 0.05

T = TypeVar("T")
Body = Callable[[Connection], T]

_IDLE = TransactionStatus.IDLE
_NOTIFY = "select set_config('synchronous_commit', 'off', true), pg_notify(%s, '')"


class Unanswered(StorageError):
    """The connection broke while a transaction was committed: nobody knows whether it is there."""


class Database(Connections):
    """One schema of a database, and the transactions on it that are about one queue."""

    def __init__(
        self,
        dsn: str,
        queue: str,
        schema: str,
        *,
        create: bool = True,
        read_only: bool = False,
        timeout: float = DEADLINE,
    ) -> None:
        super().__init__(dsn, schema, timeout=timeout, read_only=read_only)
        #: Commits of this object.
        self.commits = 0
        #: Grows when a connection has ended by itself: after a crash of the server, what did not
        #: wait for the disk or was not answered may be there or not.
        self.broken = 0
        self._locks = f"pg_advisory_xact_lock({number('schema')}, {number(schema)})"
        try:
            self._prepare(create)
        except BaseException:
            self.close()
            raise
        # Advisory locks are the database's, numbers and names of queues the schema's.
        everybody = number(f"all {self.identity}")
        mine = f"{number(f'queues {self.identity}')}, {number(queue)}"
        self._locks = f"pg_advisory_xact_lock_shared({everybody}, 0), pg_advisory_xact_lock({mine})"
        self._every_lock = f"pg_advisory_xact_lock({everybody}, 0)"
        #: The first number of the locks by which workers live; the second is the worker's.
        self.worker_locks = number(f"workers {self.identity}")

    def transact(self, body: Body[T], durable: bool = True, *, whole: bool = False) -> T:
        """Run ``body`` in one write transaction: all of it is committed, or nothing. It is alone in
        its queue, or in all of them with ``whole``.

        What the server undid before the commit, or could not begin because it went away, is tried
        again for ``timeout`` seconds. A commit that was not answered is not: it may be there.
        Raises ``StorageBusy`` after ``timeout``."""
        return shielded(self._transact, body, durable, self._every_lock if whole else self._locks)

    def commit(self, body: Body[T]) -> tuple[T, Callable[[], object]]:
        return self.transact(body), _nothing

    def read(self, body: Body[T], *, snapshot: bool = False) -> T:
        """Run ``body`` on the reading connection; with ``snapshot`` all its statements see the same
        moment."""
        return shielded(self._read_again, body, snapshot)

    def version(self) -> int:
        """A number that changes whenever anybody has committed."""
        return hash(self.read(_snapshot))

    def lock(self, con: Connection) -> None:
        """In a transaction of the caller's: be alone in the queue until its end. Raises what
        ``transact`` does after ``timeout``."""
        before = con.execute("select current_setting('lock_timeout')").fetchall()[0]
        setting = "select set_config('lock_timeout', ?, true)"
        con.execute(f"{setting}, {self._locks}", (f"{int(self._timeout * 1000)}",))
        con.execute(setting, before)

    def notify(self, channel: str) -> None:
        """Tell those who listen, after a commit and without a wait for the disk."""
        shielded(self._notify, channel)

    # --- inside -----------------------------------------------------------------------------------

    def _notify(self, channel: str) -> None:
        with self._lock:
            try:
                Cursor(self._connection("_write")).execute(_NOTIFY, (channel,))
            except psycopg.Error as error:
                self._is_away(error, "_write")
                raise translate(error) from error

    def _prepare(self, create: bool) -> None:
        current = self.read(schema.is_current)
        if not current and (self.read_only or not create) and self.read(schema.version) == 0:
            raise missing(f'there is no queue in the schema "{self.schema}"')
        # Readers never migrate: an older schema is additive, hence readable.
        if not current and not self.read_only:
            self.transact(self._migrate)
        self.identity = self.read(schema.identity)

    def _migrate(self, con: Connection) -> None:
        if not con.execute(
            "select 1 from pg_namespace where nspname = ?", (self.schema,)
        ).fetchall():
            con.execute(f"create schema {self._place}")
        schema.migrate(con)

    def _transact(self, body: Body[T], durable: bool, locks: str) -> T:
        if self.read_only:
            raise StorageReadOnly("the storage was opened for reading only")
        begin = "begin; "
        # The server's own setting is not touched otherwise: "on" would skip a standby that is to
        # have the data as well.
        begin += "" if durable else "set local synchronous_commit to off; "
        begin += f"set local lock_timeout to {int(self._timeout * 1000)}; select {locks}"
        deadline = clock.monotonic() + self._timeout
        with self._lock:
            while True:
                try:
                    return self._try(body, begin.encode())
                except psycopg.Error as error:
                    again = is_undone(error) or self._is_away(error, "_write")
                    if not again or clock.monotonic() > deadline:
                        raise translate(error) from error
                native.sleep(RETRY)

    def _try(self, body: Body[T], begin: bytes) -> T:
        connection = self._connection("_write")
        try:
            Cursor(connection).execute(begin)
            value = body(self.dress(connection))
            if self._write is not connection:
                raise StorageError("forked in a transaction, which is the parent's alone")
            self._commit(connection)
            return value
        finally:
            if self._write is connection and connection.info.transaction_status != _IDLE:
                self._roll_back("_write")

    def _commit(self, connection: psycopg.Connection[Any]) -> None:
        try:
            answer = Cursor(connection).execute(b"commit").statusmessage
        except psycopg.Error as error:
            if self._is_away(error, "_write"):
                raise Unanswered(
                    "the server did not answer a commit: it may have been carried out, or not"
                ) from error
            raise
        if answer != "COMMIT":
            raise StorageError("the transaction had failed, and was rolled back")
        self.commits += 1

    def _read_again(self, body: Body[T], snapshot: bool) -> T:
        deadline = clock.monotonic() + self._timeout
        with self._read_lock:
            while True:
                try:
                    return self._read_once(body, snapshot)
                except psycopg.Error as error:
                    if not self._is_away(error, "_read") or clock.monotonic() > deadline:
                        raise translate(error) from error
                native.sleep(RETRY)

    def _read_once(self, body: Body[T], snapshot: bool) -> T:
        connection = self._connection("_read")
        try:
            if snapshot:
                Cursor(connection).execute(b"begin isolation level repeatable read read only")
            return body(self.dress(connection))
        finally:
            if self._read is connection and connection.info.transaction_status != _IDLE:
                self._roll_back("_read")

    def _is_away(self, error: psycopg.Error, name: str) -> bool:
        """Whether the connection is gone, or could not be made again."""
        connection = getattr(self, name)
        if not is_away(error, connection):
            return False
        self.broken += 1
        self._discard(name)
        return self._was_there or is_coming(str(error))

    def _roll_back(self, name: str) -> None:
        try:
            getattr(self, name).rollback()
        except psycopg.Error:
            self._discard(name)


def number(text: str) -> int:
    """For an advisory lock: the same in every process and release."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big", signed=True)


def _snapshot(con: Connection) -> str:
    ((found,),) = con.execute("select pg_current_snapshot()::text").fetchall()
    return str(found)


def _nothing() -> None:
    """A commit of PostgreSQL has waited for the disk."""
