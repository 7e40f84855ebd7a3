"""Moments and durations as callers give them: datetimes, seconds, timedeltas."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import overload

from hueycore.system import clock

#: A duration: seconds or a timedelta.
Seconds = float | int | timedelta
#: A datetime, or a duration from now.
When = datetime | Seconds


@overload
def seconds(value: Seconds) -> float: ...
@overload
def seconds(value: None) -> None: ...
def seconds(value: Seconds | None) -> float | None:
    """A duration in seconds."""
    return value.total_seconds() if isinstance(value, timedelta) else value


def posix(eta: datetime | None, delay: Seconds | None) -> float | None:
    """POSIX seconds of an eta or a delay. A naive datetime is local time, as in Huey, whatever
    ``utc`` says; an aware one is itself. Raises ValueError for both, and for an eta that is no
    datetime."""
    if eta is None:
        return None if delay is None else clock.now() + seconds(delay)
    if delay is not None:
        raise ValueError("give eta= or delay=, not both")
    if not isinstance(eta, datetime):
        raise ValueError(f"eta must be a datetime, not {eta!r}")
    return eta.timestamp()


def posix_when(when: When) -> float:
    """POSIX seconds of a datetime, or of a duration from now."""
    return when.timestamp() if isinstance(when, datetime) else clock.now() + seconds(when)
