"""The SQLite engine: one file, every verb one transaction."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hueycore.exceptions import StorageError
from hueycore.storage.protocol.huey import HueyNames
from hueycore.storage.sql.due import Scheduling
from hueycore.storage.sql.events import EventLog
from hueycore.storage.sql.examine import Examination
from hueycore.storage.sql.exchange import Exchanging
from hueycore.storage.sql.flags import Standing
from hueycore.storage.sql.joblog import JobLog
from hueycore.storage.sql.limits import Holding
from hueycore.storage.sql.locks import Locks
from hueycore.storage.sql.operators import Steering
from hueycore.storage.sql.periodic import Schedules
from hueycore.storage.sql.queries import Looking
from hueycore.storage.sql.reports import Reporting
from hueycore.storage.sql.results import Values
from hueycore.storage.sql.retention import Housekeeping
from hueycore.storage.sql.stages import Stages
from hueycore.storage.sql.transfer import Transfer
from hueycore.storage.sql.workers import Liveness
from hueycore.storage.sqlite.connection import Database
from hueycore.storage.sqlite.guest import Hosting
from hueycore.storage.sqlite.sidefile import MappedSlots

if TYPE_CHECKING:
    from hueycore.storage.base import Storage
    from hueycore.storage.sqlite.bell import Bell

__all__ = ["SqliteStorage"]


class SqliteStorage(
    Hosting,
    Exchanging,
    Liveness,
    Looking,
    Reporting,
    Values,
    Scheduling,
    Schedules,
    Steering,
    Standing,
    Stages,
    Holding,
    Locks,
    Housekeeping,
    EventLog,
    JobLog,
    Transfer,
    Examination,
    HueyNames,
):
    """A queue in a SQLite file, or in memory with ``filename=":memory:"``.

    ``create``: make the file when it is missing. ``read_only``: look, never write. ``mode``: the
    permissions of a new file. ``max_pending``: enqueue raises ``QueueFull`` above it.
    ``serializer``: the name of what payloads are written with, for those who have no application.
    ``durability``: ``standard``, ``full`` or ``fast`` (see :class:`Database`). ``events``: record
    what becomes of the queue's jobs, or no more; None leaves it as it is. ``operator``: the person
    whose verbs these are; they are recorded in any case.

    Raises ``StorageMissing``, ``StorageCorrupt``, ``StorageTooNew``, ``StorageReadOnly``.
    """

    def __init__(
        self,
        filename: str | os.PathLike[str],
        queue: str = "huey",
        *,
        create: bool = True,
        read_only: bool = False,
        mode: int = 0o600,
        durability: str = "standard",
        max_pending: int | None = None,
        serializer: str | None = None,
        force_network: bool = False,
        events: bool | None = None,
        operator: str | None = None,
    ) -> None:
        self.queue = queue
        self.serializer = serializer
        self.max_pending = max_pending
        self.mode = mode
        self.operator = operator
        self._side = None
        self._slots: dict[int, MappedSlots] = {}
        self._since: dict[int, float] = {}
        self._bell: Bell | None = None
        self._pid = os.getpid()
        self._init_enqueueing()
        self.db = Database(
            os.fspath(filename),
            create=create,
            read_only=read_only,
            mode=mode,
            durability=durability,
            force_network=force_network,
        )
        if events is not None and not read_only:
            self.record_events(events)

    @property
    def url(self) -> str:
        """Where the data is, for people."""
        return f"sqlite:///{self.db.path}"

    @property
    def shared(self) -> bool:
        """Whether other processes see it."""
        return not self.db.memory

    def ring(self) -> None:
        """Wake the consumers. After the commit only, and never an error."""
        try:
            side = self.side()
        except StorageError:
            side = None  # a consumer looks by itself within 50 ms
        if side is not None:
            side.ring()
        if self._bell is not None:
            self._bell.nudge()

    def wait(self, timeout: float) -> bool:
        """Sleep until somebody enqueued, or ``timeout`` seconds; True when there may be news."""
        if self._bell is None or self._pid != os.getpid():
            # Imported here: ctypes and selectors are dear, and only consumers wait.
            from hueycore.storage.sqlite.bell import Bell

            side = self.side()
            self._bell = Bell(side.path if side else None, self.db.version)
            self._pid = os.getpid()
            return True  # what came before the watch was set has not been heard
        return self._bell.wait(timeout)

    def nudge(self) -> None:
        """End a ``wait`` of this process now."""
        if self._bell is not None:
            self._bell.nudge()

    def close(self) -> None:
        """Close the connections. Locks of this process on the file end with the last user."""
        self.db.close()
        if self._bell is not None:
            self._bell.close()
            self._bell = None
        if self._side is not None:
            self._side.detach()
            self._side = None


if TYPE_CHECKING:

    def _implements(storage: SqliteStorage) -> Storage:
        return storage
