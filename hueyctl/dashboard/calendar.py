"""When schedules fire, as marks on a line of time, with the nights on which the clock changes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

if TYPE_CHECKING:
    from hueycore.model.schedules import Periodic

#: More runs than these are a band, and nobody counts them: marks would touch each other.
_MARKS = 60
_WIDTH, _LEFT, _RIGHT, _LINE, _TOP = 1000, 190, 14, 26, 18


class Change(NamedTuple):
    """The clock of a zone goes on or back, by so many seconds."""

    at: float
    zone: str
    by_s: float


class Mark(NamedTuple):
    x: float
    at: float


class Row(NamedTuple):
    """``band``: from where on it fires too often to be drawn one by one, ``number`` times or more.
    ``late``: where it should have fired and did not."""

    y: float
    row: Periodic
    marks: list[Mark]
    band: tuple[float, float] | None
    number: int
    late: float | None


class Calendar(NamedTuple):
    width: int
    height: int
    left: int
    rows: list[Row]
    ticks: list[Mark]
    turns: list[tuple[float, Change]]
    now: float


def calendar(
    rows: Sequence[Periodic],
    now: float,
    ahead: float,
    changes: Iterable[Change],
    zone: tzinfo | None = None,
) -> Calendar:
    """The runs of so many seconds, a line for each schedule."""
    room = _WIDTH - _LEFT - _RIGHT

    def x(at: float) -> float:
        return round(_LEFT + (at - now) / ahead * room, 1)

    lines = []
    for place, row in enumerate(rows):
        times = _times(row, now, now + ahead)
        is_late = row.paused_at is None and row.next_run < now
        marks = [Mark(x(at), at) for at in times] if len(times) <= _MARKS else []
        band = (x(times[0]), x(now + ahead)) if len(times) > _MARKS else None
        y = float(_TOP + _LINE * place + _LINE / 2)
        lines.append(Row(y, row, marks, band, len(times), float(_LEFT) - 8 if is_late else None))
    ticks = [Mark(x(at), at) for at in _rounds(now, ahead, zone)]
    turns = [(x(change.at), change) for change in changes if now < change.at < now + ahead]
    return Calendar(_WIDTH, _TOP + _LINE * len(rows) + 24, _LEFT, lines, ticks, turns, now)


def _times(row: Periodic, now: float, until: float) -> list[float]:
    from hueyctl.answers.firings import coming

    return [firing.at for firing in islice(coming([row], now, until), _MARKS + 1)]


def _rounds(now: float, ahead: float, zone: tzinfo | None) -> Iterator[float]:
    """Every third hour of a day, or every midnight of more, as the clock of the zone shows it."""
    at = datetime.fromtimestamp(now, UTC).astimezone(zone)
    hours = 3 if ahead <= 86400 else 24
    first = at.replace(minute=0, second=0, microsecond=0)
    first -= timedelta(hours=first.hour % hours)
    for step in range(1, math.ceil(ahead / 3600 / hours) + 1):
        # Wall time: where the clock changes the hours between are not as long.
        moment = (first.replace(tzinfo=None) + timedelta(hours=hours * step)).replace(
            tzinfo=at.tzinfo if zone is None else zone
        )
        if now + ahead / 20 < moment.timestamp() <= now + ahead:  # the first mark is now
            yield moment.timestamp()


def changes(zones: Iterable[str], now: float, ahead: float) -> list[Change]:
    """When the clocks of these zones change within so many seconds, the soonest first."""
    found: list[Change] = []
    for name in sorted({*zones}):
        try:
            zone = ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue
        found += _changes_of(name, zone, now, now + ahead)
    return sorted(found)


def _changes_of(name: str, zone: ZoneInfo, now: float, until: float) -> Iterator[Change]:
    at, before = now, _offset(zone, now)
    while at < until:
        later = min(until, at + 86400.0)
        after = _offset(zone, later)
        if after != before:
            low, high = at, later
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if _offset(zone, middle) == before else (low, middle)
            yield Change(high, name, after - before)
        at, before = later, after


def _offset(zone: ZoneInfo, at: float) -> float:
    found = datetime.fromtimestamp(at, zone).utcoffset()
    return 0.0 if found is None else found.total_seconds()
