"""The write-ahead log by itself, to be synced when the write lock is free again.

With ``synchronous=NORMAL`` a commit is in the log, where every process sees it, and not yet on the
disk. So others write while one waits for the disk, and one sync serves all who wait at that time.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable

from hueycore.exceptions import StorageError
from hueycore.storage.sqlite.identity import Identity
from hueycore.system import native


class Log:
    """The log of one writing connection, which makes it and ends with it.

    It is opened before the first commit: the system tells of an error only those who had the file
    open when it happened. SQLite holds no lock on a log, so that a close of it drops none.
    """

    def __init__(self, database: str) -> None:
        self._path = f"{database}-wal"
        self._descriptor = -1
        self._identity = Identity(self._path)
        self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        self._disk = native.Lock()
        #: Commits that somebody will wait for, and how many of them are on the disk.
        self._promised = self._synced = 0
        #: Why nothing more can be promised.
        self._failure: tuple[type[StorageError], str] | None = None

    def promise(self) -> int:
        """A ``sync`` of this number will follow. Called under the write lock, after the commit."""
        self._promised += 1
        return self._promised

    def sync(self, number: int) -> None:
        """Wait until the commit that got this number is on the disk.

        Raises ``StorageError`` when nobody knows whether it is, ``StorageMoved`` when it went into
        a log that nobody reads."""
        with self._disk:
            if self._synced < number:
                self._sync()

    def close(self) -> None:
        """Whoever still waits is answered as if it went on."""
        with self._disk:
            try:
                if self._synced < self._promised:
                    self._flush()
            finally:
                self._release()

    def _sync(self) -> None:
        if self._descriptor >= 0:
            self._flush()
        if self._failure is not None:
            kind, text = self._failure
            raise kind(text)

    def _flush(self) -> None:
        if self._failure is not None:
            return  # the system tells of an error once: the next sync would know nothing of it
        promised = self._promised
        try:
            _to_disk(self._descriptor)
        except OSError as error:
            text = f"{self._path} could not be synced ({error.strerror}): whether the last commits "
            text += "survive a power cut is not known; the system's log may say more of the disk"
            self._failure = StorageError, text
            return
        try:
            # Not by a stat of the log: Linux stamps what is written next with a finer time, and the
            # journal of the file system has that to write at each sync: 40 of 200 µs.
            self._identity.check()
        except StorageError as moved:
            self._failure = type(moved), str(moved)
            return
        self._synced = promised

    def _release(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    # Of a database that nobody closed, or in a forked child.
    __del__ = _release


def _full_sync(descriptor: int) -> None:
    try:
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)  # type: ignore[attr-defined,unused-ignore]
    except OSError:
        os.fsync(descriptor)  # a file system that knows no other


#: What SQLite does itself. On macOS a plain sync leaves the data in the drive's cache.
_to_disk: Callable[[int], None] = (
    _full_sync if hasattr(fcntl, "F_FULLFSYNC") else getattr(os, "fdatasync", os.fsync)
)
