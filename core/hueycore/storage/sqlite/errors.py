"""SQLite's errors in the library's words, told by their codes, and what to do with a busy file."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from hueycore.exceptions import (
    StorageBusy,
    StorageCorrupt,
    StorageError,
    StorageFull,
    StorageMissing,
    StorageMoved,
    StorageReadOnly,
)
from hueycore.storage.sqlite.permission import is_there, refusal
from hueycore.system import clock, native

T = TypeVar("T")

#: Flat, jittered wait between two tries for the write lock, seconds. SQLite's own busy handler
#: backs off, so the process that has waited longest asks least often and starves.
RETRY = 0.001


#: SQLite's code of an error of the disk.
IOERR = 10


def translate(error: sqlite3.Error, path: str) -> StorageError:
    """The library's exception for one of SQLite's, told by its code, never by its message."""
    code = getattr(error, "sqlite_errorcode", 0) or 0
    if code == 1032:  # SQLITE_READONLY_DBMOVED
        return StorageMoved(f"{path} was removed or replaced while it was in use")
    match code & 0xFF:
        case 5 | 6:
            return StorageBusy(f"{path} is locked by another process")
        case 13:
            return StorageFull(f"no space left to write {path}")
        case 11 | 26:
            return StorageCorrupt(f"{path} is not a database, or it is damaged: {error}")
        case 8:
            return StorageReadOnly(f"{path} or its directory cannot be written{refusal(path)}")
        case 14:
            return _unopened(error, path)
    return StorageError(f"{path}: {error}")


def _unopened(error: sqlite3.Error, path: str) -> StorageError:
    if not is_there(path):
        return StorageMissing(f"there is no file {path}")
    why = refusal(path)
    kind = StorageReadOnly if why else StorageError
    return kind(f"cannot open {path}{why or f': {error}'}")


def busy_for(path: str, seconds: float, owners: Sequence[int]) -> StorageBusy:
    """The write lock was not given for so long. ``owners``: the threads of this process that hold
    it."""
    if not owners:
        return StorageBusy(
            f"{path} has been locked by another process for {seconds:g} s; "
            "does something hold a transaction open?"
        )
    names = [thread.name for thread in threading.enumerate() if thread.ident == owners[0]]
    name = names[0] if names else str(owners[0])
    return StorageBusy(f'{path} is locked by thread "{name}" of this very process')


def error_code(error: sqlite3.Error) -> int:
    return (getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF


def is_busy(error: sqlite3.Error) -> bool:
    return error_code(error) in (5, 6)


def retry(action: Callable[[], T], seconds: float) -> T:
    """Repeat an action outside a transaction that meets a lock, for so long."""
    deadline = clock.monotonic() + seconds
    while True:
        try:
            return action()
        except sqlite3.Error as error:
            if not is_busy(error) or clock.monotonic() > deadline:
                raise
        native.sleep(RETRY)
