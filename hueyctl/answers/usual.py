"""What runs of a task usually take, and which of those that go on take far longer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hueycore.constants import WORKER_PROCESS
from hueycore.model.histogram import percentile
from hueyctl.answers.reason import shell_line
from hueyctl.answers.workers import is_overdue
from hueyctl.units import brief

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from hueycore.model.jobs import Job
    from hueycore.model.reports import Metric, WorkerRow

#: A run is stuck when it takes so many times its task's p99, and so many seconds at least.
FAR, LEAST = 5.0, 60.0
#: With fewer runs than these nobody knows what is usual.
ENOUGH = 20


class Usual:
    """The p95 and p99 of tasks, of all runs that were ever counted: the ``totals`` of a storage.
    Asked once."""

    def __init__(self, totals: Callable[[], Iterable[Metric]]) -> None:
        self._ask = totals
        self._totals: dict[tuple[str, str], Metric] | None = None

    def spread(self, queue: str, task: str) -> tuple[float, float] | None:
        """(p95, p99) in seconds; None while too few runs have ended."""
        if self._totals is None:
            self._totals = {(row.queue, row.task): row for row in self._ask()}
        row = self._totals.get((queue, task))
        if row is None or sum(row.run_hist.values()) < ENOUGH:
            return None
        p95, p99 = percentile(row.run_hist, 0.95), percentile(row.run_hist, 0.99)
        assert p95 is not None
        assert p99 is not None
        return min(p95, row.run_max or p95), min(p99, row.run_max or p99)

    def stuck(self, job: Job, now: float) -> str | None:
        """In which way a run takes too long; None when it does not."""
        if job.claimed_at is None:
            return None
        span = now - job.claimed_at
        if is_overdue(job, now):
            return f"has run for {brief(span)}, its timeout is {brief(job.timeout or 0)}"
        found = self.spread(job.queue, job.task)
        if found is None or span < max(LEAST, FAR * found[1]):
            return None
        return f"has run for {brief(span)}, 99 of 100 runs of {job.task} take {brief(found[1])}"


def remedy(job: Job, workers: Mapping[tuple[str, int], WorkerRow]) -> str:
    """The command that ends a run, by what its kind of worker can do. A thread in a call that does
    not return cannot be interrupted: it ends with its consumer, which gives the job back."""
    row = workers.get(job.worker_address)
    if row is None or not row.alive:
        return "hueyctl doctor"
    if row.kind == WORKER_PROCESS:
        return shell_line("revoke", "--terminate", str(job.seq))
    if not job.cancel_requested:
        return shell_line("revoke", str(job.seq))
    # Of a process that is out of sight the number is somebody else's here.
    return "hueyctl workers" if row.local_pid is None else f"kill -TERM {row.local_pid}"
