"""For those who only look."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Protocol

from hueycore.model.diagnosis import Diagnosis
from hueycore.model.events import Event, EventQuery, LogLine
from hueycore.model.flags import Revocation
from hueycore.model.jobs import Job, Newest, Selector
from hueycore.model.keys import HeldKeys
from hueycore.model.reports import (
    DeadGroup,
    Depth,
    Finding,
    Metric,
    QueueRow,
    SeenTask,
    WorkerRow,
)
from hueycore.model.states import State

#: Rows that are looked at for one answer.
LOOKED = 100_000


class Queries(Protocol):
    """Verbs that never write and never create anything. Times are POSIX seconds."""

    def jobs(self, selector: Selector) -> list[Job]:
        """The selected jobs in the order asked for."""
        ...

    def newest(self, selector: Selector, most: int = LOOKED) -> Newest:
        """The selected jobs of the highest numbers, ``selector.limit`` of them, found by looking at
        ``most`` rows however many there are: what there is further down is asked for with the
        ``before`` of the answer. Jobs of several queues that share a number come together."""
        ...

    def count(self, selector: Selector) -> int:
        """How many jobs a selector matches, whatever its limit."""
        ...

    def count_by_task(self, selector: Selector) -> dict[str, int]:
        """How many jobs of each task a selector matches, whatever its limit; most first."""
        ...

    def job(self, key: str) -> Job | None:
        """By long id, which wins, else by seq."""
        ...

    def payload(self, seq: int) -> bytes | None:
        """The serialized arguments of a job."""
        ...

    def log(self, seq: int, after: int = 0) -> list[LogLine]:
        """The lines that the runs of a job have logged, those after line ``after``."""
        ...

    def events(self, query: EventQuery) -> list[Event]:
        """What happened, oldest first."""
        ...

    def depths(self, states: Collection[State] = tuple(State)) -> list[Depth]:
        """How many jobs each queue has in each of these states; states without a job are left
        out."""
        ...

    def workers(self) -> list[WorkerRow]:
        """Every consumer process of the storage with what it runs, told without a write."""
        ...

    def queues(self) -> list[QueueRow]:
        """Every queue of the storage by name."""
        ...

    def metrics(self, since: float, until: float | None = None) -> list[Metric]:
        """What ended per queue, minute and task since a time, oldest first; only the minutes that
        begin before ``until``."""
        ...

    def totals(self) -> list[Metric]:
        """What ended per queue and task, ever: numbers that only grow. Their minute is 0."""
        ...

    def arrivals(self, since: float) -> dict[str, int]:
        """Jobs enqueued per queue since a time; what was purged is not counted."""
        ...

    def due(self) -> dict[str, float]:
        """When the next scheduled job of each queue that has one is due."""
        ...

    def ahead(self, seq: int) -> int:
        """How many pending jobs run before this one."""
        ...

    def held_keys(self, limit: int = 100, most: int = LOOKED) -> HeldKeys:
        """The keys of all queues under which a job runs or waits, those with the longest line
        first, and those that a task declares; ``limit`` of them. No more than ``most`` waiting jobs
        of a queue are counted."""
        ...

    def stages(self, seq: int, limit: int = 1000) -> list[Job]:
        """The jobs that a job is joined with, itself included: pipeline, group, chord, and the
        handlers that were called. By number; a job on its own is alone in the list."""
        ...

    def culprit(self, seq: int) -> Job | None:
        """The job whose end revoked this one ``upstream``; None when it was purged."""
        ...

    def tasks_seen(self) -> list[SeenTask]:
        """Every task that jobs of the storage name, registered anywhere or not. Jobs that are done
        are known from what was counted when they ended, to the minute: those among them that were
        purged before the oldest that is kept are counted as well."""
        ...

    def dead_groups(self, selector: Selector, *, by_task: bool = True) -> list[DeadGroup]:
        """Dead jobs by the error of their last attempt (and task), most frequent first, with how
        many died in the last 1 h, 3 h, 24 h, 3 d and 7 d."""
        ...

    def revocations(self) -> list[Revocation]:
        """Every standing order of the storage: revoked tasks and ids, paused tasks and
        schedulers."""
        ...

    def examine(self, *, full: bool = False) -> list[Finding]:
        """What is wrong with the storage, nothing when it is sound. ``full`` reads every page and
        checks the invariants between rows, which takes time when there is much."""
        ...

    def checkup(self) -> Mapping[str, Callable[[], Iterable[Diagnosis]]]:
        """What can be asked about the place where the data lies: how safe it is, what stands in its
        way. Questions by name, in order; each looks when it is called."""
        ...

    def gauges(self) -> dict[str, float]:
        """Figures of that place for a monitor, by name; those that this engine can tell."""
        ...

    def size(self) -> tuple[int, int]:
        """Bytes of the data, and of the log that is not folded in yet."""
        ...
