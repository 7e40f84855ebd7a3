"""What the parts of ``Huey`` share, declared once: its attributes and its storage."""

from __future__ import annotations

import os
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from hueycore.calendar.durations import posix_of
from hueycore.model.jobs import Selector
from hueycore.storage.location import Location, SqliteLocation
from hueycore.storage.open import MEMORY, open_storage
from hueycore.system import clock, native

if TYPE_CHECKING:
    from hueycore.api.huey import Huey
    from hueycore.api.producer import Producer
    from hueycore.api.stepper import Stepper
    from hueycore.registry import Registry
    from hueycore.serializer import Serializer
    from hueycore.signals import Signal
    from hueycore.storage.base import Storage


class Part:
    """The base of every part of ``Huey``, whose ``__init__`` sets what is declared here."""

    name: str
    location: Location
    results: bool
    utc: bool
    immediate_use_memory: bool
    registry: Registry
    serializer: Serializer
    signals: Signal

    #: Seconds that results are kept of tasks that do not say it.
    result_ttl: float | None = None
    #: Whether who reads a result leaves it there.
    keeps_results = False
    #: The class of the storage, by default that of the engine.
    storage_class: Any = None

    _immediate: bool
    _storage: Storage | None
    _storage_options: dict[str, Any]
    _producer: Producer
    _worker: Stepper | None

    @property
    def _huey(self) -> Huey:
        """The instance itself, for what another part has."""
        return cast("Huey", self)

    @property
    def _registry(self) -> Registry:
        """``registry``, as Huey calls it."""
        return self.registry

    # --- the storage --------------------------------------------------------------------------

    @property
    def filename(self) -> str:
        """The SQLite file, ``:memory:``, or "" on another engine."""
        return self.location.filename

    @filename.setter
    def filename(self, filename: str) -> None:
        self.location = SqliteLocation(filename)

    @property
    def storage(self) -> Storage:
        """The engine, opened now if it was not."""
        storage = self._storage
        if storage is None:
            with _opening:  # threads that come together share one
                storage = self._storage = self._storage or self._open_storage()
        return storage

    def _open_storage(self) -> Storage:
        storage = self.create_storage()
        waiting = storage.left_by_huey().get(self.name)
        if waiting:
            # Imported here: nobody else needs it.
            from hueycore.api.migration import tell_of_old_jobs

            tell_of_old_jobs(storage, self.filename, waiting)
        return storage

    def create_storage(self) -> Storage:
        """Open the storage, in immediate mode one in memory; override it to use another one."""
        if self._immediate and self.immediate_use_memory:
            return self._storage_in_memory()
        if self.storage_class is not None:
            from hueycore.storage.named import made

            return made(self.storage_class, self.name, self.location, self._storage_options)
        return open_storage(self.location, self.name, **self._storage_options)

    @property
    def _stepper(self) -> Stepper:
        """This process as a worker, made at its first step."""
        stepper = self._worker
        if stepper is None:
            # Imported here: who only enqueues runs nothing.
            from hueycore.api.stepper import Stepper

            with _opening:
                stepper = self._worker = self._worker or Stepper(self._huey)
        return stepper

    def _storage_in_memory(self) -> Storage:
        return open_storage(MEMORY, self.name, **self._storage_options)

    def _by_id(self, id: str) -> Selector:
        return Selector(queues=(self.name,), where=(("id", "=", id),))

    # --- times --------------------------------------------------------------------------------

    def posix_of(self, timestamp: datetime) -> float:
        """POSIX seconds of a datetime; a naive one is read as ``utc`` says, as Huey's are."""
        return posix_of(timestamp, self.utc)

    def _now(self, timestamp: datetime | None) -> float:
        return clock.now() if timestamp is None else self.posix_of(timestamp)


#: Held while a storage is opened, or a worker made.
_opening = native.Lock()


def _in_child() -> None:
    # It may be held by a thread that does not exist in the child.
    global _opening
    _opening = native.Lock()


os.register_at_fork(after_in_child=_in_child)
