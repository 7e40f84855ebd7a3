"""Events, for people, pipes and scripts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from hueyctl.answers.watch import looks
from hueyctl.output.columns import Column
from hueyctl.output.lines import Lines
from hueyctl.units import counted, rfc3339

if TYPE_CHECKING:
    from hueycore.model.events import Event, EventQuery
    from hueycore.storage.base import Storage
    from hueyctl.context import Session

#: Events that are read at once.
_PAGE = 1000
WIDTHS = (
    ("at", 24), ("signal", 14), ("task", 28), ("seq", 7), ("worker", 16), ("run_s", 7), ("error", 0)
)  # fmt: skip


def show(session: Session, events: Sequence[Event], *, stream: bool) -> None:
    """Print events. With ``stream`` more will come."""
    output = session.output
    if output.is_json and not stream:
        output.objects(map(as_object, events))
    elif stream:
        lines = Lines(output, WIDTHS)
        for event in events:
            lines.write(event, _KNOWN, output.steady, partial(as_object, event), str(event.event))
    else:
        output.style = output.steady
        output.rows(
            events,
            _KNOWN,
            [key for key, _ in WIDTHS],
            ("queue", "id", "event"),
            name=lambda event: str(event.event),
        )


def newest(storage: Storage) -> int:
    """The number of the newest event that is settled."""
    from hueycore.model.events import EventQuery

    found = storage.events(EventQuery(newest=True, limit=1, settled=True))
    return found[0].event if found else 0


def follow_on(session: Session, storage: Storage, query: EventQuery) -> None:
    """Print what comes after ``query.after``, until interrupted."""
    query = query._replace(limit=_PAGE, newest=False)
    # Without news too: what was seen was perhaps not settled, and nothing tells when it is.
    for _ in looks(storage):
        while found := storage.events(query):
            show(session, found, stream=True)
            query = query._replace(after=found[-1].event)


def as_object(event: Event) -> dict[str, Any]:
    """``hueyctl.event/1``."""
    found = event._asdict()
    found["at"] = rfc3339(event.at)
    return found


def _why(event: Event) -> str | None:
    """What an event says besides itself."""
    jobs = counted(event.jobs, "job") if event.jobs and event.seq is None else None
    return event.error or ", ".join(text for text in (jobs, event.reason) if text) or None


_KNOWN = {
    "at": Column("at", "TIME", "time", lambda event: event.at),
    "signal": Column("signal", "SIGNAL", "text", lambda event: event.signal),
    "task": Column("task", "TASK", "text", lambda event: event.task),
    "seq": Column("seq", "SEQ", "int", lambda event: event.seq),
    "worker": Column("worker", "WORKER", "text", lambda event: event.worker),
    "run_s": Column("run_s", "RUN", "span", lambda event: event.run_s),
    "error": Column("error", "ERROR", "text", _why),
    "reason": Column("reason", "REASON", "text", lambda event: event.reason),
    "queue": Column("queue", "QUEUE", "text", lambda event: event.queue),
    "id": Column("id", "ID", "text", lambda event: event.id),
    "event": Column("event", "EVENT", "int", lambda event: event.event),
    "jobs": Column("jobs", "JOBS", "count", lambda event: event.jobs),
}
