"""The state in which a job rests until a worker takes it."""

from __future__ import annotations

from hueycore.model.jobs import NewJob
from hueycore.model.states import State

_SCHEDULED, _PENDING, _BLOCKED = State.SCHEDULED, State.PENDING, State.BLOCKED


def state(run_at: float, now: float, key: str | None) -> State:
    """Of a job that waits for no other: one that has to run later is scheduled; one whose time has
    come is pending, or with a key blocked until the key has room for it. ``storage.sql.rest`` says
    the same in SQL."""
    if run_at > now:
        return _SCHEDULED
    return _PENDING if key is None else _BLOCKED


def expiry(job: NewJob, run_at: float) -> float | None:
    """Of a job that may begin at ``run_at``."""
    return job.expires_at if job.expires_in is None else run_at + job.expires_in


def ready(key: str | None) -> State:
    """Of a job whose time has come."""
    return state(0, 0, key)
