"""The one owner of connections and transactions of a SQLite file.

A process has one writing connection behind a lock and one reading connection behind another. Every
write of the project goes through :meth:`Database.transact`; ``sqlite3.Error`` never leaves here.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import TypeVar

from hueycore.exceptions import ConfigurationError, StorageError, StorageReadOnly
from hueycore.storage.sqlite import forks, schema
from hueycore.storage.sqlite.dial import MEMORY, Connection, dial
from hueycore.storage.sqlite.entry import Disturbed, Entry
from hueycore.storage.sqlite.errors import (
    IOERR,
    RETRY,
    busy_for,
    error_code,
    is_busy,
    retry,
    translate,
)
from hueycore.storage.sqlite.identity import Identity
from hueycore.storage.sqlite.path import make_file, refuse_network
from hueycore.system import clock, native
from hueycore.system.shield import shield_of_this_thread

T = TypeVar("T")
Body = Callable[[Connection], T]

#: Seconds after which a busy file is given up, by default.
DEADLINE = 5.0


class Database:
    """Connections to one file (or to ``:memory:``), and the transactions on them.

    ``durability``: ``standard`` syncs the verbs that promise durability, ``full`` syncs all,
    ``fast`` none (a power cut may then lose the newest jobs; a crash of the process never does).
    ``timeout``: seconds that a busy file is tried.
    """

    def __init__(
        self,
        path: str,
        *,
        create: bool = True,
        read_only: bool = False,
        mode: int = 0o600,
        durability: str = "standard",
        timeout: float = DEADLINE,
        force_network: bool = False,
    ) -> None:
        if durability not in ("standard", "full", "fast"):
            raise ConfigurationError(f"durability={durability!r}: use standard, full or fast")
        self.memory = path == MEMORY
        self.path = path if self.memory else os.path.realpath(path)
        self.read_only = read_only
        self._durability = durability
        self._timeout = timeout
        self._pid = os.getpid()
        self._lock = native.RLock() if self.memory else native.Lock()
        self._read_lock = self._lock if self.memory else native.Lock()
        self._write: Connection | None = None
        self._read: Connection | None = None
        self._sync = ""
        self._closed = False
        #: A read-only view that will not notice writers; it is opened anew for each read.
        self._frozen = False
        self._owner: int | None = None
        self._copy_lock = native.Lock()
        self._entry = Entry(self.path, None if read_only else mode)
        self._pages = 10_000
        self._readers = 0
        self._forking: list[native.Lock | native.RLock] = []
        self._forked_in_use = False
        self._identity: Identity | None = None
        #: Commits of this object: what ``data_version`` does not show to a single connection.
        self.commits = 0
        if not self.memory:
            if not force_network:
                refuse_network(self.path)
            if not os.path.exists(self.path):
                make_file(self.path, mode if create and not read_only else None)
            self._identity = Identity(self.path, self._entry.check)
            if not os.path.isfile(self.path):
                raise StorageError(f"{self.path} is not a regular file")
        forks.open_databases.add(self)
        try:
            if read_only:
                # Imported here: few only read.
                from hueycore.storage.sqlite.oldfile import check

                self.read(check)
            else:
                self._prepare()
        except BaseException:
            self.close()
            raise

    # --- transactions -----------------------------------------------------------------------

    def transact(self, body: Body[T], durable: bool = True) -> T:
        """Run ``body`` in one write transaction: all of it is committed, or nothing.

        A plain function on purpose: hit by an asynchronous exception (a thread's timeout, ^C), a
        context manager can leave the write lock held. Raises ``StorageBusy`` after ``timeout``.
        """
        if self.read_only:
            raise StorageReadOnly(f"{self.path} was opened for reading only")
        shield = shield_of_this_thread()
        if shield is None:
            return self._transact(body, durable)
        with shield:
            return self._transact(body, durable)

    def _transact(self, body: Body[T], durable: bool) -> T:
        with self._lock:
            connection = self._writer()
            try:
                self._begin(connection, durable)
                value = body(connection)
                if self._write is not connection:
                    raise StorageError("forked in a transaction, which is the parent's alone")
                connection.execute("commit")
                self.commits += 1
                return value
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

    def read(self, body: Body[T], *, snapshot: bool = False) -> T:
        """Run ``body`` on the reading connection; with ``snapshot`` all its statements see the same
        moment. It must fetch all it wants before it returns: an open read blocks checkpoints."""
        shield = shield_of_this_thread()
        if shield is None:
            return self._read_once(body, snapshot)
        with shield:
            return self._read_once(body, snapshot)

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

    def copy(self, body: Body[T]) -> T:
        """Like ``read`` with a snapshot, on a connection of its own: others read meanwhile. What
        the body sees stays as it is, whatever locks a copy of the files drops."""
        if self.memory:
            return self.read(body)
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
                return body(connection)
        except sqlite3.Error as error:
            raise translate(error, self.path) from error

    def version(self) -> int:
        """A number that changes whenever anybody, this process included, has committed."""
        if self.memory:
            return self.commits
        if self._frozen:
            return int(clock.monotonic() * 1e9)
        return self.read(self._data_version)

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

    def check_identity(self) -> None:
        """Raise ``StorageMoved`` unless the path still names the file that was opened."""
        if self._identity is not None:
            self._identity.check()

    def autocheckpoint(self, pages: int) -> None:
        """How many WAL pages a commit lets pass before it checkpoints; 0 leaves it to the janitor
        (two checkpointers are what the WAL-reset bug of SQLite < 3.51.3 needs)."""
        with self._lock:
            self._pages = int(pages)
            self._discard("_write")  # the next one is opened so

    def close(self) -> None:
        self._closed = True
        # The writing one last: a last connection that cannot write leaves the whole log behind.
        for lock, name in ((self._read_lock, "_read"), (self._lock, "_write")):
            with lock:
                self._discard(name)
        self._entry.close()

    def leave(self) -> None:
        """Close what nobody is using: the process ends. A daemon thread may still open it anew."""
        self._closed = self._closed or self.memory
        free = [
            (lock, name)
            for lock, name in ((self._read_lock, "_read"), (self._lock, "_write"))
            if lock.acquire(blocking=False)
        ]
        try:
            for _, name in free:
                self._discard(name)
            if self._read is self._write is None:
                self._entry.close()
        finally:
            for lock, _ in free:
                lock.release()

    # --- inside -------------------------------------------------------------------------------

    def _begin(self, connection: Connection, durable: bool) -> None:
        deadline = clock.monotonic() + self._timeout
        if not self._entry.enter_door(deadline):
            raise busy_for(self.path, self._timeout, self._others())
        full = durable if self._durability == "standard" else self._durability == "full"
        sync = "full" if full else "normal"
        if connection.in_transaction:  # an exception struck between two lines of transact
            connection.execute("rollback")
        if sync != self._sync:
            retry(lambda: connection.execute(f"pragma synchronous={sync}"), self._timeout)
            self._sync = sync
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

    def _others(self) -> list[int]:
        """The threads of this process that hold the lock through another object."""
        others = [other for other in list(forks.open_databases) if other.path == self.path]
        return [other._owner for other in others if other._owner is not None and other is not self]

    def _writer(self) -> Connection:
        self._check_use()
        if self._write is None:
            self._write = self._connect("rw")
            self._sync = ""
        return self._write

    def _reader(self) -> Connection:
        if self.memory:
            return self._writer()
        self._check_use()
        if self._frozen and self._read is not None:
            self._read.close()
            self._read = None
        if self._read is None:
            self._read = self._open_reader()
            self._frozen = self._read.frozen
            self._readers += 1
        return self._read

    def _open_reader(self) -> Connection:
        with self._lock:  # the door lets all in who share it
            return self._connect("ro")

    def _check_use(self) -> None:
        if self._closed:
            raise StorageError(f"the storage {self.path} is closed")
        if self._forked_in_use:
            raise StorageError(f"this process was forked in the middle of a use of {self.path}")
        if os.getpid() != self._pid:
            self._after_fork()
        self.check_identity()

    def _connect(self, access: str) -> Connection:
        if self.memory:
            return self._dial(access)
        return self._entry.connect(lambda: self._dial(access), self._timeout)

    def _dial(self, access: str) -> Connection:
        return dial(self.path, access, pages=self._pages, seconds=self._timeout)

    def _prepare(self) -> None:
        with self._lock:
            self._writer()
        if not self.read(schema.is_current):
            self.transact(schema.migrate)

    def _forget_if_broken(self, error: sqlite3.Error, name: str) -> None:
        """After an I/O error a connection is not trusted again. Only that one: another thread may
        be in the middle of something with the other."""
        if error_code(error) == IOERR:
            self._discard(name)

    def _discard(self, name: str) -> None:
        connection = getattr(self, name)
        if connection is not None and (self._closed or not self.memory):
            setattr(self, name, None)
            connection.close()

    def before_fork(self) -> None:
        for lock in (self._copy_lock, self._read_lock, self._lock):
            mine = lock is self._lock and self._owner == native.get_ident()
            if not mine and lock.acquire(timeout=2 * DEADLINE):
                self._forking.append(lock)
        if self._read_lock in self._forking:
            self._discard("_read")
        if self._lock in self._forking:
            self._discard("_write")

    def after_fork_in_parent(self) -> None:
        while self._forking:
            self._forking.pop().release()

    def after_fork_in_child(self) -> None:
        # A lock may be held by a thread that does not exist in the child.
        if self.memory:
            self._lock = self._read_lock = native.RLock()
        else:
            self._after_fork()

    def _after_fork(self) -> None:
        if self.memory:
            raise StorageError("an in-memory queue cannot be used in a forked process")
        self._forked_in_use = 0 < len(self._forking) < 3
        self._forking = []
        forks.leaked.append((self._write, self._read))
        self._lock, self._read_lock = native.Lock(), native.Lock()
        self._copy_lock = native.Lock()
        self._write = self._read = None
        self._entry.forget()
        self._owner, self._sync = None, ""
        self._pid = os.getpid()
