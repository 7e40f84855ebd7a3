"""How a database enters its file and leaves it: through the door, under the guard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from hueycore.exceptions import StorageReadOnly
from hueycore.storage.sqlite import guard, ofd, sidefile
from hueycore.storage.sqlite.door import Door
from hueycore.storage.sqlite.guard import Guard
from hueycore.system import clock, native

T = TypeVar("T")
C = TypeVar("C", bound=guard.Connection)

#: So many seconds whoever comes or goes waits for somebody inside.
PATIENCE = 1.0

#: A call into C that does nothing.
_nothing: Callable[[], object] = bool


class Disturbed(Exception):
    """Somebody was in the way of a read; in the door nobody is."""


class Entry:
    """One per database; ``mode`` is that of a new side file, None for who only reads.

    There is no door where the system has no such locks, and for a user who may not write the side
    file: SQLite's own locks are then all there is, as between us and everybody else."""

    def __init__(self, path: str, mode: int | None) -> None:
        self._path = path
        self._mode = mode
        self._lock = native.Lock()
        self._guard: Guard | None = None
        self._door: Door | None = None
        #: A call into C alone: no exception of another thread comes before it.
        self.leave_door = _nothing

    def enter_door(self, deadline: float) -> bool:
        """False when somebody was inside until ``deadline``. Once inside, one may enter again."""
        return self._door is None or self._door.enter(deadline)

    def connect(self, connect: Callable[[], C], seconds: float) -> C:
        """A connection; ``connect`` opens one and reads from it. The caller is not inside the door.
        Raises ``StorageBusy`` when others keep the whole file to themselves for so many
        ``seconds``."""
        with self._lock:
            if self._door is None:
                self._find_door()
            try:
                # Whoever is inside for longer is stuck, and not cleaning up: reading is safe.
                self.enter_door(clock.monotonic() + min(seconds, PATIENCE))
                if self._guard is not None:
                    return connect()
                deadline = clock.monotonic() + seconds
                write = self._mode is not None
                self._guard, connection = guard.enter(self._path, connect, deadline, write=write)
                return connection
            finally:
                self.leave_door()

    def long_log(self, pages: int) -> int:
        """How many pages the log has, if they are at least so many and no consumer lives, whose
        janitor keeps it short; else 0."""
        if self._guard is None or self._door is None:
            return 0
        found = self._guard.pages_of_log()
        return 0 if found < pages or self._door.is_watched() else found

    def head_of_log(self) -> bytes | None:
        """What every commit changes, if there is a log that others can be seen to write."""
        return None if self._guard is None else self._guard.head_of_log()

    def read(self, look: Callable[[], T]) -> T:
        """What ``look`` sees outside the door. Raises ``Disturbed`` when that is worth nothing."""
        if self._guard is None:
            return look()
        begin = self._guard.begin_read(id(self))
        if begin is None:
            raise Disturbed
        try:
            value = look()
        finally:
            end = self._guard.end_read(id(self))
        if begin != end:
            raise Disturbed
        return value

    @contextmanager
    def pinned(self, seconds: float) -> Iterator[None]:
        """No page that somebody reads is overwritten until the end of this."""
        if self._guard is None:
            yield
            return
        with self._guard.pinned(clock.monotonic() + seconds):
            yield

    def check(self) -> None:
        """Raise ``StorageMoved`` when what lies beside the file was taken away under us."""
        if self._guard is not None:
            self._guard.check()

    def close(self) -> None:
        """When the connections are closed. The next ``connect`` enters anew."""
        with self._lock:
            if self._guard is not None:
                try:
                    inside = self.enter_door(clock.monotonic() + PATIENCE)
                    self._guard.leave(clean=inside)
                    self._guard = None
                finally:
                    self.leave_door()
            self._close_door()

    def forget(self) -> None:
        """In a forked child, which has entered nothing yet."""
        guard.after_fork_in_child()
        self._lock = native.Lock()
        self._guard = None
        self._close_door()

    def __del__(self) -> None:
        if self._guard is not None:  # nobody has closed it
            guard.orphans.append(self._guard)

    def _find_door(self) -> None:
        if not ofd.AVAILABLE:
            return
        try:
            self._door = Door(sidefile.open_file(self._path, self._mode, write=True))
        except (FileNotFoundError, StorageReadOnly):
            return
        self.leave_door = self._door.leave

    def _close_door(self) -> None:
        door, self._door, self.leave_door = self._door, None, _nothing
        if door is not None:
            door.close()
