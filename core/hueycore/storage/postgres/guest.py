"""A guest in a transaction of the application's own: jobs are born, and runs end, together with the
application's rows. Nothing here begins a transaction that it was not asked for, commits or rolls
back; and nobody waits for its commit, unless jobs of its ids or unique keys are there already, or
the queue has a limit."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg import errors
from psycopg.pq import PipelineStatus, TransactionStatus

from hueycore.exceptions import ConfigurationError, OtherData
from hueycore.model.jobs import Ended, Enqueued, NewJob
from hueycore.model.plan import Plan
from hueycore.storage.postgres.database import Body, Database
from hueycore.storage.postgres.enqueue import Births
from hueycore.storage.postgres.errors import translate
from hueycore.storage.postgres.statements import Connection
from hueycore.storage.sql.done import end_done
from hueycore.system.shield import shielded

if TYPE_CHECKING:
    from hueycore.storage.protocol.guest import Guest

T = TypeVar("T")
_Any = psycopg.Connection[Any] | psycopg.AsyncConnection[Any]

_ENTER = "savepoint huey_step; select value from huey_meta where name = 'identity'"
_LEAVE = "release savepoint huey_step"
#: What the tables of a queue are not in.
_ELSEWHERE = (errors.UndefinedTable, errors.InvalidSchemaName, errors.InsufficientPrivilege)


class Guests(Births):
    def on(self, connection: Any) -> Guest:
        if not isinstance(connection, psycopg.Connection | psycopg.AsyncConnection):
            kind = type(connection).__qualname__
            raise OtherData(f"a connection of psycopg is needed, not {kind}")
        _check_use(connection)
        return _Joined(self, connection)


class _Joined:
    shares = True

    def __init__(self, storage: Guests, connection: _Any) -> None:
        self._storage = storage
        self._connection = connection

    def enqueue(self, jobs: Sequence[NewJob], plan: Plan | None = None) -> list[Enqueued]:
        self._storage.know_queue()

        return self._join(lambda con: self._storage.admit(con, jobs, plan))

    def end(self, ended: Ended) -> bool:
        """Write the ending alone: what follows from it would take the lock of the queue until the
        caller commits. It comes with the run's own exchange, or with the recovery of its worker."""
        return self._join(lambda con: _end(con, self._storage.queue, ended))

    def ring(self) -> None:
        self._storage.ring()

    def _join(self, body: Body[T]) -> T:
        """Run ``body`` as a step of the application's transaction, on its connection."""
        return shielded(self._step, body)

    def _step(self, body: Body[T]) -> T:
        db, theirs = self._storage.db, self._connection
        _check_use(theirs)
        began = theirs.info.transaction_status == TransactionStatus.IDLE
        if began and theirs.autocommit:
            raise ConfigurationError(
                "the connection is in autocommit mode and no transaction is open: BEGIN one first, "
                "with connection.transaction()"
            )
        plain = theirs if isinstance(theirs, psycopg.Connection) else _Plain(theirs)
        con = db.dress(plain)
        con.alone, con.on_alone = False, db.lock
        whole = False
        try:
            _enter(con, db)
            value = body(con)
            con.execute(_LEAVE)
            whole = True
            return value
        except psycopg.Error as error:
            raise translate(error) from error
        finally:
            if not whole:
                _take_back(con, began)


class _Plain(psycopg.Connection[Any]):
    """An asynchronous connection of the caller's, used without its event loop. It is not closed
    with this object."""

    def __init__(self, theirs: psycopg.AsyncConnection[Any]) -> None:
        wire = theirs.pgconn
        handlers = wire.notice_handler, wire.notify_handler
        super().__init__(wire)
        wire.notice_handler, wire.notify_handler = handlers
        if wire.transaction_status == TransactionStatus.IDLE:  # as it would begin its transaction
            self.isolation_level = theirs.isolation_level
            self.read_only = theirs.read_only
            self.deferrable = theirs.deferrable

    def __del__(self, *_: Any) -> None:
        pass


def _check_use(theirs: _Any) -> None:
    """Raise ``ConfigurationError`` when a connection cannot be used as it is."""
    if theirs.closed:
        raise ConfigurationError("the connection is closed")
    if isinstance(theirs, psycopg.AsyncConnection):
        _check_loop(theirs)
    if theirs.info.encoding != "utf-8":
        raise ConfigurationError(
            "the connection's client_encoding does not hold every text: set it to UTF8"
        )
    if theirs.pgconn.pipeline_status != PipelineStatus.OFF:
        raise ConfigurationError("the connection is in pipeline mode: leave it first")
    if theirs.info.transaction_status == TransactionStatus.INERROR:
        raise ConfigurationError("the transaction has failed: it can only be rolled back")


def _check_loop(theirs: psycopg.AsyncConnection[Any]) -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise ConfigurationError(
            "an AsyncConnection can be used in the thread of its event loop alone"
        ) from None
    if theirs.lock.locked():
        raise ConfigurationError("another task is using the connection at this moment")


def _enter(con: Connection, db: Database) -> None:
    try:
        cursor = con.execute(_ENTER)
    except _ELSEWHERE as error:
        raise _elsewhere(con, db) from error
    cursor.nextset()
    row = cursor.fetchone()
    if row is None:
        raise ConfigurationError("this transaction began before the queue was made")
    if row[0] != db.identity:
        raise _elsewhere(con, db)


def _elsewhere(con: Connection, db: Database) -> OtherData:
    info = con.pg.info
    return OtherData(
        f'the connection is to the database "{info.dbname}" on {info.host}, which does not hold '
        f'this queue in its schema "{db.schema}"'
    )


def _end(con: Connection, queue: str, ended: Ended) -> bool:
    row = con.execute(
        "select worker from huey_job where seq = ? and claim = ? and state = 'running'",
        ended.claim[:2],
    ).fetchone()
    if row is None or end_done(con, queue, [ended]):
        return False
    con.execute("insert into huey_completed (seq, worker) values (?, ?)", (ended.claim.seq, *row))
    return True


def _take_back(con: Connection, began: bool) -> None:
    """Undo a step that failed, up to its savepoint or its own BEGIN."""
    try:
        if began:
            con.execute("rollback")
        else:
            con.execute(f"rollback to huey_step; {_LEAVE}")
    except psycopg.Error:
        pass  # the caller hears of the error that led here, and can only roll back
