"""The runs of a job, as far as its row tells them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hueyctl.answers.jobs import error_text

if TYPE_CHECKING:
    from hueycore.model.jobs import Job


class Try(NamedTuple):
    """A run: ``ended`` None goes on. ``outcome`` is failed, put back, done or running; one that was
    put back gave its attempt back."""

    number: int | None
    began: float
    ended: float | None
    outcome: str
    worker: str | None = None
    error: str | None = None
    traceback: str | None = None
    type: str | None = None


def tries(job: Job, worker: str | None = None) -> list[Try]:
    """In order. ``worker`` is the name of the one that runs it now."""
    found = [_failed(error) for error in job.errors if isinstance(error.get("at"), (int, float))]
    if job.state == "running" and job.claimed_at is not None:
        found.append(Try(job.attempt, job.claimed_at, None, "running", worker))
    elif job.state == "done" and job.started_at is not None:
        found.append(Try(job.attempt, job.started_at, job.finished_at, "done"))
    return sorted(found, key=lambda one: one.began)


def _failed(error: dict[str, Any]) -> Try:
    at, took = float(error["at"]), error.get("run_s")
    took = float(took) if isinstance(took, (int, float)) else 0.0
    return Try(
        error.get("attempt"),
        at - max(0.0, took),
        at,
        "put back" if error.get("counted") is False else "failed",
        error.get("worker") or None,
        error_text(error),
        error.get("traceback") or None,
        error.get("type"),
    )
