"""Moments and durations as callers give them: datetimes, seconds, timedeltas."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import inf
from typing import Any, overload

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


def number(name: str, value: Any, least: float = -inf) -> float:
    """An option as the number that it has to be. Raises ValueError."""
    if isinstance(value, int | float) and value >= least:  # NaN is not
        return value
    kind = "a number" if least == -inf else f"a number from {least:g}"
    raise ValueError(f"{name}={value!r}: use {kind}")


def whole(name: str, value: Any) -> int:
    """The same of a count. Raises ValueError."""
    if isinstance(value, int) and value >= 0:
        return value
    raise ValueError(f"{name}={value!r}: use a whole number from 0")


def check_expires(when: When | None) -> None:
    """Raises ValueError for what is neither a moment nor a duration."""
    if not (when is None or isinstance(when, datetime)):
        number("expires", seconds(when))


def posix(eta: datetime | None, delay: Seconds | None) -> float | None:
    """POSIX seconds of an eta or a delay. A naive datetime is local time, as in Huey, whatever
    ``utc`` says; an aware one is itself. Raises ValueError for both, for an eta that is no datetime
    and a delay that is no time."""
    if eta is None:
        if delay is None:
            return None
        if number("delay", seconds(delay)) == inf:
            raise ValueError("delay=inf: it would never run")
        return clock.now() + seconds(delay)
    if delay is not None:
        raise ValueError("give eta= or delay=, not both")
    if not isinstance(eta, datetime):
        raise ValueError(f"eta must be a datetime, not {eta!r}")
    return eta.timestamp()


def posix_of(moment: datetime, utc: bool) -> float:
    """POSIX seconds of a datetime; a naive one is in UTC or in local time, as ``utc`` says."""
    if moment.tzinfo is None and utc:
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp()


def posix_when(when: When, name: str = "expires", since: float | None = None) -> float:
    """POSIX seconds of a datetime, or of a duration from ``since``, by default now. Raises
    ValueError."""
    if isinstance(when, datetime):
        return when.timestamp()
    return (clock.now() if since is None else since) + number(name, seconds(when))
