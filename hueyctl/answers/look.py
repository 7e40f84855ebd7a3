"""One look at the queues of a storage. Whatever several answers need is read once, when it is first
needed; nothing is held open in between."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from hueycore.model.states import State
from hueyctl.answers.queues import chosen_consumers, chosen_queues, serves
from hueyctl.answers.usual import Usual

if TYPE_CHECKING:
    from hueycore.model.flags import Revocation
    from hueycore.model.jobs import Job
    from hueycore.model.reports import Depth, Metric, QueueRow, WorkerRow
    from hueycore.storage.base import Storage
    from hueyctl.answers.past import Past


class Look:
    """``names`` empty means all queues. ``states`` are those whose jobs are counted: the others
    seem to have none. To count a million that are done takes a tenth of a second. ``past``: what
    ended long ago is told by the half hour."""

    def __init__(
        self,
        storage: Storage,
        names: Sequence[str] = (),
        states: Collection[State] = tuple(State),
        past: Past | None = None,
    ) -> None:
        self.storage, self.names, self._states, self._past = storage, names, states, past
        self.now = time.time()
        self.usual = Usual(storage.totals)
        self._metrics: tuple[float, list[Metric]] | None = None

    @cached_property
    def queues(self) -> list[QueueRow]:
        return chosen_queues(self.storage, self.names)

    @cached_property
    def consumers(self) -> list[WorkerRow]:
        return chosen_consumers(self.storage, self.names)

    @cached_property
    def depths(self) -> list[Depth]:
        return self.storage.depths(self._states)

    @cached_property
    def due(self) -> dict[str, float]:
        return self.storage.due()

    @cached_property
    def orders(self) -> list[Revocation]:
        """Those that stand now."""
        return [
            order
            for order in self.storage.revocations()
            if self.is_about(order.queue) and (order.until is None or order.until > self.now)
        ]

    @cached_property
    def claimed(self) -> list[Job]:
        """Jobs that run, or are held by a consumer for its next free worker."""
        from hueycore.model.jobs import Selector

        return self.storage.jobs(Selector(queues=tuple(self.names), states=(State.RUNNING,)))

    @cached_property
    def running(self) -> list[Job]:
        """Those of them that a worker has started which lives."""
        started = {seq for row in self.consumers if row.alive for _, seq in row.running}
        return [job for job in self.claimed if job.seq in started]

    def metrics(self, since: float) -> list[Metric]:
        """What has ended since then, and maybe before."""
        if self._metrics is None or since < self._metrics[0]:
            if self._past is None:
                found = self.storage.metrics(since)
            else:
                found = self._past.metrics(self.storage, since, self.now)
            self._metrics = since, found
        return self._metrics[1]

    def is_about(self, queue: str) -> bool:
        return not self.names or queue in self.names

    def is_served(self, queue: str) -> bool:
        return any(serves(row, queue) for row in self.consumers)
