"""Byte locks that belong to an open file description and not to the process (Linux).

A POSIX record lock is dropped when its process closes *any* descriptor of the file, as a job does
that copies it. A lock of a description ends with that description alone: with its last descriptor,
a forked child's copy of it and a ``mmap`` included. Where a system does not have these, the
functions here take POSIX locks, which do not conflict within a process.
"""

from __future__ import annotations

import fcntl
import os
import struct
import sys

_LINUX = sys.platform.startswith("linux")
_FLOCK = struct.Struct("@hhqqi4x" if _LINUX else "@qqihh")


def request(kind: int, start: int, length: int = 1) -> bytes:
    """A ``struct flock``: F_RDLCK, F_WRLCK or F_UNLCK of so many bytes."""
    if _LINUX:
        return _FLOCK.pack(kind, os.SEEK_SET, start, length, 0)
    return _FLOCK.pack(start, length, 0, kind, os.SEEK_SET)


def take(descriptor: int, start: int, length: int = 1, *, shared: bool = False) -> bool:
    """Lock bytes. False when another description has them, be it one of this very process. With
    ``shared`` several may have them, and the descriptor is one for reading, else for writing."""
    kind = fcntl.F_RDLCK if shared else fcntl.F_WRLCK
    try:
        fcntl.fcntl(descriptor, SETLK, request(kind, start, length))
    except (BlockingIOError, PermissionError):
        return False
    return True


def free(descriptor: int, start: int, length: int = 1) -> None:
    """Give bytes back; those that are not held are left as they are."""
    fcntl.fcntl(descriptor, SETLK, request(fcntl.F_UNLCK, start, length))


def held(descriptor: int, start: int, length: int = 1) -> bool:
    """Whether anybody but this description has a lock on any of the bytes. Takes none."""
    return _holder(descriptor, GETLK, start, length) is not None


def sign(descriptor: int, start: int) -> None:
    """Take a POSIX lock, which tells others the number of this process, as they see it. Any close
    of the file drops it."""
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLK, request(fcntl.F_WRLCK, start))
    except (BlockingIOError, PermissionError):
        pass


def unsign(descriptor: int, start: int) -> None:
    fcntl.fcntl(descriptor, fcntl.F_SETLK, request(fcntl.F_UNLCK, start))


def signer(descriptor: int, start: int) -> int | None:
    """Which other process has signed a byte; None when nobody has, or one that is out of sight."""
    return _holder(descriptor, fcntl.F_GETLK, start) or None


def _holder(descriptor: int, how: int, start: int, length: int = 1) -> int | None:
    fields = _FLOCK.unpack(fcntl.fcntl(descriptor, how, request(fcntl.F_WRLCK, start, length)))
    kind, pid = (fields[0], fields[4]) if _LINUX else (fields[3], fields[2])
    return None if kind == fcntl.F_UNLCK else int(pid)


def _works() -> bool:
    """Some sandboxes call themselves Linux and know no such lock."""
    if not hasattr(fcntl, "F_OFD_GETLK"):
        return False
    descriptor = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, request(fcntl.F_RDLCK, 0))
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


#: Where it is False, whoever closes a file of the queue in a process that uses it drops its locks.
AVAILABLE = _works()
SETLK = fcntl.F_OFD_SETLK if AVAILABLE else fcntl.F_SETLK
GETLK = fcntl.F_OFD_GETLK if AVAILABLE else fcntl.F_GETLK
