"""The one owner of the transactions on a PostgreSQL database.

Every write of the project goes through :meth:`Database.transact`; ``psycopg.Error`` never leaves
here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from typing import Any, TypeVar, cast

import psycopg
from psycopg.pq import TransactionStatus

from hueycore.exceptions import StorageError, StorageReadOnly
from hueycore.storage.postgres import schema
from hueycore.storage.postgres.connections import DEADLINE, Connections, Link
from hueycore.storage.postgres.dialect import translate as spelled
from hueycore.storage.postgres.errors import is_away, is_undone, missing, translate
from hueycore.storage.postgres.hints import is_coming
from hueycore.storage.postgres.pipeline import Statement
from hueycore.storage.postgres.statements import Connection, Cursor, Prepared
from hueycore.system import clock, native
from hueycore.system.shield import shielded

#: Seconds between two tries of what the server undid, or while it is away.
RETRY = 0.05

T = TypeVar("T")
Body = Callable[[Connection], T]
#: What is sent with a commit.
Rest = Callable[[], T]

_IDLE = TransactionStatus.IDLE
_READ_ONLY = "the storage was opened for reading only"
#: After the commit. A transaction that writes nothing else does not wait for the disk.
_BELL = "select pg_notify('{}', '')"


#: It takes the time that its reader takes; and all that it asks for is to be found by an index,
#: whatever the planner knows of the rows.
_VIEW = b"""
    begin isolation level repeatable read read only; set local statement_timeout to 0;
    set local idle_in_transaction_session_timeout to 0; set local enable_seqscan to off
"""


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
        self._patience = f"set local lock_timeout to {int(self._timeout * 1000)}"
        self._begin = f"begin; {self._patience}"
        self._locks = f"pg_advisory_xact_lock({number('schema')}, {number(schema)})"
        try:
            self._prepare(create)
        except BaseException:
            self.close()
            raise
        # Advisory locks are the database's, numbers and names of queues the schema's.
        everybody = number(f"all {self.identity}")
        mine = f"{number(f'queues {self.identity}')}, {number(queue)}"
        in_all = f"pg_advisory_xact_lock_shared({everybody}, 0)"
        self._locks = f"{in_all}, pg_advisory_xact_lock({mine})"
        self._shared_locks = f"{in_all}, pg_advisory_xact_lock_shared({mine})"
        self.channel = channel(self.identity, queue)
        self._bell = _BELL.format(self.channel)
        self._every_lock = f"pg_advisory_xact_lock({everybody}, 0)"
        #: The first number of the locks by which workers live; the second is the worker's.
        self.worker_locks = number(f"workers {self.identity}")
        #: The same as the server lists it: an oid has no sign.
        self.worker_space = self.worker_locks % 2**32

    def transact(self, body: Body[T], durable: bool = True, *, whole: bool = False) -> T:
        """Run ``body`` in one write transaction: all of it is committed, or nothing. It is alone in
        its queue, or in all of them with ``whole``.

        What the server undid before the commit, or could not begin because it went away, is tried
        again for ``timeout`` seconds. A commit that was not answered is not: it may be there.
        Raises ``StorageBusy`` after ``timeout``."""
        return shielded(self._transact, body, durable, self._every_lock if whole else self._locks)

    def commit(self, body: Body[T]) -> tuple[T, Callable[[], object]]:
        """The bell is rung with the commit."""
        if self.read_only:
            raise StorageReadOnly(_READ_ONLY)
        return shielded(self._tried, self._write, lambda: self._try_births(body)), _nothing

    def commit_one(self, sql: str, values: Sequence[Any]) -> int | None:
        """A statement that is a transaction, and the bell, for one answer to wait for. The number
        that it gives, if any."""
        if self.read_only:
            raise StorageReadOnly(_READ_ONLY)
        birth = Statement(spelled(sql, self._place), values)
        return shielded(self._tried, self._write, lambda: self._try_one(birth))

    def read(self, body: Body[T], *, snapshot: bool = False) -> T:
        """Run ``body`` on the reading connection; with ``snapshot`` all its statements see the same
        moment."""
        return shielded(self._tried, self._read, lambda: self._read_once(body, snapshot))

    @contextmanager
    def view(self) -> Iterator[Connection]:
        """What is there at this moment, until the end of the block. On a connection of its own."""
        try:
            with closing(self.connect()) as connection:
                Cursor(connection).execute(_VIEW)
                yield self.dress(connection)
        except psycopg.Error as error:
            raise translate(error) from error

    def version(self) -> int:
        """A number that changes whenever anybody has committed."""
        return hash(self.read(_snapshot))

    def exchange(self, first: Body[Rest[T] | None], otherwise: Body[T]) -> T:
        """A transaction of two messages, not synced. ``first`` asks and answers with what is to be
        sent after it, together with the commit, or with None: then ``otherwise`` goes on in the
        same transaction, statement by statement. It is alone in the queue.

        Raises as ``transact`` does, and what ``first`` raises."""
        step = partial(self._exchange, first, self._locks, otherwise)
        return cast(T, shielded(self._tried, self._hot, step))

    def exchange_beside(self, first: Body[Rest[T] | None]) -> T | None:
        """As ``exchange``, beside others of this kind; nobody is alone in the queue meanwhile. When
        ``first`` answers with None it is undone, and None the answer."""
        return shielded(self._tried, self._hot, lambda: self._exchange(first, self._shared_locks))

    def prepare(self) -> None:
        """Connect what an exchange needs: later the server may have no place left."""
        shielded(self._tried, self._hot, lambda: self._connection(self._hot))

    def lock(self, con: Connection) -> None:
        """In a transaction of the caller's: be alone in the queue until its end. Raises what
        ``transact`` does after ``timeout``."""
        before = con.execute("select current_setting('lock_timeout')").fetchall()[0]
        setting = "select set_config('lock_timeout', ?, true)"
        con.execute(f"{setting}, {self._locks}", (f"{int(self._timeout * 1000)}",))
        con.execute(setting, before)

    def notify(self) -> None:
        """Tell those who listen, after a commit and without a wait for the disk."""
        shielded(self._notify)

    def vacuum(self, table: str, *, analyze: bool) -> None:
        """Remove the dead rows of a table, unless somebody does already; ``analyze``: tell the
        planner of the others. On a connection of its own: it may take minutes, and is refused in a
        transaction."""
        shielded(self._vacuum, table, analyze)

    # --- inside -----------------------------------------------------------------------------------

    def _notify(self) -> None:
        with self._write.lock:
            try:
                self.dress(self._connection(self._write)).execute(self._bell)
            except psycopg.Error as error:
                self._is_away(error, self._write)
                raise translate(error) from error

    def _vacuum(self, table: str, analyze: bool) -> None:
        try:
            with closing(self.connect()) as connection:
                connection.execute(b"set statement_timeout to 0")
                options = f"skip_locked, analyze {'on' if analyze else 'off'}"
                connection.execute(f"vacuum ({options}) {self._place}.{table}".encode())
        except psycopg.Error as error:
            raise translate(error) from error

    def _prepare(self, create: bool) -> None:
        current = self.read(schema.is_current)
        if not current and (self.read_only or not create) and self.read(schema.version) == 0:
            raise missing(f'there is no queue in the schema "{self.schema}"')
        # Readers never migrate: an older schema is additive, hence readable.
        if not current and not self.read_only:
            self.transact(self._migrate)
        self._old = not current and self.read_only
        self.identity = self.read(schema.identity)

    def _migrate(self, con: Connection) -> None:
        if not con.execute(
            "select 1 from pg_namespace where nspname = ?", (self.schema,)
        ).fetchall():
            con.execute(f"create schema {self._place}")
        schema.migrate(con)

    def _transact(self, body: Body[T], durable: bool, locks: str) -> T:
        if self.read_only:
            raise StorageReadOnly(_READ_ONLY)
        # The server's own setting is not touched otherwise: "on" would skip a standby that is to
        # have the data as well.
        speed = "" if durable else "set local synchronous_commit to off; "
        begin = f"{self._begin}; {speed}select {locks}".encode()
        return self._tried(self._write, lambda: self._try(body, begin))

    def _tried(self, link: Link, step: Callable[[], T]) -> T:
        """Take a step on a link; what the server undid is tried again, and what it could not begin
        because it was away."""
        deadline = clock.monotonic() + self._timeout
        with link.lock:
            while True:
                try:
                    return step()
                except psycopg.Error as error:
                    again = is_undone(error) or self._is_away(error, link)
                    if not again or clock.monotonic() > deadline:
                        raise translate(error) from error
                native.sleep(RETRY)

    def _try(self, body: Body[T], begin: bytes) -> T:
        connection = self._connection(self._write)
        with self._whole(self._write, connection):
            Cursor(connection).execute(begin)
            con = self._gather(connection)
            value = body(con)
            self._count(self._commit(self._write, con))
            return value

    def _try_births(self, body: Body[T]) -> T:
        connection = self._connection(self._write)
        with self._whole(self._write, connection):
            con = self.dress(connection)
            con.execute(self._begin)
            con.alone, con.on_alone = False, self.lock
            value = body(con)
            self._count(self._commit(self._write, con, self._bell))
            return value

    def _try_one(self, birth: Statement) -> int | None:
        connection, link = self._connection(self._write), self._write
        statements = [birth]
        if connection.prepare_threshold is None:  # nor were its settings made
            begin, patience = Statement(b"begin"), Statement(self._patience.encode())
            statements = [begin, patience, birth, Statement(b"commit")]
        with self._whole(link, connection):
            try:
                answers = link.pipeline.run(statements, last=Statement(self._bell.encode()))
            except psycopg.Error as error:
                self._check_answer(error, link, sent=True)
                raise
            self.commits += 1
            values = [answer.get_value(0, 0) for answer in answers if answer.ntuples]
            return int(values[0] or 0) if values else None

    def _pipe_begin(self, con: Prepared, *, durable: bool = True) -> None:
        con.execute("begin")
        if con.pg.prepare_threshold is None:  # nor were its settings made
            con.execute(self._patience)
            if not durable:
                con.execute("set local synchronous_commit to off")

    def _exchange(
        self, first: Body[Rest[T] | None], locks: str, otherwise: Body[T] | None = None
    ) -> T | None:
        link = self._hot
        connection = self._connection(link)
        with self._whole(link, connection):
            con = Prepared(connection, self._place, self._offset)
            commit, sent = None, False
            try:
                with _pipeline(connection):
                    self._pipe_begin(con, durable=False)
                    con.execute(f"select {locks}")
                    rest = first(con)
                    if rest is not None:
                        value = rest()
                        self._check_fork(link, connection)
                        sent = True
                        commit = con.execute("commit")
            except psycopg.Error as error:
                self._check_answer(error, link, sent=sent)
                raise
            if commit is None:
                if otherwise is None:
                    return None
                alone = self._gather(connection)
                value = otherwise(alone)
                commit = self._commit(link, alone)
            self._count(commit)
            return value

    def _gather(self, connection: psycopg.Connection[Any]) -> Connection:
        """A connection that ends its transaction by ``_commit``."""
        con = self.dress(connection)
        con.gathers = True
        return con

    def _commit(self, link: Link, con: Connection, bell: str = "") -> Cursor:
        self._check_fork(link, con.pg)
        try:
            return con.execute(f"commit; {bell}")
        except psycopg.Error as error:
            self._check_answer(error, link, sent=True)
            raise

    def _check_answer(self, error: psycopg.Error, link: Link, *, sent: bool) -> None:
        """Raise ``Unanswered`` when a commit was ``sent`` on a connection that is gone."""
        if sent and self._is_away(error, link):
            raise Unanswered(
                "the server did not answer a commit: it may have been carried out, or not"
            ) from error

    def _check_fork(self, link: Link, connection: psycopg.Connection[Any]) -> None:
        if link.connection is not connection:
            raise StorageError("forked in a transaction, which is the parent's alone")

    @contextmanager
    def _whole(self, link: Link, connection: psycopg.Connection[Any]) -> Iterator[None]:
        """What was begun inside and not committed is rolled back."""
        try:
            yield
        finally:
            if link.connection is connection and connection.info.transaction_status != _IDLE:
                try:
                    connection.rollback()
                except psycopg.Error:
                    link.discard()

    def _count(self, commit: psycopg.Cursor[Any]) -> None:
        if commit.statusmessage != "COMMIT":
            raise StorageError("the transaction had failed, and was rolled back")
        self.commits += 1

    def _read_once(self, body: Body[T], snapshot: bool) -> T:
        connection = self._connection(self._read)
        with self._whole(self._read, connection):
            if snapshot:
                Cursor(connection).execute(b"begin isolation level repeatable read read only")
            con = self.dress(connection)
            if con.old:  # until somebody has migrated them
                self._old = con.old = not schema.is_current(con)
            return body(con)

    def _is_away(self, error: psycopg.Error, link: Link) -> bool:
        """Whether the connection is gone, or could not be made again."""
        if not is_away(error, link.connection):
            return False
        self.broken += 1
        link.discard()
        return self._was_there or is_coming(str(error))


@contextmanager
def _pipeline(connection: psycopg.Connection[Any]) -> Iterator[psycopg.Pipeline]:
    """A pipeline of which the first error is raised alone. psycopg would log besides what its end
    says of a connection that is gone."""
    first = None
    try:
        with connection.pipeline() as pipeline:
            try:
                yield pipeline
            except psycopg.Error as error:
                first = error
    except psycopg.Error as error:
        raise first or error from None
    if first is not None:
        raise first


def number(text: str) -> int:
    """For an advisory lock: the same in every process and release."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big", signed=True)


def channel(identity: str, queue: str) -> str:
    """The name on which the news of a queue are given, another one in each schema."""
    return f"huey_{hashlib.sha256(f'{identity} {queue}'.encode()).hexdigest()[:32]}"


def _snapshot(con: Connection) -> str:
    ((found,),) = con.execute("select pg_current_snapshot()::text").fetchall()
    return str(found)


def _nothing() -> None:
    """A commit of PostgreSQL has waited for the disk."""
