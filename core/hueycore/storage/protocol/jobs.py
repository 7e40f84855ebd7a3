"""For those who produce jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from hueycore.model.jobs import Enqueued, NewJob
from hueycore.model.plan import Plan
from hueycore.storage.protocol.guest import Guest


class Jobs(Protocol):
    """Jobs are born."""

    #: How many of a great many jobs one call of ``enqueue`` is to take.
    chunk: int

    def enqueue(self, jobs: Sequence[NewJob], plan: Plan | None = None) -> list[Enqueued]:
        """All jobs are durable when this returns, or none is; they may run before that. An id that
        is live already, or whose result a waiting job needs, answers with that job and inserts
        nothing; another final row of the same id is replaced. A unique key that is taken answers as
        ``on_conflict`` says. With a ``plan`` they are stages: those that have parents wait for
        them.

        Raises ``QueueFull``, ``DuplicateJob``; ``ConfigurationError`` when some jobs of a plan
        exist and others do not; ``StorageError`` also when it is not known whether the jobs will
        last: to enqueue the same ids once more is harmless."""
        ...

    def on(self, connection: Any) -> Guest:
        """Write in the transaction of a connection of the caller's own to the same data. In memory
        there is no data to share: a verb is then a transaction of its own.

        Raises ``ConfigurationError`` when the connection is to something else, at once or at the
        guest's first verb."""
        ...
