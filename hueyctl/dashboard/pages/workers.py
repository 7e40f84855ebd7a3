"""``/workers``: consumers, and what each of their workers runs."""

from __future__ import annotations

from hueyctl.answers.workers import consumers
from hueyctl.dashboard.page import Page, Table, View, steady
from hueyctl.output.workers import NORMAL, columns, rows_of


def page(view: View) -> Page:
    now = steady()
    found = consumers(view.storage, view.queues)
    rows = [row for consumer in found for row in rows_of(consumer)]
    return Page(
        "workers.html",
        "Workers",
        ("workers",),
        {
            "now": now,
            "consumers": found,
            "alive": sum(one.row.alive for one in found),
            "slots": sum(one.row.slots for one in found if one.row.alive),
            "busy": sum(len(one.runs) for one in found),
        },
        lambda: [one.as_object(now) for one in found],
        lambda: Table(rows, columns(now), NORMAL),
        place="workers",
    )
