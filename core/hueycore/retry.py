"""What follows a failed attempt: pure arithmetic."""

from __future__ import annotations

#: Seconds between two looks for a task that is not registered here (a rolling deploy may be under
#: way): 1, 2, 4 … 60. After the last one, ten minutes in all, the job is dead.
UNKNOWN_TASK_TRIES = 15


def unknown_task_delay(tries: int) -> float | None:
    """Seconds until try ``tries`` + 1, None when it is time to give up."""
    if tries >= UNKNOWN_TASK_TRIES:
        return None
    return float(min(60, 2**tries))


def next_delay(delay: float, backoff: float) -> float:
    """The delay of the retry after the next, seconds (Huey: multiplied, when there is both)."""
    return delay * backoff if backoff else delay
