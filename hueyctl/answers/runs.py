"""What runs now, measured against what its task usually takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from hueycore.model.jobs import Job
    from hueyctl.answers.look import Look


class Run(NamedTuple):
    """A job that runs, its worker, and what its task usually takes (p95, seconds)."""

    job: Job
    worker: str | None
    for_s: float
    p95: float | None
    stuck: bool

    @property
    def ratio(self) -> float | None:
        """How many times its p95 it has run; None of a task that nobody knows yet."""
        return self.for_s / self.p95 if self.p95 else None


def runs(look: Look) -> list[Run]:
    """What is stuck first, then the longest."""
    names = {row.address: row.name for row in look.consumers}
    found = []
    for job in look.running:
        if job.claimed_at is not None:
            usual = look.usual.spread(job.queue, job.task)
            is_stuck = look.usual.stuck(job, look.now) is not None
            span = max(0.0, look.now - job.claimed_at)
            p95 = None if usual is None else usual[0]
            found.append(Run(job, names.get(job.worker_address), span, p95, is_stuck))
    return sorted(found, key=lambda run: (not run.stuck, -run.for_s))
