"""When periodic tasks fire."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import takewhile
from typing import TYPE_CHECKING, Any, NamedTuple

from hueyctl.units import rfc3339

if TYPE_CHECKING:
    from hueycore.calendar.schedule import Schedule
    from hueycore.model.schedules import Periodic


class Firing(NamedTuple):
    at: float
    row: Periodic

    def as_object(self) -> dict[str, Any]:
        row = self.row
        return {
            "at": rfc3339(self.at),
            "name": row.name,
            "task": row.task,
            "queue": row.queue,
            "schedule": row.schedule,
            "tz": row.tz,
        }


def firings(row: Periodic, schedule: Schedule, now: float) -> Iterator[Firing]:
    """The coming runs of a schedule, soonest first, without end."""
    # Until a consumer looks, what is due stands there as next; it is not coming any more.
    at = row.next_run if row.next_run > now else schedule.next_after(now)
    while True:
        yield Firing(at, row)
        try:
            at = schedule.next_after(at)
        except OverflowError:  # the end of the calendar
            return


def in_order(runs: Iterable[Iterator[Firing]]) -> Iterator[Firing]:
    """Those of several schedules, soonest first."""
    return merge(*runs, key=lambda firing: firing.at)


def coming(rows: Iterable[Periodic], now: float, end: float) -> Iterator[Firing]:
    """What fires until ``end``. Of a schedule that only its application can read, the next run is
    known and no other; what is paused does not fire."""
    from hueycore.calendar.schedule import read_back

    runs = []
    for row in rows:
        schedule = read_back(row.schedule, row.tz)
        if row.paused_at is not None:
            continue
        if schedule is not None:
            runs.append(firings(row, schedule, now))
        elif row.next_run > now:
            runs.append(iter([Firing(row.next_run, row)]))
    return takewhile(lambda firing: firing.at <= end, in_order(runs))
