"""Waking consumers: a NOTIFY after the commit, heard on the session of each worker process.

Never in the transaction of a birth: NOTIFY lets only one transaction of the whole server commit at
a time, and each of them would wait for the disk meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hueycore.exceptions import StorageError
from hueycore.storage.protocol import workers as protocol
from hueycore.storage.sql.part import Part
from hueycore.system import native

if TYPE_CHECKING:
    from hueycore.storage.postgres.alive import Alive
    from hueycore.storage.postgres.database import Database

#: Seconds after which a consumer looks though no bell rang.
LOOK = 1.0


class Wake(Part, protocol.Workers):
    db: Database
    alive: Alive

    def ring(self) -> None:
        self.nudge()
        try:
            self.db.notify()
        except StorageError:
            pass  # a consumer looks by itself before long

    def wait(self, timeout: float) -> bool:
        return self.alive.hear(min(timeout, LOOK)) or timeout > LOOK

    def nudge(self) -> None:
        self.alive.bell.ring()


class Bell:
    """Wakes the thread that waits. Made of one lock, which a signal handler can use as well."""

    def __init__(self) -> None:
        self._silence = native.Lock()
        self._silence.acquire()
        #: Grows when it rings.
        self.rings = 0

    def ring(self) -> None:
        self.rings += 1
        try:
            self._silence.release()
        except RuntimeError:
            pass  # it rings already

    def wait(self, timeout: float) -> bool:
        """Sleep until it rings, or ``timeout`` seconds: then False."""
        return self._silence.acquire(timeout=max(timeout, 0.0))
