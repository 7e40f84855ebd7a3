"""``/periodic``: schedules, when they fire, and what keeps them from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hueyctl.answers import schedules
from hueyctl.dashboard.calendar import calendar, changes
from hueyctl.dashboard.page import Page, Table, View, steady
from hueyctl.output import periodic

if TYPE_CHECKING:
    from hueycore.model.schedules import Periodic
    from hueyctl.answers.reason import Answer

#: What the calendar shows, seconds; and how far ahead a change of the clock is told.
SPANS = {"24h": 86400.0, "7d": 604800.0}
_YEAR = 366 * 86400.0
#: Lines of the calendar.
_LINES = 60


def page(view: View) -> Page:
    now = steady()
    span = view.word("span") if view.word("span") in SPANS else "24h"
    rows = [
        row
        for row in view.storage.periodic(whole=True)
        if not view.queues or row.queue in view.queues
    ]
    lines = periodic.with_states(lambda: view.storage, rows)
    zones = {row.tz for row in rows if row.tz}
    turns = changes(zones, now, _YEAR)
    soonest = sorted(rows, key=lambda row: (row.paused_at is not None, row.next_run, row.name))
    return Page(
        "periodic.html",
        "Periodic tasks",
        ("periodic", "list"),
        {
            "lines": sorted(lines, key=lambda line: soonest.index(line.row)),
            "late": late(view, rows, now),
            "span": span,
            "spans": list(SPANS),
            "plan": calendar(soonest[:_LINES], now, SPANS[span], turns, view.zone),
            "turns": turns[:4],
            "left_out": max(0, len(rows) - _LINES),
        },
        lambda: [line.as_object() for line in lines],
        lambda: Table(lines, periodic.columns(), periodic.NORMAL),
        place="periodic",
    )


def late(view: View, rows: list[Periodic], now: float) -> list[tuple[Periodic, Answer]]:
    """Those that should have fired and did not, and what keeps them from it."""
    due = [row for row in rows if row.paused_at is None and row.next_run < now - schedules.LATE]
    return [(row, schedules.explain(view.storage, row, now)) for row in due]
