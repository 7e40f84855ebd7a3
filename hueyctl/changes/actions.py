"""What commands and the dashboard do to many jobs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hueycore.model.states import LIVE, WAITING, State
from hueyctl.changes.bulk import Action

if TYPE_CHECKING:
    from hueycore.model.jobs import Changed, Job, Selector
    from hueycore.storage.base import Storage


def retry(
    reason: str | None, *, reset: bool = False, delay: float | None = None, apart: float = 0.0
) -> Action:
    """Dead letters run again, after a ``delay``, each ``apart`` seconds after the one before.
    ``reset`` gives back the retries that were used up."""
    spread = _Spread(time.time() + (delay or 0.0), apart, delay is not None)

    def apply(storage: Storage, selector: Selector) -> Changed:
        run_at = spread.next(len(selector.keys))
        return storage.requeue(selector, run_at=run_at, reset=reset, apart=apart, reason=reason)

    return Action(verb="retry", past="retried", states=("dead",), apply=apply, refuse=not_dead)


class _Spread:
    """When each group of jobs begins to run."""

    def __init__(self, start: float, apart: float, delayed: bool) -> None:
        self.start, self.apart, self.delayed = start, apart, delayed

    def next(self, number: int) -> float | None:
        if not (self.apart or self.delayed):
            return None
        start, self.start = self.start, self.start + number * self.apart
        return start


def not_dead(job: Job) -> str | None:
    """Why a job that was named must be left alone."""
    return None if job.state == "dead" else f"is {job.state}, not dead"


def revoke(reason: str | None, *, interrupt: bool = False) -> Action:
    """Jobs that wait end; those that run are asked to stop, or ``interrupt`` ends them."""
    return Action(
        verb="revoke",
        past=lambda job: "stopping" if job.state == "running" else "revoked",
        states=LIVE,
        apply=lambda storage, selector: storage.revoke(selector, reason, interrupt=interrupt),
        fine=("revoked",),
    )


def restore(reason: str | None) -> Action:
    """Jobs that were revoked or expired wait again; those that were asked to stop are not any
    more."""

    def apply(storage: Storage, selector: Selector) -> Changed:
        # What ended without a run. Seen so a moment ago: what another operator restored meanwhile
        # may be done, and running again what ran is another command's business.
        narrowed = selector._replace(states=(State.REVOKED, State.EXPIRED))
        waiting = storage.requeue(narrowed, reason=reason)
        running = storage.call_off(selector._replace(states=(State.RUNNING,)))
        return waiting._replace(
            matched=waiting.matched + running.matched,
            changed=waiting.changed + running.changed,
            failed=waiting.failed + running.failed,
        )

    return Action(
        verb="restore",
        past="restored",
        states=("revoked",),
        apply=apply,
        fine=WAITING,
        refuse=_not_revoked,
    )


def _not_revoked(job: Job) -> str | None:
    if job.state == "running":
        return None if job.cancel_requested else "is running"
    return f"is {job.state}, not revoked" if job.state in ("done", "dead") else None


def reschedule(reason: str | None, *, run_at: float | None, priority: float | None) -> Action:
    """Jobs that wait get another time or priority."""

    def refuse(job: Job) -> str | None:
        if job.state not in WAITING:
            return f"is {job.state}"
        if run_at is not None and job.waits:
            return "waits for an earlier stage: it runs when that one is done"
        return None

    return Action(
        verb="reschedule",
        past="rescheduled",
        states=WAITING,
        apply=lambda storage, selector: storage.reschedule(
            selector, run_at=run_at, priority=priority, reason=reason
        ),
        refuse=refuse,
    )
