"""When a schedule runs, by code that shares nothing with it: each minute is looked at."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from hueycore.calendar.schedule import Schedule

Face = tuple[int, int, int, int, int]

BOUNDS = {
    "minute": (0, 59),
    "hour": (0, 23),
    "day": (1, 31),
    "month": (1, 12),
    "day_of_week": (0, 6),
}


def members(field: str, text: str) -> set[int]:
    """The values of a well-formed field, found by walking the clock face one value at a time."""
    low, high = BOUNDS[field]
    values: set[int] = set()
    for piece in text.split(","):
        span, _, step = piece.partition("/")
        if span == "*":
            values |= {v for v in range(low, high + 1) if (v - low) % int(step or 1) == 0}
            continue
        first, _, last = span.partition("-")
        here, end = int(first), int(last or first)
        if field == "day_of_week" and here == 7 and end < 7:
            here = 0
        walked = [here]
        while here != end:
            here = here + 1 if here < max(high, end) else low
            walked.append(here)
        for index, value in enumerate(walked):
            if index % int(step or 1) == 0:
                values.add(value % 7 if field == "day_of_week" else value)
    return values


def face(dt: datetime) -> Face:
    """What a clock and a calendar on the wall show, in the order of the cron fields."""
    return (dt.minute, dt.hour, dt.day, dt.month, (dt.weekday() + 1) % 7)


def matches(fields: list[set[int]], shown: Face) -> bool:
    return all(number in field for number, field in zip(shown, fields, strict=True))


class Minute(NamedTuple):
    at: int
    shown: Face
    shown_before: bool
    skipped: list[Face]  # what the clock jumped over to get here


@cache
def minutes_around(zone: str, middle: datetime, hours: int) -> list[Minute]:
    """Every real minute of a stretch of time, with what a clock in the zone does in it."""
    result: list[Minute] = []
    seen: set[datetime] = set()
    previous: datetime | None = None
    start = int(middle.timestamp()) - hours * 3600
    for at in range(start, start + hours * 7200, 60):
        wall = (
            datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)
        )
        skipped: list[Face] = []
        while previous is not None and previous + timedelta(minutes=1) < wall:
            previous += timedelta(minutes=1)
            skipped.append(face(previous))
        result.append(Minute(at, face(wall), wall in seen, skipped))
        seen.add(wall)
        previous = wall
    return result


def scan(minutes: list[Minute], texts: list[str]) -> list[float]:
    """The runs of a cron line, by looking at each minute: DESIGN §4.9 in plain words."""
    fields = [members(name, text) for name, text in zip(BOUNDS, texts, strict=True)]
    if re.fullmatch(r"\*(/\d+)?", texts[1]):
        return [float(m.at) for m in minutes if matches(fields, m.shown)]
    return [
        float(m.at)
        for m in minutes
        if (matches(fields, m.shown) and not m.shown_before)
        or any(matches(fields, jumped) for jumped in m.skipped)
    ]


def runs(schedule: Schedule, after: float, until: float) -> Iterator[float]:
    while (after := schedule.next_after(after)) <= until:
        yield after


def posix(text: str, zone: str = "UTC", fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()
