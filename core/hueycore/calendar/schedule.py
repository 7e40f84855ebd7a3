"""When a periodic task runs: a cron line, an elapsed period, or a function that is asked."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Protocol, runtime_checkable

from hueycore.calendar.cron import Crontab, crontab, split_line, zone_named

__all__ = ["CallableSchedule", "Crontab", "Every", "Schedule", "as_schedule", "crontab", "every"]

_MICROSECONDS = 1_000_000
_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_DURATION = "".join(rf"(?:([0-9]+(?:\.[0-9]+)?){unit})?" for unit in _UNITS)
#: A period that needs no "every" before it: a number alone might be meant as a minute.
_PERIOD = r"[0-9.]+[dhms][0-9.dhms]*"


@runtime_checkable
class Schedule(Protocol):
    """What the scheduler needs: the next planned time, and whether that time really runs."""

    @property
    def expression(self) -> str: ...
    @property
    def tz(self) -> str | None: ...
    def next_after(self, when: float, default_tz: tzinfo | None = None) -> float: ...
    def due(self, when: float) -> bool: ...


@dataclass(frozen=True, slots=True, repr=False)
class Every:
    """What ``every()`` returns. It runs at the multiples of the period since the epoch."""

    microseconds: int

    def __post_init__(self) -> None:
        if self.microseconds < _MICROSECONDS // 10:
            raise ValueError(f"every(): {self.microseconds / _MICROSECONDS} s is less than 0.1 s")

    def __call__(self, dt: datetime) -> bool:
        """Whether a run falls into the minute of ``dt``; a naive one is UTC."""
        aware = dt if dt.tzinfo is not None else dt.replace(tzinfo=UTC)
        minute = math.floor(aware.timestamp() / 60) * 60 * _MICROSECONDS
        return -minute % self.microseconds < 60 * _MICROSECONDS

    def __repr__(self) -> str:
        return f"every({self.expression.removeprefix('every ')!r})"

    @property
    def expression(self) -> str:
        for unit, seconds in _UNITS.items():
            if self.microseconds % (seconds * _MICROSECONDS) == 0:
                return f"every {self.microseconds // (seconds * _MICROSECONDS)}{unit}"
        return f"every {self.microseconds / _MICROSECONDS:.6f}".rstrip("0") + "s"

    @property
    def tz(self) -> None:
        return None

    def due(self, when: float) -> bool:
        return True

    def next_after(self, when: float, default_tz: tzinfo | None = None) -> float:
        """The first multiple of the period that is strictly later than ``when``."""
        # Counted in whole microseconds: a run time that went through a float must not run twice.
        count = round(when * _MICROSECONDS) // self.microseconds
        while (instant := count * self.microseconds / _MICROSECONDS) <= when:
            count += 1
        return instant

    def furthest(self, when: float) -> float:
        """How far away from ``when`` the next run can be: at the multiple that is nearest to one
        period from then. A clock that was set back by less than half a period repeats none."""
        return self.next_after(when + self.microseconds / _MICROSECONDS / 2)


def every(period: str | float | timedelta) -> Every:
    """Make a schedule of elapsed time: ``"90s"``, ``"2h30m"``, ``"1d"``, seconds or timedelta."""
    if isinstance(period, timedelta):
        return Every(round(period / timedelta(microseconds=1)))
    if isinstance(period, str):
        bare = period.replace(".", "", 1).isdecimal()
        match = re.fullmatch(_DURATION, f"{period}s" if bare else period)
        if match is None or not any(match.groups()):
            raise ValueError(f"every(): {period!r} is not a duration such as 90s, 5m, 2h30m or 1d")
        numbers = [float(number or 0) for number in match.groups()]
        seconds = sum(n * size for n, size in zip(numbers, _UNITS.values(), strict=True))
    else:
        seconds = period
    if not math.isfinite(seconds):
        raise ValueError(f"every(): {period!r} is not a finite time")
    return Every(round(seconds * _MICROSECONDS))


@dataclass(frozen=True, slots=True)
class CallableSchedule:
    """Huey's ``lambda dt: bool``, asked once a minute with a naive datetime.

    That is the time in ``tz`` if it is given, else UTC, or the machine's local time if not ``utc``.
    """

    function: Callable[[datetime], object]
    tz: str | None = None
    utc: bool = True

    def __post_init__(self) -> None:
        if self.tz is not None:
            zone_named(self.tz)

    def __call__(self, dt: datetime) -> bool:
        return bool(self.function(dt))

    @property
    def expression(self) -> str:
        """For people only: no text can be read back to a function."""
        name = getattr(self.function, "__qualname__", type(self.function).__qualname__)
        return f"callable {self.function.__module__}.{name}"

    def due(self, when: float) -> bool:
        zone = zone_named(self.tz) if self.tz is not None else UTC if self.utc else None
        minute = datetime.fromtimestamp(math.floor(when), zone).replace(second=0, tzinfo=None)
        return self(minute)

    def next_after(self, when: float, default_tz: tzinfo | None = None) -> float:
        """The next whole minute; ``due()`` says whether it runs."""
        return float((math.floor(when / 60) + 1) * 60)


def as_schedule(obj: object, tz: str | tzinfo | None = None, utc: bool = True) -> Schedule:
    """Make a schedule of whatever a user may pass, or of a stored ``expression``.

    A text is a cron line, or a period with its unit: ``"90s"``, ``"every 2h30m"``. ``tz`` is for a
    cron line, a function and a crontab that names no zone, ``utc`` for a function; every other
    ready schedule keeps its own.
    """
    if isinstance(obj, Crontab) and obj.tz is None and tz is not None:
        return replace(obj, tz=str(tz))
    if isinstance(obj, Schedule):
        return obj
    if isinstance(obj, str) and obj.startswith("every "):
        return every(obj.removeprefix("every ").strip())
    if isinstance(obj, str) and re.fullmatch(_PERIOD, obj):
        return every(obj)
    if isinstance(obj, str):
        return crontab(*split_line(obj), strict=True, tz=tz)
    if isinstance(obj, timedelta):
        return every(obj)
    if callable(obj):
        return CallableSchedule(obj, None if tz is None else str(tz), utc)
    raise TypeError(f"a schedule is a crontab(), every(), cron line or function, not {obj!r}")


def fires_in(schedule: Schedule, minute: float, default_tz: tzinfo | None) -> bool:
    """Whether a run falls into the minute that begins at ``minute``, POSIX seconds."""
    coming = schedule.next_after(minute - 0.001, default_tz)
    return coming < minute + 60 and schedule.due(minute)


def read_back(expression: str, tz: str | None) -> Schedule | None:
    """The schedule of a stored text; None for one without such a text, as a function."""
    try:
        return as_schedule(expression, tz)
    except ValueError:
        return None


def same_when_read_back(schedule: Schedule) -> bool:
    """Whether the text of a schedule says all of it, so that it can be stored."""
    return read_back(schedule.expression, schedule.tz) == schedule
