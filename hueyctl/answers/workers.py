"""Consumers and what their workers run, from lock bytes and slots: no heartbeat is needed."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from hueycore.constants import WORKER_PROCESS
from hueyctl.answers.queues import chosen_consumers
from hueyctl.units import rfc3339

if TYPE_CHECKING:
    from hueycore.model.jobs import Job
    from hueycore.model.reports import WorkerRow
    from hueycore.storage.base import Storage

#: Kinds of workers that can interrupt what they run.
INTERRUPTING = (WORKER_PROCESS,)
#: Seconds after its timeout until a run that goes on is called overdue, as consumers do.
GRACE = 5.0


def is_overdue(job: Job, now: float) -> bool:
    """Whether a run goes on after its timeout."""
    since, limit = job.claimed_at, job.timeout
    return since is not None and limit is not None and now - since > limit + GRACE


class Run(NamedTuple):
    """A job that a worker has started. ``job`` is None when it ended while we looked."""

    slot: int
    seq: int
    job: Job | None

    def for_s(self, now: float) -> float | None:
        if self.job is None or self.job.claimed_at is None:
            return None
        return round(max(0.0, now - self.job.claimed_at), 3)

    def is_overdue(self, now: float) -> bool:
        return self.job is not None and is_overdue(self.job, now)


class Consumer(NamedTuple):
    """A consumer process."""

    row: WorkerRow
    runs: list[Run]
    #: Jobs that it has claimed and not started.
    held: int
    rss: int | None

    def state(self, now: float) -> str:
        if not self.row.alive:
            return "dead"
        if self.row.state == "stopping":
            return "stopping"
        if any(run.is_overdue(now) for run in self.runs):
            return "overdue"
        return "busy" if self.runs else "idle"

    def as_object(self, now: float) -> dict[str, Any]:
        row = self.row
        return {
            "name": row.name,
            "host": row.host,
            "pid": row.pid,
            "queue": row.queue,
            "kind": row.kind,
            "state": self.state(now),
            "slots": row.slots,
            "busy": len(self.runs),
            "held": self.held,
            "started_at": rfc3339(row.started_at),
            "up_s": round(max(0.0, now - row.started_at), 3),
            "rss_bytes": self.rss,
            "jobs": [
                {
                    "slot": run.slot,
                    "seq": run.seq,
                    "id": run.job.id if run.job else None,
                    "task": run.job.task if run.job else None,
                    "for_s": run.for_s(now),
                    "overdue": run.is_overdue(now),
                }
                for run in self.runs
            ],
        }


def consumers(storage: Storage, queues: Sequence[str]) -> list[Consumer]:
    """The consumers of these queues, or of all, in the order in which they registered; the
    processes of one beside each other."""
    from hueycore.model.jobs import Selector
    from hueycore.model.states import State

    rows = chosen_consumers(storage, queues)
    if not rows:
        return []
    claimed = storage.jobs(Selector(queues=tuple(queues), states=(State.RUNNING,)))
    by_address = {job.address: job for job in claimed}
    found = []
    for row in rows:
        runs = [Run(slot, seq, by_address.get((row.queue, seq))) for slot, seq in row.running]
        started = {run.seq for run in runs}
        mine = (job for job in claimed if job.worker_address == row.address)
        held = sum(job.seq not in started for job in mine)
        found.append(Consumer(row, runs, held, rss_of(row)))
    return _grouped(found)


def whole(row: WorkerRow) -> str:
    """The name of the consumer that a process is one of. Workers have the numbers of the dead ones
    that they replace, or others: what says who belongs together is the name, NAME/3 of a worker and
    NAME/scheduler of the process beside."""
    return row.name.rpartition("/")[0] if row.kind == WORKER_PROCESS else row.name


def _grouped(found: list[Consumer]) -> list[Consumer]:
    first: dict[str, int] = {}
    for one in found:
        first.setdefault(whole(one.row), one.row.id)

    def place(one: Consumer) -> tuple[int, str, float]:
        last = one.row.name.rpartition("/")[2]
        number = float(last) if one.row.slots and last.isdecimal() else math.inf
        return first[whole(one.row)], whole(one.row), number

    return sorted(found, key=place)


def rss_of(row: WorkerRow) -> int | None:
    """Resident memory in bytes, of a living process that is in sight where /proc tells it."""
    if not row.alive or row.local_pid is None:
        return None
    try:
        with open(f"/proc/{row.local_pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None
