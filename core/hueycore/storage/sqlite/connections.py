"""The two connections of a process to a SQLite file: one writes, one reads, each behind a lock.

They are opened at the first use, and closed after an error of the disk, before a fork, at the end.
"""

from __future__ import annotations

import os
import sqlite3

from hueycore.exceptions import ConfigurationError, StorageError
from hueycore.storage.sqlite import forks, schema
from hueycore.storage.sqlite.dial import MEMORY, Connection, dial
from hueycore.storage.sqlite.entry import Entry
from hueycore.storage.sqlite.errors import IOERR, error_code
from hueycore.storage.sqlite.identity import Identity
from hueycore.storage.sqlite.log import Log
from hueycore.storage.sqlite.path import make_file, refuse_network
from hueycore.system import native

#: Seconds after which a busy file is given up, by default.
DEADLINE = 5.0


class Connections:
    """``durability``: ``standard`` syncs the verbs that promise durability, ``full`` syncs all,
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
        #: Of the writing connection; None when nothing is ever synced.
        self._log: Log | None = None
        #: A sync has failed, and the log was not emptied since.
        self._doubtful = False
        self._closed = False
        #: A read-only view that will not notice writers; it is opened anew for each read.
        self._frozen = False
        self._owner: int | None = None
        self._copy_lock = native.Lock()
        self._entry = Entry(self.path, None if read_only else mode)
        self._pages = 10_000
        #: Pages of the log when it was shortened last; while a reader needs them they stay.
        self._shortened = 0
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
            self._prepare()
        except BaseException:
            self.close()
            raise

    def _prepare(self) -> None:
        """What is to be done with a file before its first use."""
        raise NotImplementedError

    def autocheckpoint(self, pages: int) -> None:
        """How many WAL pages a commit lets pass before it checkpoints; 0 leaves it to the janitor
        (two checkpointers are what the WAL-reset bug of SQLite < 3.51.3 needs)."""
        with self._lock:
            self._pages = int(pages)
            self._discard("_write")  # the next one is opened so

    def check_identity(self) -> None:
        """Raise ``StorageMoved`` unless the path still names the file that was opened."""
        if self._identity is not None:
            self._identity.check()

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

    # --- inside -----------------------------------------------------------------------------------

    def _writer(self) -> Connection:
        self._check_use()
        if self._write is None:
            connection = self._connect("rw")
            try:
                log = None if self.memory or self._durability == "fast" else Log(self.path)
            except BaseException:
                connection.close()  # without its log it would sync nothing
                raise
            self._write, self._log = connection, log
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
        ready = schema.complete if self.read_only else None
        return dial(self.path, access, pages=self._pages, seconds=self._timeout, ready=ready)

    def _forget_if_broken(self, error: sqlite3.Error, name: str) -> None:
        """After an I/O error a connection is not trusted again. Only that one: another thread may
        be in the middle of something with the other."""
        if error_code(error) == IOERR:
            self._discard(name)

    def _discard(self, name: str) -> None:
        connection = getattr(self, name)
        if connection is not None and (self._closed or not self.memory):
            setattr(self, name, None)
            if name == "_write" and self._log is not None:
                log, self._log = self._log, None
                log.close()
            connection.close()

    # --- forks ------------------------------------------------------------------------------------

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
        self._write = self._read = self._log = self._owner = None
        self._entry.forget()
        self._pid = os.getpid()
