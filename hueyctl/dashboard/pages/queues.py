"""``/queues/Q``: one queue: its rates, its tasks, what runs, its newest jobs, who serves it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hueycore.model.jobs import Selector
from hueyctl.answers import stats
from hueyctl.dashboard import charts
from hueyctl.dashboard.look import WINDOWS
from hueyctl.dashboard.page import Missing, Page, Table, View
from hueyctl.dashboard.pages.overview import worst
from hueyctl.output.figures import TABLES, Reader

if TYPE_CHECKING:
    from hueyctl.answers.figures import Figures

#: Rows of each table.
_MOST = 20


def page(view: View) -> Page:
    """One queue."""
    seen, name = view.seen(), view.rest
    figures = seen.status.figures
    queue = next((row for row in figures.queues if row.name == name), None)
    if queue is None:
        raise Missing(f"There is no queue {name}")
    mine = narrowed(figures, name)
    row = next(row for row in view.storage.queues() if row.queue == name)
    return Page(
        "queue.html",
        f"Queue {name}",
        ("stats", "--queue", name, "--window", view.window),
        {
            "at": seen.at,
            "queue": queue,
            "row": row,
            "windows": list(WINDOWS),
            "series": seen.queues.get(name),
            "charts": charts,
            "tasks": worst(mine.tasks)[:_MOST],
            "small": seen.tasks,
            "running": [run for run in seen.status.runs if run.job.queue == name][:_MOST],
            "hosts": [host for host in seen.hosts if host.queue == name],
            "newest": view.storage.newest(Selector(queues=(name,), limit=_MOST)).jobs,
            "acts": [act for act in seen.acts if act.queue == name],
        },
        lambda: stats.document(narrowed(view.figures(), name)),
        lambda: _table(mine),
        place="overview",
    )


def narrowed(figures: Figures, queue: str) -> Figures:
    """Those of one queue."""
    row = next(row for row in figures.queues if row.name == queue)
    return figures._replace(
        totals=row._replace(name="*"),
        queues=[row],
        tasks=[task for task in figures.tasks if task.queue == queue],
        consumers=[one for one in figures.consumers if one.queue == queue],
    )


def _table(figures: Figures) -> Table:
    queues = TABLES["queue"]
    known = queues.columns(Reader(human=False, now=figures.at))
    return Table(queues.rows(figures), known, queues.normal)
