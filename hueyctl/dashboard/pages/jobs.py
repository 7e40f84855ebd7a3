"""``/jobs``: jobs, newest first, by filters in the address."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any

from hueycore.model.states import State
from hueyctl.answers.jobs import error_text, run_s
from hueyctl.dashboard.changes.verbs import possible
from hueyctl.dashboard.page import Page, Table, View
from hueyctl.output import list_view
from hueyctl.selection.choice import Choice
from hueyctl.selection.newest import newest
from hueyctl.units import relative

if TYPE_CHECKING:
    from hueycore.model.jobs import Job

#: Rows of a page.
ROWS = 50
#: What ``list`` shows in a pipe.
COLUMNS = ("seq", "state", "task", "args", "run_at", "age", "priority", "try")


def page(view: View) -> Page:
    states, queues = view.words("state"), view.words("queue")
    where, task = view.words("where"), view.word("task")
    before = view.number("before")
    choice = Choice(state=tuple(states), task=task or None, where=tuple(where), all_=not states)
    selection = choice.selection(view.among(queues), sort="-seq", limit=ROWS)
    found = newest(view.storage, selection, before)
    now = time.time()
    return Page(
        "jobs.html",
        "Jobs",
        ("list", *words(states, queues, task, where), "--sort", "-seq", "-n", str(ROWS)),
        {
            "rows": [(job, says(job, now), run_s(job, now)) for job in found.jobs],
            "found": found,
            "states": [str(state) for state in State],
            "chosen": {"state": states, "queue": queues, "task": task, "where": where},
            "known": view.queues or [row.queue for row in view.storage.queues()],
            "before": before,
            "possible": possible(states),
            "rest": selection.undecodable,
        },
        lambda: list(list_view.objects(view.storage, found.jobs, now)),
        lambda: Table(found.jobs, list_view.columns(now, itertools.count(1)), COLUMNS),
        place="jobs",
    )


def words(states: list[str], queues: list[str], task: str, where: list[str]) -> list[str]:
    """The options of the command line that choose the same jobs."""
    found: list[str] = [] if states else ["--all"]
    options: tuple[tuple[str, Any], ...] = (
        ("--state", states),
        ("--queue", queues),
        ("--task", [task] if task else []),
        ("--where", where),
    )
    for option, values in options:
        found += [word for value in values for word in (option, value)]
    return found


def says(job: Job, now: float) -> str:
    """What there is to say of a job in its line."""
    error = error_text(job.errors[-1]) if job.errors else ""
    if job.state == "running":
        return job.progress or error
    if job.state == "scheduled":
        return f"due {relative(job.run_at, now)}" + (f", after {error}" if error else "")
    if job.state == "blocked":
        waits = f"waits for {job.waits} of its stages" if job.waits else ""
        return waits or (f"waits for {job.key_name}" if job.key_name else "")
    if job.state in ("dead", "pending"):
        return error or (job.reason or "")
    return job.reason or ""
