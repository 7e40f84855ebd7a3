"""The file beside the database: who lives (lock bytes), what they run (slots), and the bell.

``FILE-huey`` starts with a page of lock bytes: worker number N holds byte N for as long as its
process lives, and the kernel frees it at any death. Then each worker has a region of slots, pairs
of (seq, claim), that it maps into memory; they can be read after a kill -9. Touching the file is
the bell.

The traps of POSIX locks, all of which matter here: closing *any* descriptor of the file drops the
process's locks (so one descriptor per inode, in a module-level table, and no ``mmap`` is closed
while a byte is held: it has a descriptor of its own); locks of one process never conflict with each
other (so the bytes held here are remembered); a forked child holds none.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import sys
from collections.abc import Iterator

from hueycore.constants import MAX_WORKERS
from hueycore.exceptions import StorageError, StorageFull, StorageReadOnly
from hueycore.system import native

SUFFIX = "-huey"
LAST_WORKER = 4095
PAGE = 4096
PAIR = struct.Struct("<qq")
REGION = PAIR.size * MAX_WORKERS

_FLOCK = "@hhqqi" if sys.platform.startswith("linux") else "@qqihh"

_files: dict[tuple[int, int], SideFile] = {}
_guard = native.Lock()


class SideFile:
    """One per inode and process; get it with :func:`attach`, give it back with ``detach``."""

    def __init__(self, path: str, descriptor: int, key: tuple[int, int]) -> None:
        self.path = path
        self.inode = key[1]
        self._key = key
        self._descriptor = descriptor
        self._users = 0
        self._held: set[int] = set()
        self._maps: dict[tuple[int, int], mmap.mmap] = {}

    def lock(self, worker: int) -> bool:
        """Take a worker's byte. False when it is held, also by this very process."""
        # Two threads that ask the kernel at the same time would both be told yes.
        with _guard:
            if worker in self._held:
                return False
            try:
                fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, worker)
            except OSError:
                return False
            self._held.add(worker)
            return True

    def unlock(self, worker: int) -> None:
        with _guard:
            self._held.discard(worker)
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, worker)

    def locked(self, worker: int) -> bool:
        """Whether somebody holds a worker's byte."""
        return self.holder(worker) is not None

    def holder(self, worker: int) -> int | None:
        """The number of the process that holds a worker's byte, 0 when that process is not in
        sight (another PID namespace), None when nobody does. Only looks (F_GETLK), never takes."""
        if worker in self._held:
            return os.getpid()
        if sys.platform.startswith("linux"):
            ask = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, worker, 1, 0)
            kind, _, _, _, pid = struct.unpack(_FLOCK, self._getlk(ask))
        else:
            ask = struct.pack(_FLOCK, worker, 1, 0, fcntl.F_WRLCK, os.SEEK_SET)
            _, _, pid, kind, _ = struct.unpack(_FLOCK, self._getlk(ask))
        return None if kind == fcntl.F_UNLCK else max(int(pid), 0)

    def _getlk(self, ask: bytes) -> bytes:
        return fcntl.fcntl(self._descriptor, fcntl.F_GETLK, ask)

    def map_slots(self, worker: int, count: int) -> MappedSlots:
        """A worker's own region, cleared. The bytes are written first, so that a full disk is an
        error here and not a SIGBUS at the first store into a hole.

        Raises ``StorageFull``."""
        size = -(-count * PAIR.size // PAGE) * PAGE
        if size > REGION:
            raise StorageError(f"a process can have at most {MAX_WORKERS} workers")
        try:
            os.pwrite(self._descriptor, bytes(size), _offset(worker))
        except OSError as error:
            raise StorageFull(f"{self.path}: {error.strerror}") from error
        if (worker, size) not in self._maps:
            self._maps[worker, size] = mmap.mmap(self._descriptor, size, offset=_offset(worker))
        return MappedSlots(self._maps[worker, size])

    def read_slots(self, worker: int, count: int) -> Iterator[tuple[int, int, int]]:
        """(slot, seq, claim) of every run that the worker had started and not finished."""
        data = os.pread(self._descriptor, count * PAIR.size, _offset(worker))
        for slot in range(len(data) // PAIR.size):
            seq, claim = PAIR.unpack_from(data, slot * PAIR.size)
            if seq:
                yield slot, seq, claim

    def ring(self) -> None:
        try:
            os.utime(self._descriptor)
        except OSError:
            pass  # a consumer looks by itself within 50 ms

    def moved(self) -> bool:
        """Whether the path names another file by now, or none."""
        try:
            return os.stat(self.path).st_ino != self.inode
        except OSError:
            return True

    def detach(self) -> None:
        """The last user closes the descriptor; by then no byte is held."""
        with _guard:
            self._users -= 1
            if self._users == 0 and not self._held:
                _files.pop(self._key, None)
                for memory in self._maps.values():
                    memory.close()
                os.close(self._descriptor)


class MappedSlots:
    """Slots in shared memory: a store of 16 bytes, no system call."""

    def __init__(self, memory: mmap.mmap | bytearray) -> None:
        self._memory = memory
        self._pid = os.getpid()

    def start(self, slot: int, seq: int, claim: int) -> None:
        PAIR.pack_into(self._memory, slot * 16, seq, claim)

    def clear(self, slot: int) -> None:
        PAIR.pack_into(self._memory, slot * 16, 0, 0)

    def pairs(self) -> Iterator[tuple[int, int, int]]:
        for slot in range(len(self._memory) // PAIR.size):
            seq, claim = PAIR.unpack_from(self._memory, slot * PAIR.size)
            if seq:
                yield slot, seq, claim

    def close(self) -> None:
        """From now on nothing is noted: the region may soon be another worker's. The mapping
        stays, because closing it would drop the locks of this process."""
        self._memory = bytearray(len(self._memory))


def attach(database: str, mode: int | None = None) -> SideFile:
    """The side file of a database; created with the database's mode and owner when ``mode`` is
    given. Raises ``FileNotFoundError`` when it is missing and may not be created."""
    path = database + SUFFIX
    with _guard:
        try:
            found = os.stat(path)
        except FileNotFoundError:
            if mode is None:
                raise
            _create(path, database, mode)
            found = os.stat(path)
        key = (found.st_dev, found.st_ino)
        side = _files.get(key)
        if side is None:
            side = _files[key] = SideFile(path, _open(path, mode is not None), key)
        side._users += 1
        return side


def _open(path: str, write: bool) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except PermissionError:
        if write:
            raise StorageReadOnly(f"{path} cannot be written") from None
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except IsADirectoryError:
        raise StorageError(f"{path} is a directory") from None


def _create(path: str, database: str, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, mode)
    except FileExistsError:
        return
    except PermissionError:
        raise StorageReadOnly(f"{os.path.dirname(path)} cannot be written") from None
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
    """A forked child inherits the descriptors and none of the locks."""
    global _guard
    _guard = native.Lock()
    for side in _files.values():
        side._held.clear()


os.register_at_fork(after_in_child=_in_child)


def boot_id() -> str:
    """Changes at every boot: slots written before are stale. '' where the system does not tell."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""
