"""Waiting for nobody: queues that no consumer serves."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from hueyctl.answers.queues import serves
from hueyctl.answers.reason import shell_line

if TYPE_CHECKING:
    from hueycore.storage.base import Storage

#: Seconds of waiting after which it is asked, and between two times.
PATIENCE = 2.0


class Unserved:
    """What to tell somebody who waits for jobs; of each queue once."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._next = time.monotonic() + PATIENCE
        self._told: set[str] = set()

    def look(self, queues: Iterable[str]) -> list[str]:
        """A sentence for each of the queues that nobody serves, when it is time to ask."""
        if time.monotonic() < self._next:
            return []
        self._next = time.monotonic() + PATIENCE
        wanted = set(queues) - self._told
        rows = self._storage.workers() if wanted else []
        alone = sorted(queue for queue in wanted if not any(serves(row, queue) for row in rows))
        self._told.update(alone)
        return [
            f"no consumer serves queue {queue}: {shell_line('consume', 'APP', '--queue', queue)}"
            for queue in alone
        ]
