"""``/find?q``: a job by id or number, a task, a queue, or jobs by their arguments and errors."""

from __future__ import annotations

import itertools
import time

from hueycore.model.jobs import Newest, Selector
from hueyctl.dashboard.page import Page, Table, View
from hueyctl.dashboard.pages.tasks import Known, known
from hueyctl.output import list_view

#: What is shown of each kind.
_MOST = 20


def page(view: View) -> Page:
    words = view.word("q")
    job = view.job(words.removeprefix("#")) if words else None
    found = {} if not words else {field: _search(view, field, words) for field in ("args", "error")}
    jobs = [*([job] if job else []), *(one for each in found.values() for one in each.jobs)]
    unique = list({one.id: one for one in jobs}.values())
    now = time.time()
    columns = list_view.columns(now, itertools.count(1))
    normal = ("seq", "state", "task", "args", "run_at", "age", "priority", "try")
    return Page(
        "find.html",
        f"Find {words}" if words else "Find",
        ("show", str(job.seq)) if job else _command(words),
        {
            "words": words,
            "job": job,
            "tasks": _tasks(view, words),
            "queues": _queues(view, words),
            "found": found,
            "where": {"args": f"args ~ {words}", "error": f"error.message ~ {words}"},
        },
        lambda: list(list_view.objects(view.storage, unique, now)),
        lambda: Table(unique, columns, normal),
    )


def _command(words: str) -> tuple[str, ...]:
    condition = ("--where", f"args ~ {words}") if words else ()
    return ("list", "--all", *condition, "--sort", "-seq", "-n", str(_MOST))


def _search(view: View, field: str, words: str) -> Newest:
    column = {"args": "preview", "error": "errors"}[field]
    selector = Selector(queues=view.queues, where=((column, "~", words),), limit=_MOST)
    return view.storage.newest(selector)


def _tasks(view: View, words: str) -> list[Known]:
    """Those whose names have the words in them, in any case of letters."""
    part = words.lower()
    return [row for row in known(view) if part and part in row.task.lower()][:_MOST]


def _queues(view: View, words: str) -> list[str]:
    part = words.lower()
    return [
        row.queue
        for row in view.storage.queues()
        if part and part in row.queue.lower() and (not view.queues or row.queue in view.queues)
    ][:_MOST]
