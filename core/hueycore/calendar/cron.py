"""Cron schedules: five fields, names, time zones. POSIX seconds in and out; no clock is read.

All five cron fields must match, ``day`` and ``day_of_week`` too, as in Huey: ``0 0 13 * fri`` is
Friday the 13th. (Classic cron runs when either of the two matches.)

Clock changes, for a schedule in a zone that has them:

* An hour field that is ``*`` or ``*/n`` follows **real** hours: a minute runs whenever the clock
  shows it, so twice in a repeated hour; what the clock skips does not run and is not made up for.
* Any other hour field names **fixed** local times, each of which runs once. A time that the clock
  skips runs at the first instant after the gap, and all times of one gap share that one run: if
  02:00-03:00 is skipped, 02:15 and 02:45 both become 03:00, which is also the run of a matching
  03:00. A time that the clock shows twice runs at its first showing only.

So ``hour="0-23"`` and ``hour="*"`` differ on two nights a year.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, date, datetime, timedelta, tzinfo
from functools import partial
from itertools import groupby

_MINUTE = timedelta(minutes=1)
_DAY = 86_400
_MONTH_LENGTHS = (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_FIELDS: dict[str, tuple[int, int, list[str]]] = {
    "minute": (0, 59, []),
    "hour": (0, 23, []),
    "day": (1, 31, []),
    "month": (1, 12, _MONTHS),
    "day_of_week": (0, 7, _WEEKDAYS),
}
_NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
# Compiled at their first use: a program that only enqueues declares few crontabs.
_STAR = r"\*(?:/([0-9]+))?"
_RANGE = r"([a-z]+|[0-9]+)(?:-([a-z]+|[0-9]+)(?:/([0-9]+))?)?"


@dataclass(frozen=True, slots=True, repr=False)
class Crontab:
    """What ``crontab()`` returns. Two that match alike are equal, however they were spelled."""

    fields: tuple[tuple[int, ...], ...]  # sorted, in the order of a cron line
    real_hours: bool
    tz: str | None = None

    def __post_init__(self) -> None:
        if self.tz is not None:
            zone_named(self.tz)
        _, _, days, months, _ = self.fields
        if days[0] > max(_MONTH_LENGTHS[month] for month in months):
            raise ValueError(f"crontab {self.expression!r} never matches: no such day of the month")

    def __call__(self, dt: datetime) -> bool:
        """Whether the minute of ``dt`` matches as it reads; an aware one is read in ``tz``."""
        if self.tz is not None and dt.tzinfo is not None:
            dt = dt.astimezone(zone_named(self.tz))
        shown = (dt.minute, dt.hour, dt.day, dt.month, dt.isoweekday() % 7)
        return all(number in field for number, field in zip(shown, self.fields, strict=True))

    def __repr__(self) -> str:
        return f"crontab({self.expression!r}{'' if self.tz is None else f', tz={self.tz!r}'})"

    @property
    def expression(self) -> str:
        """Five fields that ``crontab()`` reads back to an equal schedule."""
        texts = []
        for (name, (low, high, _)), values in zip(_FIELDS.items(), self.fields, strict=True):
            step = values[1] - values[0] if len(values) > 1 else high + 1
            if name == "day_of_week":
                star = len(values) == 7
            elif name == "hour":
                star = self.real_hours
            else:
                star = len(values) > 2 and values == tuple(range(low, high + 1, step))
            texts.append(("*" if step == 1 else f"*/{step}") if star else _ranges(values))
        return " ".join(texts)

    def due(self, when: float) -> bool:
        return True

    def next_after(self, when: float, default_tz: tzinfo | None = None) -> float:
        """The first run strictly later than ``when``, in ``tz``, else ``default_tz``, else UTC."""
        zone = (default_tz or UTC) if self.tz is None else zone_named(self.tz)
        second = math.floor(when)
        aware = datetime.fromtimestamp(second, zone)
        shown = start = aware.replace(tzinfo=None, second=0, fold=0)
        if self.real_hours:
            # A clock that is set back within a day may show times again that are behind it now.
            back = _offset(aware) - _offset(datetime.fromtimestamp(second + _DAY, zone))
            start -= timedelta(seconds=max(back, 0))
        best = math.inf
        for wall in self._walls(start + _MINUTE):
            for instant in _instants(wall, zone, self.real_hours):
                if when < instant < best:
                    best = instant
            if best < math.inf and wall > shown:
                return best
        raise OverflowError(f"{self!r} has no further run up to the year {MAXYEAR}")

    def _walls(self, first: datetime) -> Iterator[datetime]:
        """The matching clock times from the minute of ``first`` on."""
        minutes, hours, *_ = self.fields
        for day in self._days(first.date()):
            at_first = day == first.date()
            for hour in hours[bisect_left(hours, first.hour) if at_first else 0 :]:
                skip = bisect_left(minutes, first.minute) if at_first and hour == first.hour else 0
                for minute in minutes[skip:]:
                    yield datetime(day.year, day.month, day.day, hour, minute)

    def _days(self, first: date) -> Iterator[date]:
        _, _, days, months, weekdays = self.fields
        for year in range(first.year, MAXYEAR + 1):
            leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
            for month in months[bisect_left(months, first.month) if year == first.year else 0 :]:
                length = 28 if month == 2 and not leap else _MONTH_LENGTHS[month]
                for number in days[: bisect_left(days, length + 1)]:
                    day = date(year, month, number)
                    if day >= first and day.isoweekday() % 7 in weekdays:
                        yield day


class _CrontabFactory:
    """The type of ``crontab``: a class, so that type checkers know ``crontab.hourly`` too."""

    def __init__(self) -> None:
        self.hourly = partial(self, minute="0")
        self.daily = partial(self, minute="0", hour="0")

    def __call__(
        self,
        minute: int | str = "*",
        hour: int | str = "*",
        day: int | str = "*",
        month: int | str = "*",
        day_of_week: int | str = "*",
        strict: bool = False,
        tz: str | tzinfo | None = None,
    ) -> Crontab:
        """Make a schedule of five fields, or of one cron line: ``crontab("0 9 * * mon-fri")``.

        A field is a number or comma-separated pieces: ``*``, ``*/n`` (not for ``day_of_week``),
        ``m``, ``m-n``, ``m-n/s``; a range may wrap around (``22-3``, ``fri-mon``). Months and
        weekdays have English names of three letters; Sunday is 0 and 7. A line may also be
        ``@hourly @daily @midnight @weekly @monthly @yearly @annually``.

        As in Huey, a malformed piece beside a good one is ignored unless ``strict``. A cron line is
        always strict: Huey reads none, so no application depends on one that is half understood.
        """
        fields = (minute, hour, day, month, day_of_week)
        if isinstance(minute, str) and (minute.startswith("@") or len(minute.split()) > 1):
            if fields[1:] != ("*",) * 4:
                raise ValueError(f"crontab line {minute!r} leaves no room for further fields")
            fields, strict = split_line(minute), True
        return Crontab(
            tuple(_parse(name, str(f), strict) for name, f in zip(_FIELDS, fields, strict=True)),
            real_hours=re.fullmatch(_STAR, str(fields[1])) is not None,
            tz=None if tz is None else str(tz),
        )


crontab = _CrontabFactory()


def zone_named(name: str) -> tzinfo:
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(
            f"{name!r} is no time zone that this machine knows (pip install tzdata adds them all)"
        ) from None


def _offset(aware: datetime) -> float:
    return (aware.utcoffset() or timedelta()).total_seconds()


def _instants(wall: datetime, zone: tzinfo, real_hours: bool) -> tuple[float, ...]:
    """The POSIX times at which a clock time runs, by the rule at the top of this module."""
    # In a gap fold=0 takes the offset from before it and fold=1 the one from after it (PEP 495), so
    # the order of the two tells a gap from a repetition.
    before = _offset(wall.replace(tzinfo=zone))
    after = _offset(wall.replace(tzinfo=zone, fold=1))
    as_utc = wall.replace(tzinfo=UTC).timestamp()
    if before > after and real_hours:
        return (as_utc - before, as_utc - after)
    if before >= after:
        return (as_utc - before,)
    if real_hours:
        return ()
    seconds = range(int(as_utc - after), int(as_utc - before))
    end = bisect_left(
        seconds, True, key=lambda s: _offset(datetime.fromtimestamp(s, zone)) != before
    )
    return (float(seconds.start + end),)


def split_line(line: str) -> tuple[str, str, str, str, str]:
    text = line.strip()
    if text.startswith("@") and text.lower() not in _NICKNAMES:
        raise ValueError(f"crontab line {line!r} is none of {', '.join(_NICKNAMES)}")
    fields = _NICKNAMES.get(text.lower(), text).split()
    if len(fields) != 5:
        names = " ".join(_FIELDS)
        raise ValueError(f"crontab line {line!r} has {len(fields)} fields, not the five {names}")
    minute, hour, day, month, day_of_week = fields
    return minute, hour, day, month, day_of_week


def _parse(field: str, value: str, strict: bool) -> tuple[int, ...]:
    found: set[int] = set()
    malformed = []
    for piece in value.split(","):
        numbers = _numbers(field, piece)
        found.update(numbers)
        if not numbers:
            malformed.append(piece)
    if malformed and (strict or not found):
        names = _FIELDS[field][2]
        raise ValueError(
            f"crontab {field}: {malformed[0]!r} is none of *, */n, m, m-n, m-n/s"
            + (f" with numbers or {' '.join(names)}" if names else "")
        )
    return tuple(sorted(found))


def _numbers(field: str, piece: str) -> list[int]:
    """The values that one piece stands for; none if it is malformed."""
    low, high, names = _FIELDS[field]
    weekly = field == "day_of_week"
    if star := re.fullmatch(_STAR, piece):
        if star[1] and weekly:
            raise ValueError(f"crontab {field}: {piece!r} is not possible, list the days instead")
        first, last, step = low, high, int(star[1] or 1)
    elif match := re.fullmatch(_RANGE, piece.lower()):
        ends = [
            names.index(end) + low if end in names else end for end in match.groups()[:2] if end
        ]
        if not all(str(end).isdecimal() for end in ends):
            return []
        first, last, step = int(ends[0]), int(ends[-1]), int(match[3] or 1)
    else:
        return []
    if not (low <= first <= high and low <= last <= high):
        raise ValueError(f"crontab {field}: {piece!r} is not within {low} and {high}")
    if step == 0:
        raise ValueError(f"crontab {field}: {piece!r} has a step of zero")
    if first <= last:
        values = list(range(first, last + 1))
    else:
        values = [*range(first, 7 if weekly else high + 1), *range(low, last + 1)]
    return [value % 7 if weekly else value for value in values[::step]]


def _ranges(values: tuple[int, ...]) -> str:
    texts = []
    for _, group in groupby(enumerate(values), key=lambda pair: pair[1] - pair[0]):
        run = [value for _, value in group]
        texts.append(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}")
    return ",".join(texts)
