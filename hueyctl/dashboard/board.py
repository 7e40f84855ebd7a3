"""A queue that is shown: its storage, the newest look at it, what is allowed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING

from hueycore.exceptions import ConfigurationError, StorageError
from hueycore.system.mask import masked
from hueyctl.dashboard.kept import Kept
from hueyctl.dashboard.look import Watch

if TYPE_CHECKING:
    from hueycore import Huey
    from hueycore.storage.base import Storage
    from hueycore.storage.open import Location

    Queue = Huey | str | os.PathLike[str]


class Board:
    """``queues`` empty means all of the storage. Nothing is opened before somebody asks. With
    ``inside`` its pages are to stand in those of an application."""

    def __init__(
        self, location: Location, queues: Sequence[str] = (), *, inside: bool = False
    ) -> None:
        self.location, self.queues, self.inside = location, tuple(queues), inside
        self.watch = Watch(self.open, self.queues)
        self.kept = Kept()
        self._storage: Storage | None = None
        self._url: str | None = None
        self._lock = Lock()

    @property
    def url(self) -> str:
        """For people, and the option ``--url``; also of a storage that cannot be opened."""
        if self._url is None:
            try:
                self._url = masked(self.reading().url)
            except StorageError:
                return self.location.name
        return self._url

    def open(self, operator: str | None = None, queue: str | None = None) -> Storage:
        """The storage, for reading; for writing, when there is an ``operator``. Raises
        ``StorageError``."""
        from hueycore.storage.open import open_storage

        first = self.queues[0] if self.queues else self.location.queue
        queue = queue or first or "huey"
        reads = operator is None
        return open_storage(self.location, queue, create=False, read_only=reads, operator=operator)

    def reading(self) -> Storage:
        """One for all who ask directly; the watch has its own, so that nobody waits for a look."""
        with self._lock:
            if self._storage is None:
                self._storage = self.open()
            return self._storage

    def changed(self) -> None:
        """Somebody has changed something here: the next page shows it."""
        self.kept.forget()
        self.watch.hasten()

    def reopen(self) -> None:
        """What was opened is gone, moved or spoilt: the next one looks anew."""
        with self._lock:
            storage, self._storage = self._storage, None
        if storage is not None:
            try:
                storage.close()
            except StorageError:
                pass

    def close(self) -> None:
        self.watch.close()
        self.reopen()


def board_of(queue: Queue) -> Board:
    """Of an application, or of the URL of a storage. Raises ``ConfigurationError``."""
    location = _located(queue)
    if not location.shared:
        raise ConfigurationError("a queue in memory is seen by its own process alone")
    return Board(location, (location.queue,) if location.queue else ())


def _located(queue: Queue) -> Location:
    if isinstance(queue, (str, os.PathLike)):
        from hueycore.storage.open import locate

        return locate(os.fspath(queue))
    return queue.location
