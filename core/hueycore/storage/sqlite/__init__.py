"""The SQLite engine: one file, every verb one transaction."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from hueycore.exceptions import StorageError
from hueycore.storage.sql.migration import marks
from hueycore.storage.sql.rooms import Rooms
from hueycore.storage.sqlite.alive import Alive
from hueycore.storage.sqlite.connections import DEADLINE
from hueycore.storage.sqlite.database import Database
from hueycore.storage.sqlite.dial import Connection
from hueycore.storage.sqlite.examine import Examination
from hueycore.storage.sqlite.guest import Guests

if TYPE_CHECKING:
    from hueycore.storage.sqlite.bell import Bell

__all__ = ["SqliteStorage"]


class SqliteStorage(
    Guests,
    Examination,
    Rooms,
):
    """A queue in a SQLite file, or in memory with ``filename=":memory:"``.

    ``create``: make the file when it is missing. ``read_only``: look, never write. ``mode``: the
    permissions of a new file. ``max_pending``: enqueue raises ``QueueFull`` above it.
    ``serializer``: the name of what payloads are written with, for those who have no application.
    ``durability``: ``standard``, ``full`` or ``fast`` (see :class:`Database`). ``timeout``: seconds
    that a busy file is tried. ``events``: record
    what becomes of the queue's jobs, or no more; None leaves it as it is. ``operator``: the person
    whose verbs these are; they are recorded in any case.

    Raises ``StorageMissing``, ``StorageCorrupt``, ``StorageTooNew``, ``StorageReadOnly``.
    """

    sees_starts = True
    numbers_apart = False
    overlaps = False

    def __init__(
        self,
        filename: str | os.PathLike[str],
        queue: str = "huey",
        *,
        create: bool = True,
        read_only: bool = False,
        mode: int = 0o600,
        durability: str = "standard",
        timeout: float = DEADLINE,
        max_pending: int | None = None,
        serializer: str | None = None,
        force_network: bool = False,
        events: bool | None = None,
        operator: str | None = None,
    ) -> None:
        self.queue = queue
        self.serializer = serializer
        self.max_pending = max_pending
        self.operator = operator
        self._since = {}
        self._bell: Bell | None = None
        self._pid = os.getpid()
        self._init_door()
        self.db = Database(
            os.fspath(filename),
            create=create,
            read_only=read_only,
            mode=mode,
            durability=durability,
            timeout=timeout,
            force_network=force_network,
        )
        self.alive = Alive(self.db, mode)
        self.side = self.alive.side
        if events is not None and not read_only:
            self.record_events(events)

    @property
    def filename(self) -> str:
        """The file, or ``:memory:``."""
        return self.db.path

    @property
    def url(self) -> str:
        return f"sqlite:///{self.db.path}"

    @property
    def shared(self) -> bool:
        return not self.db.memory

    def ring(self) -> None:
        try:
            side = self.side()
        except StorageError:
            side = None  # a consumer looks by itself before long
        if side is not None:
            side.ring()
        if self._bell is not None:
            self._bell.nudge()

    def wait(self, timeout: float) -> bool:
        if self._bell is None or self._pid != os.getpid():
            # Imported here: ctypes and selectors are dear, and only consumers wait.
            from hueycore.storage.sqlite.bell import Bell

            side = self.side()
            self._bell = Bell(side.path if side else None, self.db.version)
            self._pid = os.getpid()
            return True  # what came before the watch was set has not been heard
        return self._bell.wait(timeout)

    def backup(
        self,
        path: str,
        *,
        overwrite: bool = False,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> None:
        # Imported here: few processes ever do.
        from hueycore.storage.sqlite.backup import back_up

        back_up(self.db, path, overwrite=overwrite, on_progress=on_progress)

    def left_by_huey(self) -> dict[str, int]:
        def body(con: Connection) -> dict[str, int]:
            tables = con.execute("select 1 from sqlite_master where name = 'kv'").fetchall()
            if not tables:
                return {}
            # Imported here: few files have such tables.
            from hueycore.storage.sqlite import oldfile

            return oldfile.waiting(con, marks(con)) if oldfile.holds_huey(con) else {}

        return self.db.read(body)

    def sql(
        self, query: str, params: Sequence[Any] = (), commit: bool = False, results: bool = False
    ) -> list[tuple[Any, ...]] | None:
        run = self.db.transact if commit else self.db.read
        rows = run(lambda con: con.execute(query, params).fetchall())
        return rows if results else None

    def nudge(self) -> None:
        if self._bell is not None:
            self._bell.nudge()

    def close(self) -> None:
        self.db.close()
        if self._bell is not None:
            self._bell.close()
            self._bell = None
        self.alive.close()
