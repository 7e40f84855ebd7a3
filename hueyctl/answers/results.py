"""Results of jobs as values, read without executing anything that lies in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hueycore.model.states import FINAL
from hueyctl.answers.budget import NODES, SAFE_LIMIT, WHOLE_LIMIT
from hueyctl.answers.jobs import last_error
from hueyctl.answers.payloads import decode_value

if TYPE_CHECKING:
    from hueycore.model.jobs import Job, ResultRow


class Outcome(NamedTuple):
    """A job and what is known of its result. ``row`` is None while the job waits or runs."""

    job: Job
    row: ResultRow | None

    @property
    def ready(self) -> bool:
        return self.job.state in FINAL

    @property
    def failed(self) -> bool:
        return self.ready and self.job.state != "done"


def as_object(outcome: Outcome) -> dict[str, Any]:
    """The JSON object of a result."""
    known, value, text = value_of(outcome, WHOLE_LIMIT)
    return {
        "seq": outcome.job.seq,
        "id": outcome.job.id,
        "state": str(outcome.job.state),
        "value": value if known else None,
        "value_repr": text,
        "error": error_of(outcome),
    }


def value_of(outcome: Outcome, limit: int = SAFE_LIMIT) -> tuple[bool, Any, str | None]:
    """Whether the value is known, the value, and words instead of one that cannot be shown, or has
    more than ``limit`` bytes."""
    row = outcome.row
    if row is None or outcome.failed:
        return False, None, None
    if row.result is None:
        # None is not stored; a value that was read is gone.
        return not row.taken, None, "already taken" if row.taken else None
    known, value = decode_value(row.result, limit)
    if known:
        return True, value, None
    why = "too large, or not plain data" if len(row.result) > NODES else "not plain data"
    return False, None, f"<{len(row.result)} bytes, not shown: {why}>"


def would_be_lost(outcome: Outcome) -> str | None:
    """Words for a value that cannot be shown, so that who takes it has nothing."""
    there = outcome.row is not None and outcome.row.result is not None
    return value_of(outcome, WHOLE_LIMIT)[2] if there else None


def error_of(outcome: Outcome) -> dict[str, Any] | None:
    """Why a job failed, also when it never ran."""
    if not outcome.failed:
        return None
    error = last_error(outcome.job) if outcome.job.state == "dead" else None
    if error is not None:
        return error
    reason = outcome.job.reason
    state = str(outcome.job.state)
    message = state if reason in (None, state) else f"{state} ({reason})"
    return {"type": None, "message": message, "traceback": None, "at": None}
