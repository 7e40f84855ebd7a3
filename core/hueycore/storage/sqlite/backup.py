"""A copy of a queue that is in use: the only one that is whole, and that harms nobody."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

from hueycore.exceptions import StorageCorrupt, StorageError
from hueycore.storage.sqlite import schema
from hueycore.storage.sqlite.errors import translate
from hueycore.storage.sqlite.path import uri
from hueycore.storage.sqlite.sidefile import SUFFIX
from hueycore.system.files import rename_new, sync_folder

if TYPE_CHECKING:
    from hueycore.storage.sqlite.database import Database

#: Told how many pages are copied, and of how many.
OnProgress = Callable[[int, int], None]
#: Pages between two calls of it.
STEP = 1000


def back_up(
    database: Database, path: str, *, overwrite: bool, on_progress: OnProgress | None
) -> None:
    """Write what the database says at one moment into a new private file, verified and synced.

    It gets its name at the end, so that nobody ever finds half of it. Raises ``FileExistsError``
    or another ``OSError``, ``StorageFull``, ``StorageCorrupt`` (the copy is damaged)."""
    path = os.path.abspath(path)
    _refuse(database, path, overwrite)
    part = f"{path}.{os.getpid()}.part"
    try:
        # Exclusively: nobody's link in a shared folder is followed.
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        with _removed_unless_done(part):
            with (
                closing(sqlite3.connect(uri(part, "mode=rw"), uri=True)) as target,
                database.view() as source,
                _blamed_on(path),
            ):
                copy(source, target, on_progress)
            _verify(part)
            _sync(part)
            (os.replace if overwrite else rename_new)(part, path)
            sync_folder(os.path.dirname(path))
    except sqlite3.Error as error:
        raise translate(error, part) from error


def _refuse(database: Database, path: str, overwrite: bool) -> None:
    if not os.path.lexists(path):
        return
    if not overwrite:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
    if not os.path.isfile(path):
        raise StorageError(f"{path} is not a regular file")
    if not database.memory and os.path.samefile(path, database.path):
        raise StorageError(f"{path} is the queue itself")
    if os.path.exists(path + "-wal") or os.path.exists(path + "-shm"):
        raise StorageError(f"{path} is a database in use: its log would not fit the copy")
    if os.path.lexists(path + SUFFIX):
        raise StorageError(
            f"{path} is a queue that was worked with, as {path + SUFFIX} tells; remove that file "
            "first if the queue may be overwritten"
        )


def copy(
    source: sqlite3.Connection, target: sqlite3.Connection, on_progress: OnProgress | None
) -> None:
    """All pages, in one transaction of the target's."""

    def tell(_: int, remaining: int, total: int) -> None:
        if on_progress is not None:
            on_progress(total - remaining, total)

    source.backup(target, pages=STEP, progress=tell, sleep=0.0)


@contextmanager
def _blamed_on(path: str) -> Iterator[None]:
    """It is the copy for which there is no space: the queue is only read."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
            raise
        raise translate(error, path) from error


def _verify(path: str) -> None:
    with closing(sqlite3.connect(uri(path, "immutable=1"), uri=True)) as copy:
        (answer,) = copy.execute("pragma integrity_check(1)").fetchone()
        if answer != "ok":
            raise StorageCorrupt(f"the copy is damaged, and so may be the queue: {answer}")
        schema.check(copy)  # type: ignore[arg-type]


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _removed_unless_done(part: str) -> Iterator[None]:
    try:
        yield
    finally:
        for suffix in ("", "-journal"):
            with suppress(FileNotFoundError):
                os.unlink(part + suffix)
