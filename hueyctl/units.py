"""Durations and points in time: as people type them, and as they are shown."""

from __future__ import annotations

import math
import re
import time
from datetime import UTC, datetime, timedelta

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PART = re.compile(r"(\d+(?:\.\d+)?|\.\d+)(ms|s|m|h|d|w)")
_DURATION = re.compile(rf"(?:{_PART.pattern})+")
_CLOCK = re.compile(r"(?:(today|tomorrow)\s+)?(\d{1,2}):(\d{2})(?::(\d{2}))?")
_LONGEST = 100 * 366 * 86400.0

EXAMPLE_DURATIONS = "90, 90s, 5m, 2h30m or 7d"
EXAMPLE_TIMES = "+5m, 2030-01-31T12:00, 18:30 or tomorrow 09:00"


def parse_duration(text: str) -> float:
    """Seconds of ``90``, ``90s``, ``5m``, ``2h30m`` or ``7d``. Raises ValueError."""
    plain = text.strip().lower()
    if re.fullmatch(r"\d+(\.\d*)?|\.\d+", plain):
        seconds = float(plain)
    elif _DURATION.fullmatch(plain):
        seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(plain))
    else:
        raise ValueError(f"{text!r} is not a duration (like {EXAMPLE_DURATIONS})")
    if seconds > _LONGEST:
        raise ValueError(f"{text!r} is longer than a hundred years")
    return seconds


def parse_when(text: str, *, utc: bool = False, now: float | None = None) -> float:
    """POSIX seconds of a WHEN. Times without an offset are local, or UTC with ``utc``.

    A bare duration lies in the future, as ``+5m`` does; ``-5m`` is in the past. Raises ValueError.
    """
    now = time.time() if now is None else now
    plain = text.strip()
    if plain.lower() == "now":
        return now
    sign = -1.0 if plain.startswith("-") else 1.0
    try:
        return now + sign * parse_duration(plain.removeprefix("+" if sign > 0 else "-"))
    except ValueError:
        pass
    zone = UTC if utc else None
    if clock := _CLOCK.fullmatch(plain.lower()):
        return _clock_time(clock, datetime.fromtimestamp(now, zone))
    if plain.lower() in ("today", "tomorrow"):
        start = datetime.fromtimestamp(now, zone).replace(hour=0, minute=0, second=0, microsecond=0)
        return (start + timedelta(days=plain.lower() == "tomorrow")).timestamp()
    try:
        moment = datetime.fromisoformat(plain)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp()
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"{text!r} is not a time (like {EXAMPLE_TIMES})") from None


def parse_ahead(text: str) -> float | None:
    """The seconds of a WHEN that is a duration from now on, None of any other."""
    try:
        return parse_duration(text.strip().removeprefix("+"))
    except ValueError:
        return None


def _clock_time(clock: re.Match[str], now: datetime) -> float:
    """``HH:MM`` is its next occurrence, with a day word it is that day's."""
    day, hour, minute, second = clock.groups()
    try:
        moment = now.replace(
            hour=int(hour), minute=int(minute), second=int(second or 0), microsecond=0
        )
    except ValueError:
        raise ValueError(f"{clock.group(0)!r} is not a time of day") from None
    if day == "tomorrow" or (day is None and moment <= now):
        moment += timedelta(days=1)
    return moment.timestamp()


def brief(seconds: float) -> str:
    """A duration for people, two units at most: ``41s``, ``2h 05m``, ``3d 4h``. Less than nothing,
    since a moment that a clock which was set back has not reached yet, is ``0s``."""
    if not math.isfinite(seconds):
        return str(seconds)  # somebody wrote it into the row
    whole = int(seconds)
    if whole < 1:
        return f"{seconds * 1000:.0f}ms" if seconds >= 0.001 else "0s"
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s" if whole < 600 else f"{whole // 60}m"
    if whole < 86400:
        return f"{whole // 3600}h {whole % 3600 // 60:02d}m"
    if whole < 10 * 86400:
        return f"{whole // 86400}d {whole % 86400 // 3600}h"
    return f"{whole // 86400}d"


def grouped(number: int) -> str:
    """A count for people: ``12,400``."""
    return f"{number:,}"


def counted(number: int, what: str) -> str:
    """``1 job``, ``812 jobs``, ``12,400 jobs``."""
    return f"{grouped(number)} {what}{'' if number == 1 else 's'}"


def size(number: float) -> str:
    """Bytes for people: ``3.4 KB``, ``622 KB``."""
    for unit in ("B", "KB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" or number >= 10 else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"


def relative(moment: float, now: float) -> str:
    """``3m ago``, ``in 2h 05m`` or ``now``."""
    away = moment - now
    if abs(away) < 1:
        return "now"
    return f"in {brief(away)}" if away > 0 else f"{brief(-away)} ago"


def clock(moment: float, now: float) -> str:
    """Local time: ``19:20:03``, with its date on another day than that of ``now``."""
    try:
        text = datetime.fromtimestamp(moment).isoformat(" ", "seconds")
    except (ValueError, OverflowError, OSError):
        return str(moment)
    today = datetime.fromtimestamp(now).isoformat(" ", "seconds").partition(" ")[0]
    return text.removeprefix(f"{today} ")


def rfc3339(moment: float) -> str:
    """UTC with milliseconds, as in every machine format."""
    return _utc(moment, "milliseconds")


def precise(moment: float) -> str:
    """UTC with microseconds, and one digit more where the number needs it, for files that are read
    again."""
    text = _utc(moment, "microseconds")
    if not text.endswith("Z") or moment < 0 or round(moment, 6) == moment:
        return text
    whole, _, digits = f"{moment:.7f}".partition(".")
    return f"{_utc(int(whole), 'seconds')[:-1]}.{digits}Z"


def from_precise(text: str) -> float:
    """The number again. Raises ``ValueError``, ``OverflowError``, ``OSError``."""
    whole, _, digits = text.partition(".")
    if text.endswith("Z") and len(digits) > 7:
        moment = datetime.fromisoformat(whole).replace(tzinfo=UTC)
        return float(f"{int(moment.timestamp())}.{digits[:-1]}")
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _utc(moment: float, timespec: str) -> str:
    try:
        text = datetime.fromtimestamp(moment, UTC).isoformat(timespec=timespec)
    except (ValueError, OverflowError, OSError):
        return str(moment)
    return text.replace("+00:00", "Z")
