"""A job as the JSON object ``hueyctl.job/1``, and the numbers that are derived from its row."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hueycore.model.states import WAITING
from hueyctl.answers.payloads import Arguments, decode_arguments
from hueyctl.units import rfc3339

if TYPE_CHECKING:
    from hueycore.model.jobs import Job
    from hueycore.storage.base import Storage

#: The columns of a job that a user can mean, by kind.
COLUMNS: dict[str, str] = {
    "seq": "int",
    "id": "text",
    "queue": "text",
    "task": "text",
    "state": "text",
    "reason": "text",
    "priority": "number",
    "run_at": "time",
    "enqueued_at": "time",
    "started_at": "time",
    "finished_at": "time",
    "expires_at": "time",
    "scheduled_for": "time",
    "attempt": "int",
    "retries": "int",
    "retry_delay": "number",
    "retry_backoff": "number",
    "timeout": "number",
    "crashes": "int",
    "max_crashes": "int",
    "at_most_once": "bool",
    "result_ttl": "number",
    "worker": "int",
    "claimed_at": "time",
    "cancel_requested": "bool",
    "key_name": "text",
    "unique_key": "text",
    "unique_until": "text",
    "next": "int",
    "waits": "int",
    "taken": "bool",
    "progress": "text",
}


def plain_number(value: float) -> float | int | str:
    """A number without a needless ``.0``; JSON has no infinity, so that it becomes a word."""
    if not math.isfinite(value):
        return str(value)
    return int(value) if value == int(value) else value


def wait_s(job: Job, now: float) -> float | None:
    """How long it has been, or was, ready before its last run began."""
    if job.state == "scheduled":
        return None
    until = job.started_at
    if until is None or job.state in WAITING:
        until = job.finished_at or now
    return round(max(0.0, until - job.run_at), 6)


def run_s(job: Job, now: float) -> float | None:
    """How long its last run took, or has taken so far."""
    if job.started_at is None or job.state in WAITING:
        return None
    return round(max(0.0, (job.finished_at or now) - job.started_at), 6)


def error_text(error: dict[str, Any]) -> str:
    """One error of a job as text."""
    return f"{error.get('type')}: {error.get('message')}"


def last_error(job: Job) -> dict[str, Any] | None:
    """The newest error: type, message, traceback, at."""
    if not job.errors:
        return None
    error = job.errors[-1]
    at = error.get("at")
    return {
        "type": error.get("type"),
        "message": error.get("message"),
        "traceback": error.get("traceback"),
        "at": rfc3339(at) if isinstance(at, (int, float)) else None,
    }


def as_object(
    job: Job,
    arguments: Arguments | None,
    now: float,
    moment: Callable[[float], str] = rfc3339,
) -> dict[str, Any]:
    """``hueyctl.job/1``: every key is always there. ``moment`` writes its columns of time."""
    found: dict[str, Any] = {}
    for name, kind in COLUMNS.items():
        value = getattr(job, name)
        if value is not None and kind == "time":
            value = moment(value)
        elif value is not None and kind == "number":
            value = plain_number(value)
        elif name == "state":
            value = str(value)
        found[name] = value
        if name == "reason":
            found["args"] = arguments.args if arguments else None
            found["kwargs"] = arguments.kwargs if arguments else None
            found["args_repr"] = None if arguments else job.preview
    found["wait_s"] = wait_s(job, now)
    found["run_s"] = run_s(job, now)
    found["error"] = last_error(job)
    return found


def read_object(storage: Storage, job: Job, now: float) -> dict[str, Any]:
    """``as_object`` with the payload decoded as far as that is safe."""
    return as_object(job, decode_arguments(storage.payloads([job])[0]), now)
