"""What the row of a new job holds."""

from __future__ import annotations

from collections.abc import Sequence

from hueycore.model import rest
from hueycore.model.jobs import NewJob

#: The columns of a job's options. The table's own defaults are a third less to write.
OPTIONS = NewJob._fields[6:20]
_USUAL = tuple(NewJob._field_defaults[name] for name in OPTIONS)


def are_usual(jobs: Sequence[NewJob]) -> bool:
    """Whether none of the jobs has options."""
    return all(job[6:20] == _USUAL for job in jobs)


def options(job: NewJob, run_at: float) -> tuple[object, ...]:
    """The values of ``OPTIONS``."""
    return (rest.expiry(job, run_at), *job[7:13], int(job.at_most_once), *job[14:20])


def begins(job: NewJob, now: float) -> float:
    """When a job may run."""
    return now if job.run_at is None or job.run_at <= now else job.run_at
