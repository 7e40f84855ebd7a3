"""The one owner of the transactions on a SQLite file.

Every write of the project goes through :meth:`Database.transact`; ``sqlite3.Error`` never leaves
here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import TypeVar

from hueycore.exceptions import StorageBusy, StorageError, StorageReadOnly
from hueycore.storage.sqlite import forks, schema
from hueycore.storage.sqlite.connections import Connections
from hueycore.storage.sqlite.dial import Connection
from hueycore.storage.sqlite.entry import Disturbed
from hueycore.storage.sqlite.errors import (
    IOERR,
    RETRY,
    busy_for,
    error_code,
    is_busy,
    retry,
    translate,
)
from hueycore.storage.sqlite.log import Log
from hueycore.system import clock, native
from hueycore.system.shield import shielded

#: Pages of the log that are moved into the file at a time, where no consumer lives.
SHORT_LOG = 1000
#: Commits of a connection from one look at the length of the log to the next.
OFTEN = 16

T = TypeVar("T")
Body = Callable[[Connection], T]


class Database(Connections):
    """One file (or ``:memory:``), and the transactions on it."""

    def transact(self, body: Body[T], durable: bool = True, *, whole: bool = False) -> T:
        """Run ``body`` in one write transaction: all of it is committed, or nothing.

        A plain function on purpose: hit by an asynchronous exception (a thread's timeout, ^C), a
        context manager can leave the write lock held. Raises ``StorageBusy`` after ``timeout``.
        """
        return shielded(self._transact_and_wait, body, durable)

    def commit(self, body: Body[T]) -> tuple[T, Callable[[], object]]:
        """As ``transact``, but it does not wait for the disk: the second of the answer does."""
        value, log, number = shielded(self._transact, body, True)
        return value, partial(shielded, self._wait_for_disk, log, number)

    def _transact_and_wait(self, body: Body[T], durable: bool) -> T:
        value, log, number = self._transact(body, durable)
        self._wait_for_disk(log, number)
        return value

    def _transact(self, body: Body[T], durable: bool) -> tuple[T, Log | None, int]:
        """What the body answers, the log to be synced, and the commit's number there."""
        if self.read_only:
            raise StorageReadOnly(f"{self.path} was opened for reading only")
        with self._lock:
            connection = self._writer()
            log = self._log if durable or self._durability == "full" else None
            before = connection.total_changes
            try:
                self._begin(connection)
                value = body(connection)
                if self._write is not connection:
                    raise StorageError("forked in a transaction, which is the parent's alone")
                connection.execute("commit")
                self.commits += 1
                if connection.total_changes == before:
                    log = None
                number = 0 if log is None else log.promise()
                if self._pages and self.commits % OFTEN == 0:
                    self._shorten_log(connection)
            except sqlite3.Error as error:
                self._forget_if_broken(error, "_write")
                raise translate(error, self.path) from error
            finally:
                self._owner = None
                # Calls into C alone: no asynchronous exception can come between. SQLite has rolled
                # back by itself after SQLITE_FULL; in a child that was forked in the body the
                # transaction is its parent's.
                try:
                    if self._write is connection and connection.in_transaction:
                        connection.execute("rollback")
                except sqlite3.Error:
                    self._discard("_write")  # which ends its transaction
                finally:
                    self._entry.leave_door()
        return value, log, number

    def _wait_for_disk(self, log: Log | None, number: int) -> None:
        if log is None:
            return
        try:
            log.sync(number)
        except StorageError:
            with self._lock:
                if self._log is log:
                    self._discard("_write")
                    self._doubtful = True
            raise

    def read(self, body: Body[T], *, snapshot: bool = False) -> T:
        """Run ``body`` on the reading connection; with ``snapshot`` all its statements see the same
        moment. It must fetch all it wants before it returns: an open read blocks checkpoints."""
        return shielded(self._read_once, body, snapshot)

    def _read_once(self, body: Body[T], snapshot: bool) -> T:
        with self._read_lock:
            deadline = clock.monotonic() + self._timeout
            inside = False
            while True:
                look = partial(self._look, self._reader(), body, snapshot)
                try:
                    return self._look_inside(look) if inside else self._entry.read(look)
                except Disturbed:
                    pass
                except sqlite3.Error as error:
                    # A reader whose locks a copy has dropped may be told any nonsense; inside,
                    # others than we may still be making the index of the log anew.
                    again = is_busy(error) and clock.monotonic() < deadline if inside else True
                    if error_code(error) == IOERR or not again:
                        self._forget_if_broken(error, "_read")
                        raise translate(error, self.path) from error
                    native.sleep(RETRY)
                inside = True

    def _look(self, connection: Connection, body: Body[T], snapshot: bool) -> T:
        try:
            if snapshot and not self.memory:
                connection.execute("begin")
            return body(connection)
        finally:
            try:
                if snapshot and self._read is connection and connection.in_transaction:
                    connection.execute("rollback")
            except sqlite3.Error:
                self._discard("_read")

    def _look_inside(self, look: Callable[[], T]) -> T:
        """In the door, where nobody of ours writes: SQLite makes the index of the log anew if it
        must, and what disturbed a read outside is over."""
        with self._lock:
            try:
                if not self._entry.enter_door(clock.monotonic() + self._timeout):
                    raise busy_for(self.path, self._timeout, self._others())
                return look()
            finally:
                self._entry.leave_door()

    @contextmanager
    def view(self) -> Iterator[Connection]:
        """What is there at this moment, until the end of the block. On a connection of its own:
        others read and write meanwhile, but in memory, where they wait. What it sees stays as it
        is, whatever locks a copy of the files drops."""
        if self.memory:
            with self._lock:
                yield self._writer()
            return
        self._check_use()
        try:
            with (
                self._copy_lock,
                closing(self._open_reader()) as connection,
                self._entry.pinned(self._timeout),
            ):
                connection.execute("begin")
                first = partial(connection.execute, "select 1 from sqlite_master")
                self._look_inside(lambda: retry(first, self._timeout).fetchall())
                yield connection
        except sqlite3.Error as error:
            raise translate(error, self.path) from error

    def version(self) -> int:
        """A number that changes whenever anybody, this process included, has committed."""
        if self.memory:
            return self.commits
        if self._frozen:
            return int(clock.monotonic() * 1e9)
        self._check_use()
        # An idle consumer asks five times a second: three calls of the system, a read takes ten.
        head = self._entry.head_of_log()
        return self.read(self._data_version) if head is None else int.from_bytes(head, "little")

    def now(self) -> float:
        return clock.now()

    def _data_version(self, connection: Connection) -> int:
        # Each connection counts for itself: that there is another one is news.
        row = connection.execute("pragma data_version").fetchone()
        return self._readers << 32 | int(row[0])

    def checkpoint(self, truncate: bool) -> None:
        """Move the WAL into the file; ``truncate`` waits up to 200 ms for readers to leave."""
        if self.memory or self.read_only:
            return
        with self._lock:
            connection = self._writer()
            try:
                if not self._entry.enter_door(clock.monotonic() + self._timeout):
                    return  # the next one moves more
                if truncate:
                    connection.execute("pragma busy_timeout=200")
                    try:
                        connection.execute("pragma wal_checkpoint(truncate)").fetchall()
                    finally:
                        connection.execute("pragma busy_timeout=0")
                else:
                    connection.execute("pragma wal_checkpoint(passive)").fetchall()
            except sqlite3.Error as error:
                if not is_busy(error):
                    self._forget_if_broken(error, "_write")
                    raise translate(error, self.path) from error
            finally:
                self._entry.leave_door()

    def alone(self, body: Body[T]) -> T:
        """Run ``body`` on the writing connection while nobody of ours writes: not in a transaction,
        it makes its own. What it has written is on the disk when this returns."""
        if self.read_only:
            raise StorageReadOnly(f"{self.path} was opened for reading only")
        with self._lock:
            connection = self._writer()
            log = self._log
            try:
                if not self._entry.enter_door(clock.monotonic() + self._timeout):
                    raise busy_for(self.path, self._timeout, self._others())
                value = body(connection)
                number = 0 if log is None else log.promise()
            except sqlite3.Error as error:
                self._forget_if_broken(error, "_write")
                raise translate(error, self.path) from error
            finally:
                self._entry.leave_door()
        self._wait_for_disk(log, number)
        return value

    # --- inside -------------------------------------------------------------------------------

    def _begin(self, connection: Connection) -> None:
        deadline = clock.monotonic() + self._timeout
        if not self._entry.enter_door(deadline):
            raise busy_for(self.path, self._timeout, self._others())
        if connection.in_transaction:  # an exception struck between two lines of transact
            connection.execute("rollback")
        if self._doubtful:
            self._empty_log(connection)
        while True:
            try:
                connection.execute("begin immediate")
                self._owner = native.get_ident()
                return
            except sqlite3.Error as error:
                if not is_busy(error):
                    raise
                if clock.monotonic() > deadline:
                    raise busy_for(self.path, self._timeout, self._others()) from error
            native.sleep(RETRY * (0.5 + clock.monotonic() * 1e6 % 1.0))

    def _shorten_log(self, connection: Connection) -> None:
        """Where no janitor does it: a log that is written over again and again is synced sooner
        than one that grows."""
        pages = self._entry.long_log(SHORT_LOG)
        if pages < self._shortened:
            self._shortened = 0  # it has begun anew
        if pages - self._shortened < SHORT_LOG:
            return
        self._shortened = pages
        try:
            connection.execute("pragma wal_checkpoint(passive)").fetchall()
        except sqlite3.Error:
            pass  # the next one moves more; what was committed is in the log

    def _empty_log(self, connection: Connection) -> None:
        """Into the file itself: of a log that could not be synced, and of all that is written to it
        afterwards, nobody knows what a power cut would leave."""
        busy, frames, copied = connection.execute("pragma wal_checkpoint(full)").fetchone()
        if busy or copied < frames:
            raise StorageError(
                f"{self.path}-wal could not be synced, and is read just now: try again"
            )
        self._doubtful = False

    def _others(self) -> list[int]:
        """The threads of this process that hold the lock through another object."""
        others = [other for other in list(forks.open_databases) if other.path == self.path]
        return [other._owner for other in others if other._owner is not None and other is not self]

    def _prepare(self) -> None:
        if self.read_only:
            # Imported here: few only read.
            from hueycore.storage.sqlite.oldfile import check

            self.read(check)
            return
        try:
            with self._lock:
                self._writer()
            if not self.read(schema.is_current):
                self.transact(schema.migrate)
        except StorageBusy as error:
            # Perhaps by a transaction of the caller's own.
            raise StorageBusy(
                f"{error} (Open a queue once before a transaction of your own begins, with "
                "Huey.storage: its tables are made then.)"
            ) from error
