"""The state of a storage on one page: what is wrong, depths, runs, what comes, consumers."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from hueyctl.answers.alarms import CRITICAL, Alarm, alarms
from hueyctl.answers.figures import Figures, gather
from hueyctl.answers.firings import coming
from hueyctl.units import rfc3339

if TYPE_CHECKING:
    from hueycore.model.jobs import Job
    from hueycore.model.schedules import Periodic
    from hueyctl.answers.look import Look

#: Rates are those of the last minutes, and what comes is that of the next hour; seconds.
WINDOW, AHEAD = 300.0, 3600.0
#: Of what comes, and of what runs, so many are named.
MOST = 20


class Run(NamedTuple):
    """A job that runs, its worker, and what its task usually takes (p95, seconds)."""

    job: Job
    worker: str | None
    for_s: float
    p95: float | None
    stuck: bool


class Coming(NamedTuple):
    """Something that falls due: a job that is scheduled, or a periodic task."""

    at: float
    task: str
    queue: str
    seq: int | None
    periodic: str | None


class Status(NamedTuple):
    at: float
    alarms: list[Alarm]
    figures: Figures
    runs: list[Run]
    coming: list[Coming]
    #: All that is scheduled within the hour, named above or not.
    scheduled: int

    @property
    def level(self) -> str:
        """ok, warning or critical."""
        if not self.alarms:
            return "ok"
        return CRITICAL if any(one.level == CRITICAL for one in self.alarms) else "warning"


def status(look: Look, window: float = WINDOW) -> Status:
    """Rates are those of the last ``window`` seconds."""
    figures = gather(look, window)  # first: it reads the most
    planned, number = _planned(look)
    fired = islice(coming(periodic(look), look.now, look.now + AHEAD), MOST)
    soon = [*planned, *(Coming(at, row.task, row.queue, None, row.name) for at, row in fired)]
    return Status(
        look.now,
        alarms(look),
        figures,
        _runs(look),
        sorted(soon)[:MOST],
        number,
    )


def _runs(look: Look) -> list[Run]:
    """Longest first, measured against what is usual of the task."""
    names = {row.id: row.name for row in look.consumers}
    found = []
    for job in look.running:
        if job.claimed_at is not None:
            usual = look.usual.spread(job.queue, job.task)
            is_stuck = look.usual.stuck(job, look.now) is not None
            span = max(0.0, look.now - job.claimed_at)
            p95 = None if usual is None else usual[0]
            found.append(Run(job, names.get(job.worker or 0), span, p95, is_stuck))
    return sorted(found, key=lambda run: (not run.stuck, -run.for_s))


def _planned(look: Look) -> tuple[list[Coming], int]:
    from hueycore.model.jobs import Selector
    from hueycore.model.states import State

    soon = Selector(
        queues=tuple(look.names),
        states=(State.SCHEDULED,),
        where=(("run_at", "<", look.now + AHEAD),),
    )
    jobs = look.storage.jobs(soon._replace(sort="run_at", limit=MOST))
    number = len(jobs) if len(jobs) < MOST else look.storage.count(soon)
    return [Coming(job.run_at, job.task, job.queue, job.seq, None) for job in jobs], number


def periodic(look: Look) -> list[Periodic]:
    """Those whose queue lets them fire."""
    stopped = {order.queue for order in look.orders if order.kind == "paused-scheduler"}
    return [
        row
        for row in look.storage.periodic(whole=True)
        if row.queue not in stopped and look.is_about(row.queue)
    ]


def document(found: Status) -> dict[str, Any]:
    """``hueyctl.status/1``."""
    from hueyctl.answers import stats

    figures = stats.document(found.figures)
    return {
        "schema": "hueyctl.status/1",
        "at": rfc3339(found.at),
        "status": found.level,
        "alarms": [alarm.as_object() for alarm in found.alarms],
        "totals": figures["totals"],
        "queues": figures["queues"],
        "running": [
            {
                "seq": run.job.seq,
                "id": run.job.id,
                "task": run.job.task,
                "queue": run.job.queue,
                "worker": run.worker,
                "for_s": round(run.for_s, 3),
                "p95_s": None if run.p95 is None else round(run.p95, 6),
                "progress": run.job.progress,
                "stuck": run.stuck,
            }
            for run in found.runs
        ],
        "scheduled": found.scheduled,
        "coming": [one._asdict() | {"at": rfc3339(one.at)} for one in found.coming],
        "workers": figures["workers"],
        "consumers": figures["consumers"],
    }
