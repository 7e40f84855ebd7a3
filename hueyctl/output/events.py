"""Events, for people, pipes and scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hueyctl.output.columns import Column
from hueyctl.units import counted, rfc3339

if TYPE_CHECKING:
    from hueycore.model.events import Event

WIDTHS = (
    ("at", 24), ("signal", 14), ("task", 28), ("seq", 7), ("worker", 16), ("run_s", 7), ("error", 0)
)  # fmt: skip


def as_object(event: Event) -> dict[str, Any]:
    """``hueyctl.event/1``."""
    found = event._asdict()
    found["at"] = rfc3339(event.at)
    return found


def why(event: Event) -> str | None:
    """What an event says besides itself."""
    jobs = counted(event.jobs, "job") if event.jobs and event.seq is None else None
    return event.error or ", ".join(text for text in (jobs, event.reason) if text) or None


COLUMNS = {
    "at": Column("at", "TIME", "time", lambda event: event.at),
    "signal": Column("signal", "SIGNAL", "text", lambda event: event.signal),
    "task": Column("task", "TASK", "text", lambda event: event.task),
    "seq": Column("seq", "SEQ", "int", lambda event: event.seq),
    "worker": Column("worker", "WORKER", "text", lambda event: event.worker),
    "run_s": Column("run_s", "RUN", "span", lambda event: event.run_s),
    "error": Column("error", "ERROR", "text", why),
    "operator": Column("operator", "OPERATOR", "text", lambda event: event.worker),
    "what": Column("what", "WHAT", "text", why),
    "reason": Column("reason", "REASON", "text", lambda event: event.reason),
    "queue": Column("queue", "QUEUE", "text", lambda event: event.queue),
    "id": Column("id", "ID", "text", lambda event: event.id),
    "event": Column("event", "EVENT", "int", lambda event: event.event),
    "jobs": Column("jobs", "JOBS", "count", lambda event: event.jobs),
}
