"""How a job ended: well, dead and of what, or never run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hueyctl.answers.jobs import error_text
from hueyctl.answers.reason import Reason
from hueyctl.units import relative

if TYPE_CHECKING:
    from hueycore.model.jobs import Job
    from hueycore.storage.base import Storage


def ending(storage: Storage, job: Job, now: float) -> Reason:
    """How a job ended, and where to look next."""
    at = job.finished_at
    ago = relative(at, now) if at is not None else ""
    if job.state == "done":
        return Reason(f"done {ago}", at, None, f"hueyctl result {job.seq}")
    if job.state == "dead":
        return Reason(_cause_of_death(job), at, None, f"hueyctl dead retry {job.seq}")
    if job.state == "expired":
        return Reason(f"expired {ago}: not started in time", at, None, f"hueyctl restore {job.seq}")
    if job.reason == "upstream":
        return _upstream(storage, job, ago)
    why = f": {job.reason}" if job.reason not in (None, "revoked") else ""
    if job.reason == "canceled" and job.errors and job.errors[-1].get("message"):
        why += f" ({job.errors[-1]['message']})"
    return Reason(f"revoked {ago}{why}", at, None, f"hueyctl restore {job.seq}")


def _cause_of_death(job: Job) -> str:
    tries = "1 try" if job.attempt == 1 else f"{job.attempt} tries"
    error = error_text(job.errors[-1]) if job.errors else None
    if error and job.reason in (None, "failed"):
        return f"dead after {tries} because of {error}"
    more = f" ({error})" if error else ""
    return f"dead after {tries}: {job.reason}{more}"


def _upstream(storage: Storage, job: Job, ago: str) -> Reason:
    """A stage before it failed; that one is where to look."""
    failed = storage.culprit(job.seq, queue=job.queue)
    if failed is None:
        text = f"revoked {ago}: a stage before it failed"
        return Reason(text, job.finished_at, None, f"hueyctl restore {job.seq}")
    text = f"revoked {ago}: job {failed.seq} ({failed.task}), a stage before it, is {failed.state}"
    return Reason(text, job.finished_at, {"job": failed.seq}, f"hueyctl why {failed.seq}")
