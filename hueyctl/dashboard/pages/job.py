"""``/jobs/ID``: one job, and why it is where it is."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

from hueycore.model.states import FINAL
from hueyctl.answers import show, why
from hueyctl.answers.history import worker_name
from hueyctl.answers.tries import tries
from hueyctl.dashboard import charts
from hueyctl.dashboard.graph import graph
from hueyctl.dashboard.page import Missing, Page, Table, View
from hueyctl.dashboard.pages.jobs import COLUMNS
from hueyctl.output import list_view

if TYPE_CHECKING:
    from hueycore.model.jobs import Job
    from hueyctl.answers.rates import TaskFigures
    from hueyctl.answers.tries import Try
    from hueyctl.dashboard.seen import Seen

#: The newest lines of its log; stages around it.
_LINES, _STAGES = 300, 2000


def page(view: View) -> Page:
    storage = view.storage
    job = view.job(view.rest)
    if job is None:
        raise Missing(f"There is no job {view.rest}: it was never there, or it was purged")
    now = time.time()
    runs = tries(job, worker_name(storage, job))
    log = storage.log(job.seq, queue=job.queue)
    stages = storage.stages(job.seq, _STAGES, queue=job.queue)
    seen = view.board.watch.peek(view.window)
    p95 = None if seen is None else seen.usual.get((job.queue, job.task))
    until = job.finished_at or (max(now, job.run_at) if job.state == "scheduled" else now)
    began = _began(job, runs)
    return Page(
        "job.html",
        f"#{job.seq} {job.task}",
        ("show", _key(view, job)),
        {
            "job": job,
            "now": now,
            "is_over": job.state in FINAL,
            "answer": why.explain(storage, job, now),
            "runs": runs,
            "began": began,
            "until": until,
            "gantt": charts.gantt(runs, began, until, p95),
            "p95": p95,
            "log": log[-_LINES:],
            "left": max(0, len(log) - _LINES),
            "stages": stages,
            "graph": graph(stages, job),
            "usual": None if seen is None else task_of(seen, job),
            "charts": charts,
        },
        lambda: show.document(storage, job, now),
        lambda: Table([job], list_view.columns(now, itertools.count(1)), COLUMNS),
        place="jobs",
    )


def _key(view: View, job: Job) -> str:
    """What the command line knows it by where no queue is named."""
    first = view.storage.job(str(job.seq))
    return str(job.seq) if view.queues or (first is not None and first.id == job.id) else job.id


def _began(job: Job, runs: list[Try]) -> float:
    """Where its picture begins: until the time that it was planned for, a job only waits."""
    if not runs:
        return job.enqueued_at
    planned = job.scheduled_for or job.enqueued_at
    return min(runs[0].began, max(job.enqueued_at, planned))


def task_of(seen: Seen, job: Job) -> tuple[TaskFigures, list[charts.Rect]] | None:
    """How its task does in the newest look."""
    for row in seen.status.figures.tasks:
        if (row.queue, row.task) == (job.queue, job.task):
            return row, charts.spark(seen.tasks.get((job.queue, job.task)))
    return None
