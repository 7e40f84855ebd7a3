"""A job's life as far as its row tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hueyctl.answers.jobs import error_text
from hueyctl.units import rfc3339

if TYPE_CHECKING:
    from hueycore.model.jobs import Job
    from hueycore.storage.base import Storage


class Event(NamedTuple):
    """Something that happened, or (``at`` ahead) that will."""

    at: float
    event: str
    attempt: int | None = None
    worker: str | None = None
    run_s: float | None = None
    error: str | None = None

    def as_object(self) -> dict[str, Any]:
        return {**self._asdict(), "at": rfc3339(self.at)}


def timeline(job: Job, worker: str | None = None) -> list[Event]:
    """In order of time. ``worker`` is the name of the one that runs it now."""
    events = [Event(job.enqueued_at, "enqueued")]
    if job.scheduled_for is not None:
        events.append(Event(job.scheduled_for, "planned"))
    events += [_failure(error) for error in job.errors]
    if job.state == "scheduled":
        events.append(Event(job.run_at, "due", job.attempt + 1))
    if job.claimed_at is not None:
        events.append(Event(job.claimed_at, "claimed", job.attempt, worker))
    if job.finished_at is not None:
        events += _ending(job, job.finished_at)
    if job.expires_at is not None and job.finished_at is None:
        events.append(Event(job.expires_at, "expires"))
    # Enqueued stays in front: a planned time lies a little before.
    return [events[0], *sorted(events[1:], key=lambda event: event.at)]


def _ending(job: Job, finished_at: float) -> list[Event]:
    state = str(job.state)
    ran = job.started_at is not None and state in ("done", "dead")
    if not ran or job.started_at is None:
        return [Event(finished_at, state, error=job.reason)]
    started = Event(job.started_at, "started", job.attempt, job.ran_by)
    run_s = round(max(0.0, finished_at - job.started_at), 6)
    return [started, Event(finished_at, state, job.attempt, run_s=run_s, error=job.reason)]


def _failure(error: dict[str, Any]) -> Event:
    """A run that did not end well; one that gave its attempt back was only put off."""
    at = error.get("at")
    return Event(
        float(at) if isinstance(at, (int, float)) else 0.0,
        "put back" if error.get("counted") is False else "failed",
        error.get("attempt"),
        error.get("worker") or None,
        error.get("run_s"),
        error_text(error),
    )


def worker_name(storage: Storage, job: Job) -> str | None:
    """The name of the worker that holds it."""
    if job.worker is None:
        return None
    return next((row.name for row in storage.workers() if row.address == job.worker_address), None)
