"""The half of the storage protocol that only looks."""

from __future__ import annotations

from typing import Protocol

from hueycore.model.events import Event, EventQuery, LogLine
from hueycore.model.flags import Revocation
from hueycore.model.jobs import Job, Selector
from hueycore.model.reports import DeadGroup, Depth, Finding, Metric, QueueRow, SeenTask, WorkerRow


class Looks(Protocol):
    """Verbs that never write and never create anything. Times are POSIX seconds."""

    def jobs(self, selector: Selector) -> list[Job]: ...
    def count(self, selector: Selector) -> int: ...
    def job(self, key: str) -> Job | None:
        """By long id, else by seq."""
        ...

    def payload(self, seq: int) -> bytes | None: ...
    def log(self, seq: int, after: int = 0) -> list[LogLine]:
        """The lines that the runs of a job have logged, from line ``after`` on."""
        ...

    def events(self, query: EventQuery) -> list[Event]:
        """What happened, oldest first."""
        ...

    def depths(self) -> list[Depth]: ...
    def workers(self) -> list[WorkerRow]: ...
    def queues(self) -> list[QueueRow]: ...

    def metrics(self, since: float) -> list[Metric]:
        """What ended per queue, minute and task since a time."""
        ...

    def totals(self) -> list[Metric]:
        """What ended per queue and task, ever: numbers that only grow. Their minute is 0."""
        ...

    def arrivals(self, since: float) -> dict[str, int]:
        """Jobs enqueued per queue since a time."""
        ...

    def due(self) -> dict[str, float]:
        """When the next scheduled job of each queue that has one is due."""
        ...

    def ahead(self, seq: int) -> int:
        """How many pending jobs run before this one."""
        ...

    def stages(self, seq: int, limit: int = 1000) -> list[Job]:
        """The jobs that a job is joined with, itself included: pipeline, group, chord, and the
        handlers that were called. By number; a job on its own is alone in the list."""
        ...

    def culprit(self, seq: int) -> Job | None:
        """The job whose end revoked this one ``upstream``; None when it was purged."""
        ...

    def tasks_seen(self) -> list[SeenTask]:
        """Every task that jobs of the file name, registered anywhere or not."""
        ...

    def dead_groups(self, selector: Selector, *, by_task: bool = True) -> list[DeadGroup]:
        """Dead jobs by the error of their last attempt, most frequent first."""
        ...

    def revocations(self) -> list[Revocation]:
        """Every standing order of the file: revoked tasks and ids, paused tasks."""
        ...

    def examine(self, *, full: bool = False) -> list[Finding]:
        """What is wrong with the storage, nothing when it is sound."""
        ...

    def size(self) -> tuple[int, int]:
        """Bytes of the data, and of the log that is not folded in yet."""
        ...
