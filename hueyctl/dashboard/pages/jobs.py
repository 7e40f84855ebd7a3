"""``/jobs``: jobs, newest first, by filters in the address."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from hueyctl.dashboard.page import Page, Table, View
from hueyctl.output import list_view
from hueyctl.selection.choice import Choice

if TYPE_CHECKING:
    from hueyctl.selection.selection import Selection

#: Rows of a page.
ROWS = 50


def page(view: View) -> Page:
    states, queues = view.words("state"), view.words("queue")
    where, task = view.words("where"), view.word("task")
    before = int(view.word("before")) if view.word("before").isdecimal() else 0
    choice = Choice(state=tuple(states), task=task or None, where=tuple(where), all_=not states)
    selection = choice.selection(tuple(queues) or view.queues, sort="-seq", limit=ROWS)
    selection = replace(selection, selector=selection.selector._replace(before=before))
    found = list(selection.jobs(view.storage))
    words = ["list", *(("--all",) if not states else ())]
    for option, values in (("--state", states), ("--queue", queues), ("--where", where)):
        words += [word for value in values for word in (option, value)]
    words += ["--task", task] if task else []
    return Page(
        "jobs.html",
        "Jobs",
        (*words, "--sort", "-seq", "-n", str(ROWS)),
        {
            "jobs": found,
            "choice": choice,
            "queues": queues,
            "before": before,
            "after": found[-1].seq if len(found) == ROWS else None,
        },
        lambda: list(list_view.objects(view.storage, found, time.time())),
        lambda: _table(selection, view),
        place="jobs",
    )


def _table(selection: Selection, view: View) -> Table:
    known = list_view.columns(time.time(), itertools.count(1))
    normal = ("seq", "state", "task", "args", "run_at", "age", "priority", "try")
    return Table(selection.jobs(view.storage), known, normal)
