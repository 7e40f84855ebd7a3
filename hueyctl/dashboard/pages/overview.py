"""``/``: how things stand, and what wants a look."""

from __future__ import annotations

from hueyctl.answers import stats
from hueyctl.dashboard.look import WINDOWS
from hueyctl.dashboard.page import Page, Table, View
from hueyctl.output.figures import TABLES, Reader


def page(view: View) -> Page:
    seen = view.seen()
    status = seen.status
    figures = status.figures

    def table() -> Table:
        queues = TABLES["queue"]
        known = queues.columns(Reader(human=False, now=figures.at))
        return Table(queues.rows(figures), known, queues.normal)

    return Page(
        "overview.html",
        "Overview",
        ("stats", "--window", view.window),
        {"status": status, "figures": figures, "windows": list(WINDOWS)},
        lambda: stats.document(figures),
        table,
        place="overview",
    )
