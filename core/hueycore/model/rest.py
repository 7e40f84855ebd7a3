"""The state in which a job rests until a worker takes it."""

from __future__ import annotations

from hueycore.model.states import State


def state(run_at: float, now: float, key: str | None) -> State:
    """Of a job that waits for no other: one that has to run later is scheduled, one that is due is
    ``ready``. ``storage.sql.rest`` says the same in SQL."""
    return State.SCHEDULED if run_at > now else ready(key)


def ready(key: str | None) -> State:
    """Of a job whose time has come: with a key it is blocked until the key has room for it."""
    return State.PENDING if key is None else State.BLOCKED
