"""``/``: how things stand, and what wants a look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hueyctl.answers import stats
from hueyctl.answers.status import AHEAD
from hueyctl.dashboard import charts
from hueyctl.dashboard.look import WINDOWS
from hueyctl.dashboard.page import Page, Table, View
from hueyctl.output.figures import TABLES, Reader, short
from hueyctl.units import counted

if TYPE_CHECKING:
    from hueyctl.answers.alarms import Alarm
    from hueyctl.answers.figures import Figures
    from hueyctl.answers.rates import TaskFigures

#: Rows of each table that is a part of the page.
MOST = 8


def page(view: View) -> Page:
    seen = view.seen()
    figures = seen.status.figures

    def table() -> Table:
        queues = TABLES["queue"]
        known = queues.columns(Reader(human=False, now=figures.at))
        return Table(queues.rows(figures), known, queues.normal)

    return Page(
        "overview.html",
        "Overview",
        ("stats", "--window", view.window),
        {
            "seen": seen,
            "figures": figures,
            "headline": headline(figures),
            "alarms": [(alarm, places(view, alarm)) for alarm in seen.status.alarms],
            "windows": list(WINDOWS),
            "plan": charts.plan(seen.plan, seen.at, AHEAD),
            "tasks": worst(figures.tasks)[:MOST],
            "charts": charts,
            "most": MOST,
        },
        lambda: stats.document(view.figures()),
        table,
        place="overview",
    )


def headline(figures: Figures) -> str:
    """How things stand in one sentence. What a paused queue holds is meant to wait."""
    going = [row for row in figures.queues if not row.paused]
    pending = sum(row.counts["pending"] for row in going)
    waits = counted(pending, "job")
    if figures.queues and not going:
        return "Paused: no queue gives out its jobs"
    if not figures.workers.alive:
        return f"Nobody works: {waits} wait for a consumer" if pending else "No consumer is there"
    if not pending:
        running = figures.totals.counts["running"]
        runs = f"{counted(running, 'job')} run{'s' if running == 1 else ''}"
        return f"Up to date: nothing waits, {runs}" if running else "Up to date: nothing waits"
    surplus = sum(row.surplus for row in going)
    if surplus > 0:
        return f"Draining: what is pending is done in about {short(pending / surplus)}"
    if surplus < -0.05:
        return f"Growing: {waits} pending, and more come than go"
    return f"Steady: {waits} pending, as many come as go"


def worst(tasks: list[TaskFigures]) -> list[TaskFigures]:
    """Those that fail first, then those that take long."""
    return sorted(
        tasks, key=lambda row: (-row.rates.failed, -(row.rates.run.p95 or 0), -row.rates.runs)
    )


def places(view: View, alarm: Alarm) -> list[tuple[str, str]]:
    """Where to look at what an alarm is about: words and address."""
    about: dict[str, Any] = alarm.about
    found = []
    if "job" in about:
        found.append(("Job", view.url("jobs", about["job"], queue=alarm.queue)))
    if alarm.kind == "dead":
        found.append(("Dead letters", view.url("dead")))
    elif "task" in about:
        found.append(("Task", view.url("tasks", about["task"], queue=alarm.queue)))
    if "worker" in about:
        found.append(("Workers", view.url("workers")))
    if "lock" in about:
        found.append(("Limits", view.url("limits")))
    if "periodic" in about:
        found.append(("Periodic", view.url("periodic")))
    if "queue" in about:
        found.append(("Queue", view.url("queues", about["queue"])))
    return found
