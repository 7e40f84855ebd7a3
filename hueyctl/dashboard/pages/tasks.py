"""``/tasks`` and ``/tasks/T``: what the tasks of the storage do, from what was counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hueycore.model.jobs import Selector
from hueyctl.answers import stats
from hueyctl.answers.usual import Usual
from hueyctl.dashboard import charts
from hueyctl.dashboard.look import WINDOWS
from hueyctl.dashboard.page import Missing, Page, Table, View
from hueyctl.dashboard.pages.overview import worst
from hueyctl.output import dead
from hueyctl.output.figures import TABLES, Reader
from hueyctl.output.holds import allowed

if TYPE_CHECKING:
    from hueycore.model.jobs import Newest
    from hueyctl.answers.figures import Figures
    from hueyctl.dashboard.seen import Seen

#: Rows of each table; tasks of the list.
_MOST, _TASKS = 20, 200


class Known(NamedTuple):
    """A task that has ended something at some time: how many jobs, ever."""

    queue: str
    task: str
    ended: int


def page(view: View) -> Page:
    """All tasks."""
    seen = view.seen()
    figures = seen.status.figures
    ended = {(row.queue, row.task) for row in figures.tasks}
    quiet = [row for row in known(view) if (row.queue, row.task) not in ended]
    return Page(
        "tasks.html",
        "Tasks",
        ("stats", "--by", "task", "--window", view.window),
        {
            "windows": list(WINDOWS),
            "tasks": worst(figures.tasks)[:_TASKS],
            "number": len(figures.tasks),
            "quiet": quiet[:_TASKS],
            "small": seen.tasks,
            "charts": charts,
        },
        lambda: stats.document(figures),
        lambda: _table(figures),
        place="tasks",
    )


def known(view: View) -> list[Known]:
    """Every task that was ever counted, by queue and name."""
    return [
        Known(row.queue, row.task, row.done + row.dead + row.revoked + row.expired)
        for row in view.totals()
        if not view.queues or row.queue in view.queues
    ]


def task_page(view: View) -> Page:
    """One task, in the queue of the address, or in the first that knows it."""
    seen, name = view.seen(), view.rest
    queue, newest = _found(view, seen, name)
    mine = [row for row in seen.status.figures.tasks if (row.queue, row.task) == (queue, name)]
    selector = Selector(queues=(queue,), task=exactly(name))
    groups = view.board.kept.get(
        ("dead of", queue, name), lambda: view.storage.dead_groups(selector)
    )
    return Page(
        "task.html",
        name,
        ("list", "--all", "--queue", queue, "--task", exactly(name), "--sort", "-seq"),
        {
            "at": seen.at,
            "task": name,
            "queue": queue,
            "queues": sorted({row.queue for row in known(view) if row.task == name}),
            "pattern": exactly(name),
            "windows": list(WINDOWS),
            "rates": mine[0].rates if mine else None,
            "series": seen.tasks.get((queue, name)),
            "usual": Usual(view.totals).spread(queue, name),
            "charts": charts,
            "running": [
                run for run in seen.status.runs if (run.job.queue, run.job.task) == (queue, name)
            ][:_MOST],
            "newest": newest,
            "groups": dead.merged((dead.Group._make(row) for row in groups), "error")[:_MOST],
            **_declared(view, queue, name),
        },
        lambda: stats.document(_of_task(seen.status.figures, queue, name)),
        lambda: _table(_of_task(seen.status.figures, queue, name)),
        place="tasks",
    )


def _found(view: View, seen: Seen, name: str) -> tuple[str, Newest]:
    """The queue, and the newest jobs of the task in it. Raises ``Missing``."""
    asked = view.word("queue")
    names = [row.queue for row in known(view) if row.task == name]
    rows = seen.status.figures.queues
    for queue in view.among([asked]) if asked else [*names, *(row.name for row in rows)]:
        selector = Selector(queues=(queue,), task=exactly(name), limit=_MOST)
        newest = view.storage.newest(selector)
        if newest.jobs or queue in names:
            return queue, newest
    raise Missing(f"No job of a task {name} is known here")


def _declared(view: View, queue: str, name: str) -> dict[str, Any]:
    """What is said of a task besides its jobs: its limit, its schedules, standing orders."""
    storage = view.storage
    found = view.board.kept.get("held", storage.held_keys)
    limit = next(
        (
            key.limit
            for key in found.keys
            if key.limit is not None and (key.queue, key.limit.task) == (queue, name)
        ),
        None,
    )
    return {
        "limit": limit,
        "allows": allowed(limit),
        "schedules": [
            row for row in storage.periodic(whole=True) if (row.queue, row.task) == (queue, name)
        ],
        "orders": [
            order
            for order in storage.revocations()
            if (order.queue, order.name) == (queue, name) and order.kind.endswith("-task")
        ],
    }


def exactly(name: str) -> str:
    """A pattern that no other name matches."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def _of_task(figures: Figures, queue: str, name: str) -> Figures:
    tasks = [row for row in figures.tasks if (row.queue, row.task) == (queue, name)]
    return figures._replace(tasks=tasks)


def _table(figures: Figures) -> Table:
    tasks = TABLES["task"]
    known_columns = tasks.columns(Reader(human=False, now=figures.at))
    return Table(tasks.rows(figures), known_columns, tasks.normal)
