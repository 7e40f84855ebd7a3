"""One process of ours at a time opens, writes, checkpoints or cleans up a file.

SQLite's own write lock is a POSIX lock on ``FILE-shm``: a job that copies that file drops it in the
middle of a transaction, and another process then writes the same pages of the log. The door is byte
0 of ``FILE-huey``, locked by a description, around all that needs SQLite's lock.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from functools import partial

from hueycore.constants import MAX_WORKERS
from hueycore.storage.sqlite import ofd
from hueycore.system import clock, native

#: The numbers of workers begin at 1.
BYTE = 0
#: Flat, jittered wait between two tries, seconds. A busy consumer leaves the door open for a
#: millisecond or less at a time.
PAUSE = 0.0003
_ENTER = ofd.request(fcntl.F_WRLCK, BYTE)
_LEAVE = ofd.request(fcntl.F_UNLCK, BYTE)


class Door:
    """One per user of the file: two in a process keep each other out as two processes do.

    It owns the ``descriptor``, which must be open for writing."""

    #: Give the door back. A call into C alone, so that no exception can come before it.
    leave: Callable[[], object]

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._try = partial(fcntl.fcntl, descriptor, fcntl.F_OFD_SETLK, _ENTER)
        self.leave = partial(fcntl.fcntl, descriptor, fcntl.F_OFD_SETLK, _LEAVE)

    def enter(self, deadline: float) -> bool:
        """False when others were inside until ``deadline``. Whoever is inside may enter again."""
        while True:
            try:
                self._try()
                return True
            except BlockingIOError:
                if clock.monotonic() > deadline:
                    return False
            native.sleep(PAUSE * (0.5 + clock.monotonic() * 1e6 % 1.0))

    def is_watched(self) -> bool:
        """Whether any worker lives."""
        return ofd.held(self._descriptor, BYTE + 1, MAX_WORKERS)

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    # Of a database that nobody closed, and a description held by nobody else.
    __del__ = close
