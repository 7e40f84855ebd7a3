"""What follows a failed attempt: pure arithmetic."""

from __future__ import annotations

#: Seconds that a job waits for a process that knows its task (a rolling deploy may be under way).
UNKNOWN_TASK_PATIENCE = 600.0
#: The error that a row keeps of its first look without a task; the last one is ``UnknownTask``.
NOT_FOUND = "TaskNotFound"


def unknown_task_delay(waited: float) -> float:
    """Seconds until the next look, after ``waited`` seconds: 1, 2, 4 … 60."""
    return min(60.0, max(0.0, waited) + 1)


def next_delay(delay: float, backoff: float) -> float:
    """The delay of the retry after the next, seconds (Huey: multiplied, when there is both)."""
    return delay * backoff if backoff else delay
