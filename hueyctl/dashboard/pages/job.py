"""``/jobs/ID``: one job, and why it is where it is."""

from __future__ import annotations

import itertools
import time

from hueyctl.answers import why
from hueyctl.dashboard.page import Missing, Page, Table, View
from hueyctl.output import list_view


def page(view: View) -> Page:
    job = view.storage.job(view.rest)
    if job is None:
        raise Missing(f"There is no job {view.rest}: it was never there, or it was purged")
    now = time.time()
    known = list_view.columns(now, itertools.count(1))
    normal = ("seq", "state", "task", "args", "run_at", "age", "priority", "try")
    return Page(
        "job.html",
        f"#{job.seq} {job.task}",
        ("show", str(job.seq)),
        {"job": job, "answer": why.explain(view.storage, job, now)},
        lambda: next(list_view.objects(view.storage, [job], now)),
        lambda: Table([job], known, normal),
        place="jobs",
    )
