"""Whoever uses a file keeps others from removing the log under it, whatever is copied meanwhile.

SQLite notes by POSIX locks that a database and its ``-shm`` are in use. Any close of one of the two
files in this process drops them: then the next process that leaves believes to be the last one and
removes the log, and what this process commits from then on is gone. So the same is said once more
by locks of descriptions of our own, on the same bytes, which SQLite of every other process heeds.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

from hueycore.exceptions import StorageBusy, StorageMoved, StorageReadOnly
from hueycore.storage.sqlite import ofd
from hueycore.storage.sqlite.dial import connect
from hueycore.storage.sqlite.errors import RETRY, retry
from hueycore.storage.sqlite.identity import Key, key_at, key_of
from hueycore.storage.sqlite.path import uri
from hueycore.storage.sqlite.permission import refusal
from hueycore.system import clock, native


class Connection(Protocol):
    def close(self) -> None: ...


C = TypeVar("C", bound=Connection)

#: SQLite's shared range of a database: somebody has a connection to it.
SHARED = (0x40000002, 510)
#: SQLite's byte of a -shm: somebody has it mapped, so that nobody begins it anew.
MAPPED = 128
#: SQLite's byte of a -shm that keeps others from making the index of the log anew.
RECOVERY = (122, 1)
#: SQLite's byte of a -shm that keeps others from copying the log into the file. A log that is not
#: copied whole does not begin anew. The bytes after it, of the marks in the log, stay free: whoever
#: reads or writes next may have to move one.
COPYING = (123, 1)
#: In a -shm, its head twice: while they differ somebody writes it, or died in the middle of that.
_HEAD, _AGAIN = slice(0, 48), slice(48, 96)
#: How many pages the log has.
_PAGES = slice(16, 20)
#: The salt of the log, and how far it was copied, or began to be copied, into the file.
_SALT, _COPIED, _COPY = slice(32, 40), slice(96, 100), slice(128, 132)
#: Bytes 18 and 19 of a database with a write-ahead log.
WAL = b"\x02\x02"

_lock = native.Lock()
_pid = os.getpid()
#: Descriptors by device and inode. To close one drops SQLite's locks on that file, hence
#: ``_close_unused``.
_kept: dict[Key, int] = {}
_guards: dict[Key, Guard] = {}
#: Guards of databases that were taken apart without a ``leave``.
orphans: deque[Guard] = deque()


class Guard:
    """One per database and process; its users are counted. Get it with :func:`enter`."""

    def __init__(self, path: str, key: Key) -> None:
        self.path = path
        self._key = key
        self._users = 0
        self._pins = 0
        #: Who reads. Whom an exception leaves in it, his next read takes out.
        self._readers: set[int] = set()
        self._access = "mode=ro"
        self._held = False
        self._index: Key | None = None
        self._beside: list[tuple[str, Key]] = []

    def check(self) -> None:
        """Raise ``StorageMoved`` when the log or its index was removed or replaced under us: what
        is committed from then on, nobody reads."""
        for path, key in self._beside:
            if key_at(path) != key:
                raise StorageMoved(f"{path} was removed or replaced while it was in use")

    def pages_of_log(self) -> int:
        """For whoever holds the write lock, or wants to know about how many."""
        index = self._index
        if index is None:
            return 0
        return int.from_bytes(os.pread(_kept[index], _PAGES.stop, 0)[_PAGES], sys.byteorder)

    def head_of_log(self) -> bytes | None:
        """What every commit changes, and nothing else; None without a log."""
        with _lock:
            index = self._index
            return None if index is None else os.pread(_kept[index], _HEAD.stop, 0)

    def begin_read(self, reader: int) -> bytes | None:
        """Before a read outside the door. Until ``end_read`` SQLite does not make the index of the
        log anew in this process: without its locks, which a copy may drop, it would do so under a
        writer. None when that is to be done, by who is inside; else the state of the log."""
        with _lock:
            if self._index is None:
                return b""
            descriptor = _kept[self._index]
            head = os.pread(descriptor, _COPY.stop, 0)
            if head[_HEAD] != head[_AGAIN]:
                return None
            if not self._readers and not ofd.take(descriptor, *RECOVERY, shared=True):
                return None
            self._readers.add(reader)
            return _state(head)

    def end_read(self, reader: int) -> bytes:
        """The state of the log at the end: another one when something was overwritten meanwhile
        that a reader without locks may have been about to read."""
        with _lock:
            if self._index is None:
                return b""
            descriptor = _kept[self._index]
            self._readers.discard(reader)
            if not self._readers:
                ofd.free(descriptor, *RECOVERY)
            return _state(os.pread(descriptor, _COPY.stop, 0))

    @contextmanager
    def pinned(self, deadline: float) -> Iterator[None]:
        """No page that SQLite reads after the beginning of this is overwritten before its end. Said
        once more by a lock, too: that somebody reads. Raises ``StorageBusy``."""
        while not self._pin():
            if clock.monotonic() > deadline:
                raise StorageBusy(f"{self.path}-shm is locked by another process")
            native.sleep(RETRY)
        try:
            yield
        finally:
            with _lock:
                self._pins -= 1
                if self._pins == 0 and self._index is not None:
                    ofd.free(_kept[self._index], *COPYING)

    def _pin(self) -> bool:
        with _lock:
            index = self._index
            taken = index is None or ofd.take(_kept[index], *COPYING, shared=True)
            self._pins += taken
            return taken

    def leave(self, *, clean: bool) -> None:
        """When the connections of this user are closed. The last user of the process gives the
        locks back, and whoever is the last one of all cleans up: a queue that nobody uses is one
        file. Without ``clean`` what is there stays as it is."""
        with _lock:
            self._dismiss(clean)
            _dismiss_orphans()
            _close_unused()

    def _dismiss(self, clean: bool) -> None:
        if _guards.get(self._key) is not self:
            return  # inherited by a fork
        self._users -= 1
        if self._users:
            return
        del _guards[self._key]
        if self._index is not None:
            ofd.free(_kept[self._index], MAPPED)
            # A read that an exception ended has left it, and who cleans up would wait for that.
            ofd.free(_kept[self._index], *RECOVERY)
        if self._held:
            descriptor = _kept[self._key]
            ofd.free(descriptor, *SHARED)
            in_use = ofd.held(descriptor, *SHARED)
            if clean and not in_use and key_at(self.path) == self._key:
                _clean_up(self.path, self._access)

    def _hold_database(self, deadline: float) -> None:
        """Before SQLite opens it, but only with a log: to become one needs it all alone."""
        while not self._take_database():
            # The last one of all is cleaning up just now.
            if clock.monotonic() > deadline:
                raise StorageBusy(f"{self.path} is locked as a whole by another process")
            native.sleep(RETRY)

    def _take_database(self) -> bool:
        with _lock:
            descriptor = _kept[self._key]
            if not self._held and os.pread(descriptor, 2, 18) == WAL:
                self._held = ofd.take(descriptor, *SHARED, shared=True)
                return self._held
            return True

    def _hold_index(self) -> bool:
        """After SQLite has read once: before, it would take an old -shm for one that is in use.
        False when somebody begins it anew just now, because he saw nobody use it."""
        with _lock:
            if not self._held or self._index is not None:
                return True
            try:
                descriptor, key = _keep(self.path + "-shm")
            except FileNotFoundError:
                # A reader who may not write reads nothing but the file, and is in nobody's way.
                ofd.free(_kept[self._key], *SHARED)
                self._held = False
                return True
            if not ofd.take(descriptor, MAPPED, shared=True):
                return False
            self._index = key
            self._beside = [(self.path + "-shm", key)]
            log = key_at(self.path + "-wal")
            if log is not None:
                self._beside.append((self.path + "-wal", log))
            return True


def enter(path: str, connect: Callable[[], C], deadline: float, *, write: bool) -> tuple[Guard, C]:
    """The guard of a file, and the first connection of a user: ``connect`` opens it and reads.
    ``write``: whether this user may change the file, for one when it cleans up.

    Raises ``StorageBusy`` when others keep the file to themselves until ``deadline``, and
    ``StorageMoved``."""
    if not ofd.AVAILABLE:
        return Guard(path, (0, 0)), connect()
    with _lock:
        _dismiss_orphans()
        try:
            _, key = _keep(path)
        except FileNotFoundError:
            raise StorageMoved(f"{path} was removed while it was opened") from None
        guard = _guards.setdefault(key, Guard(path, key))
        guard._users += 1
        if write:
            guard._access = "mode=rw"
    try:
        while True:
            guard._hold_database(deadline)
            connection = connect()
            try:
                guard._hold_database(deadline)  # it may have become one with a log
                if guard._hold_index():
                    return guard, connection
            except BaseException:
                connection.close()
                raise
            connection.close()
            if clock.monotonic() > deadline:
                raise StorageBusy(f"{path}-shm is locked by another process")
            native.sleep(RETRY)
    except BaseException:
        guard.leave(clean=False)
        raise


def after_fork_in_child() -> None:
    """The locks are the parent's, and would last as long as a copy of their descriptors. A child
    has no POSIX locks to lose by closing those. To do it again does nothing."""
    global _lock, _pid
    if os.getpid() == _pid:
        return
    _pid = os.getpid()
    _lock = native.Lock()
    for descriptor in _kept.values():
        os.close(descriptor)
    _kept.clear()
    _guards.clear()
    orphans.clear()


def _dismiss_orphans() -> None:
    while orphans:
        orphans.popleft()._dismiss(clean=True)


def _clean_up(path: str, access: str) -> None:
    """What SQLite does when the last connection is closed, with one that has lost no lock."""
    try:
        connection = connect(uri(path, access))
        try:
            retry(lambda: connection.execute("select 1 from sqlite_master").fetchall(), RETRY)
        finally:
            connection.close()
    except sqlite3.Error:
        pass  # the next one to open the file finds it as after a crash


def _keep(path: str) -> tuple[int, Key]:
    key = key_at(path)
    if key is None:
        raise FileNotFoundError(path)
    if key not in _kept:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except PermissionError as error:
            raise StorageReadOnly(f"{path} cannot be read{refusal(path, write=False)}") from error
        _kept.setdefault(key_of(os.fstat(descriptor)), descriptor)
        if key not in _kept:
            raise StorageMoved(f"{path} was replaced while it was opened")
    return _kept[key], key


def _close_unused() -> None:
    """Of files that have no name any more, or of which nothing else is open in this process: then
    no connection of the application's own has locks there either. (One that is opened just now has
    none before it reads.)"""
    used = {key for guard in _guards.values() for key in (guard._key, guard._index)}
    unused = {key: descriptor for key, descriptor in _kept.items() if key not in used}
    if not unused:
        return
    others = _open_files()
    for key, descriptor in unused.items():
        if os.fstat(descriptor).st_nlink == 0 or (others is not None and key not in others):
            os.close(_kept.pop(key))


def _open_files() -> set[Key] | None:
    """What this process has open apart from here; None where the system does not tell."""
    found = set()
    mine = set(_kept.values())
    try:
        numbers = [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        return None
    for number in numbers:
        if number not in mine:
            try:
                found.add(key_of(os.fstat(number)))
            except OSError:
                pass  # closed since
    return found


def _state(head: bytes) -> bytes:
    return head[_SALT] + head[_COPIED] + head[_COPY]
