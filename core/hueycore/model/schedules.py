"""Schedules as a storage keeps them, and what their runs are made of."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from hueycore.model.jobs import NewJob


class Periodic(NamedTuple):
    """A schedule, and the job that each of its runs is.

    ``origin`` is ``code`` for what an application declares, ``process`` for what a running consumer
    declared and takes away with it, ``stored`` for what was made by hand. ``options`` are fields of
    a ``NewJob``, and ``expires``: seconds from the run on.
    """

    name: str
    task: str
    schedule: str
    tz: str | None
    next_run: float
    last_run: float | None = None
    last_id: str | None = None
    catch_up: str = "latest"
    grace: float = 3600.0
    paused_at: float | None = None
    paused_by: str | None = None
    pause_reason: str | None = None
    payload: bytes = b""
    preview: str | None = None
    options: dict[str, Any] = {}  # noqa: RUF012  a NamedTuple default that nobody mutates
    origin: str = "code"
    queue: str = ""

    def job(self, id: str, scheduled_for: float | None = None) -> NewJob:
        """A job of this schedule, to be enqueued now."""
        options = dict(self.options)
        options["expires_in"] = options.pop("expires", None)
        return NewJob(
            id, self.task, self.payload, self.preview, scheduled_for=scheduled_for, **options
        )


class Fire(NamedTuple):
    """A schedule moves on from ``seen`` to ``next_run``, and these jobs are its runs."""

    name: str
    seen: float
    next_run: float
    jobs: Sequence[NewJob]


class Coming(NamedTuple):
    """The schedules that are due, when the next of the others is, and the names of those that a
    worker declares and that are not stored (any more)."""

    due: list[Periodic]
    next_run: float | None
    lost: list[str]


#: What of a ``NewJob`` is the same in every run of a schedule.
REPEATED = (
    "priority", "retries", "retry_delay", "retry_backoff", "timeout", "max_crashes",
    "at_most_once", "result_ttl", "key_name", "unique_key", "unique_until", "on_conflict",
)  # fmt: skip


def repeated(job: NewJob, expires: float | None = None) -> dict[str, Any]:
    """``Periodic.options`` that make jobs like this one, which expire after ``expires`` seconds,
    or with ``job.expires_at`` if there is no such number."""
    usual = NewJob._field_defaults
    found = {name: getattr(job, name) for name in REPEATED if getattr(job, name) != usual[name]}
    if expires is not None:
        found["expires"] = expires
    elif job.expires_in is not None:
        found["expires"] = job.expires_in
    elif job.expires_at is not None:
        found["expires_at"] = job.expires_at
    return found
