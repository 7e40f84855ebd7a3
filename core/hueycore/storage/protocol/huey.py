"""What Huey's documentation asks a storage for, under Huey's names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from hueycore.model.jobs import Selector
from hueycore.model.states import State


class HueyNames(Protocol):
    """Part of every storage, said with the verbs that it has anyway."""

    queue: str
    if TYPE_CHECKING:

        def count(self, selector: Selector) -> int: ...
        def result_count(self) -> int: ...
        def flush(self) -> None: ...

    def queue_size(self) -> int:
        """How many jobs are ready to run."""
        return self._in(State.PENDING)

    def schedule_size(self) -> int:
        """How many jobs wait for their time."""
        return self._in(State.SCHEDULED)

    def scheduled_count(self) -> int:
        """``schedule_size``, as articles about Huey call it."""
        return self._in(State.SCHEDULED)

    def result_store_size(self) -> int:
        """``result_count``, as Huey calls it."""
        return self.result_count()

    def flush_all(self) -> None:
        """``flush``, as Huey calls it."""
        self.flush()

    def _in(self, state: State) -> int:
        return self.count(Selector(queues=(self.queue,), states=(state,)))
