"""The file beside the database: who lives (lock bytes), what they run (slots), and the bell.

``FILE-huey`` starts with a page of lock bytes: worker number N holds byte N for as long as its
process lives, and the kernel frees it at any death. Then each worker has a region of slots, pairs
of (seq, claim), which can be read after a kill -9. Touching the file is the bell.

The locks are those of open file descriptions (:mod:`hueycore.storage.sqlite.ofd`): each byte has
one of its own, which nothing else uses. Where a system has none of these they are POSIX locks,
which die with any close of the file (hence one descriptor per inode, in a module-level table), and
never conflict within a process (hence the bytes held here are remembered).
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from io import BytesIO, FileIO

from hueycore.constants import MAX_WORKERS
from hueycore.exceptions import StorageError, StorageFull, StorageMoved, StorageReadOnly
from hueycore.storage.sqlite import ofd
from hueycore.storage.sqlite.permission import refusal
from hueycore.storage.sqlite.slots import PAIR, Descriptor, FileSlots, pairs
from hueycore.system import native

SUFFIX = "-huey"
LAST_WORKER = 4095
#: From here on, far behind the end, the byte of a worker is signed by its process.
SIGNATURES = 1 << 40
#: Stands at the byte of a worker who has slots: in a file that was cut off it is missing.
_MARK = b"\1"
PAGE = 4096
REGION = PAIR.size * MAX_WORKERS

_NOTHING = BytesIO()

_files: dict[tuple[int, int], SideFile] = {}
_guard = native.Lock()


class SideFile:
    """One per inode and process; get it with :func:`attach`, give it back with ``detach``."""

    def __init__(self, path: str, descriptor: int, key: tuple[int, int]) -> None:
        self.path = path
        self.inode = key[1]
        self._key = key
        self._file: Descriptor | None = Descriptor(descriptor)
        self._users = 0
        #: Worker numbers of this process, each with what holds its byte.
        self._held: dict[int, FileIO | None] = {}
        self._marked: set[int] = set()

    @property
    def _descriptor(self) -> int:
        assert self._file is not None, "detached"
        return self._file.number

    def lock(self, worker: int) -> bool:
        """Take a worker's byte. False when it is held, also by this very process."""
        # With POSIX locks, two threads that ask at the same time would both be told yes.
        with _guard:
            if worker in self._held:
                return False
            holder = self._describe()
            try:
                taken = ofd.take(holder.fileno() if holder else self._descriptor, worker)
                if taken:
                    self._held[worker] = holder
                    ofd.sign(self._descriptor, SIGNATURES + worker)
                elif holder:
                    holder.close()
                return taken
            except BaseException:  # a thread's timeout, at any line
                self._held.pop(worker, None)
                if holder:
                    holder.close()
                raise

    def unlock(self, worker: int) -> None:
        with _guard:
            self._marked.discard(worker)
            if ofd.AVAILABLE:
                # Closed also when an exception strikes between the two calls.
                (self._held.pop(worker, None) or _NOTHING).close()
            else:
                ofd.free(self._descriptor, worker)
                self._held.pop(worker, None)
            ofd.unsign(self._descriptor, SIGNATURES + worker)

    def _describe(self) -> FileIO | None:
        """What holds a lock, None where that is the process itself."""
        if not ofd.AVAILABLE:
            return None
        try:
            holder = FileIO(self.path, "r+", opener=_open_beside)
        except OSError as error:
            raise StorageMoved(f"{self.path}: {error.strerror}") from error
        found = os.fstat(holder.fileno())
        if (found.st_dev, found.st_ino) != self._key:
            holder.close()
            raise StorageMoved(f"{self.path} was replaced while it was in use")
        return holder

    def locked(self, worker: int) -> bool:
        """Whether somebody holds a worker's byte. Only looks, never takes."""
        return worker in self._held or ofd.held(self._descriptor, worker)

    def process(self, worker: int) -> int | None:
        """The number of the process that has a worker, as it is seen from here; None when it is out
        of sight."""
        if worker in self._held:
            return os.getpid()
        return ofd.signer(self._descriptor, SIGNATURES + worker)

    def open_slots(self, worker: int, count: int) -> FileSlots:
        """A worker's own region, cleared. The bytes are written first, so that a full disk is an
        error here and not when a run begins. Raises ``StorageFull``."""
        size = -(-count * PAIR.size // PAGE) * PAGE
        if size > REGION:
            raise StorageError(f"a process can have at most {MAX_WORKERS} workers")
        assert self._file is not None, "detached"
        try:
            os.pwrite(self._descriptor, bytes(size), _offset(worker))
            os.pwrite(self._descriptor, _MARK, worker)
        except OSError as error:
            raise StorageFull(f"{self.path}: {error.strerror}") from error
        self._marked.add(worker)
        return FileSlots(self._file, _offset(worker), count)

    def read_slots(self, worker: int, count: int) -> Iterator[tuple[int, int, int]]:
        """(slot, seq, claim) of every run that the worker had started and not finished."""
        return pairs(os.pread(self._descriptor, count * PAIR.size, _offset(worker)))

    def ring(self) -> None:
        try:
            os.utime(self._descriptor)
        except OSError:
            pass  # a consumer looks by itself before long

    def moved(self) -> bool:
        """Whether the path names another file by now, or none, or what is in it was cut off."""
        try:
            found = os.stat(self.path)
        except OSError:
            return True
        if (found.st_dev, found.st_ino) != self._key:
            return True
        for worker in list(self._held):
            ofd.sign(self._descriptor, SIGNATURES + worker)  # a copy of the file has dropped it
        page = os.pread(self._descriptor, LAST_WORKER + 1, 0)
        return any(page[worker : worker + 1] != _MARK for worker in list(self._marked))

    def detach(self) -> None:
        """The last user closes the descriptor; by then no byte is held."""
        with _guard:
            self._users -= 1
            if self._users == 0 and not self._held:
                _files.pop(self._key, None)
                self._file = None


def attach(database: str, mode: int | None = None) -> SideFile:
    """The side file of a database; created with the database's mode and owner when ``mode`` is
    given. Raises ``FileNotFoundError`` when it is missing and may not be created."""
    path = database + SUFFIX
    with _guard:
        if mode is not None and not os.path.lexists(path):
            _create(path, database, mode)
        found = os.stat(path)
        key = (found.st_dev, found.st_ino)
        side = _files.get(key)
        if side is None:
            side = _files[key] = SideFile(path, open_file(database, mode), key)
        side._users += 1
        return side


def open_file(database: str, mode: int | None, *, write: bool = False) -> int:
    """A descriptor of the side file, which is made with the database's mode and owner when
    ``mode`` is given; ``write``: not one for reading only.

    Raises ``FileNotFoundError`` (missing, and not to be made), ``StorageReadOnly``, and
    ``StorageError`` when it is anything else than a file of those who may write the database."""
    path = database + SUFFIX
    if mode is not None and not os.path.lexists(path):
        _create(path, database, mode)
    try:
        descriptor = _open(path, write or mode is not None)
    except FileNotFoundError:
        raise
    except OSError as error:
        what = "a symbolic link" if error.errno == errno.ELOOP else error.strerror
        raise StorageError(f"{path} is not a regular file: {what}") from None
    try:
        _check(path, os.fstat(descriptor), os.stat(database))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _open_beside(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW)


def _open(path: str, write: bool) -> int:
    flags = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        return os.open(path, os.O_RDWR | flags)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        if write:
            raise StorageReadOnly(f"{path} cannot be written{refusal(path)}") from None
        return os.open(path, os.O_RDONLY | flags)


def _check(path: str, side: os.stat_result, database: os.stat_result) -> None:
    """Whoever may write it decides who lives: that must be nobody else than who may write the
    database."""
    if not stat.S_ISREG(side.st_mode):
        raise StorageError(f"{path} is not a regular file")
    shared = database.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if not shared and side.st_uid not in (database.st_uid, 0):
        raise StorageError(
            f"{path} belongs to user {side.st_uid}, the database to {database.st_uid}"
        )


def _create(path: str, database: str, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, mode)
    except FileExistsError:
        return
    except PermissionError:
        why = refusal(database)
        raise StorageReadOnly(f"{os.path.dirname(path)} cannot be written{why}") from None
    except OSError as error:
        raise StorageError(f"cannot create {path}: {error.strerror}") from error
    try:
        like = os.stat(database)
        os.fchmod(descriptor, like.st_mode & 0o777)
        if os.geteuid() == 0:
            os.fchown(descriptor, like.st_uid, like.st_gid)
    finally:
        os.close(descriptor)


def _offset(worker: int) -> int:
    return PAGE + (worker - 1) * REGION


def _in_child() -> None:
    """Locks are the parent's, and would last as long as the child has a copy of a descriptor."""
    global _guard
    _guard = native.Lock()
    for side in _files.values():
        for holder in side._held.values():
            (holder or _NOTHING).close()
        side._held.clear()
        side._marked.clear()


os.register_at_fork(after_in_child=_in_child)
