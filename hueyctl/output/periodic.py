"""Schedules and their coming runs, for people, pipes and scripts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from hueyctl.answers.payloads import decode_arguments
from hueyctl.output.columns import Column
from hueyctl.units import rfc3339

if TYPE_CHECKING:
    from hueycore.model.schedules import Periodic
    from hueycore.storage.base import Storage

#: The columns that are shown when nothing is said.
NORMAL = ("name", "schedule", "tz", "next_run", "last_run", "result", "paused")


class ScheduleRow(NamedTuple):
    """A schedule, and the state of the last job that it fired."""

    row: Periodic
    last_state: str | None

    def as_object(self) -> dict[str, Any]:
        row = self.row
        arguments = decode_arguments(row.payload) if row.payload else None
        return {
            "name": row.name,
            "task": row.task,
            "queue": row.queue,
            "schedule": row.schedule,
            "tz": row.tz,
            "next_run": rfc3339(row.next_run),
            "last_run": None if row.last_run is None else rfc3339(row.last_run),
            "last_id": row.last_id,
            "last_state": self.last_state,
            "paused": row.paused_at is not None,
            "paused_at": None if row.paused_at is None else rfc3339(row.paused_at),
            "paused_by": row.paused_by,
            "pause_reason": row.pause_reason,
            "catch_up": row.catch_up,
            "grace_s": row.grace,
            "origin": row.origin,
            "args": arguments.args if arguments else None,
            "kwargs": arguments.kwargs if arguments else None,
            "args_repr": None if arguments else row.preview,
        }


def with_states(look: Callable[[], Storage], rows: Sequence[Periodic]) -> list[ScheduleRow]:
    """Schedules with what became of their last jobs: nobody looks when there was none."""
    states = _last_states(look, rows)
    return [ScheduleRow(row, states.get((row.queue, row.last_id or ""))) for row in rows]


def _last_states(
    look: Callable[[], Storage], rows: Sequence[Periodic]
) -> dict[tuple[str, str], str]:
    from hueycore.model.jobs import Selector

    ids = tuple(row.last_id for row in rows if row.last_id is not None)
    if not ids:
        return {}
    jobs = look().jobs(Selector(keys=ids))
    return {(job.queue, job.id): str(job.state) for job in jobs}


def columns() -> dict[str, Column]:
    return {
        "name": Column("name", "NAME", "text", lambda line: line.row.name),
        "task": Column("task", "TASK", "text", lambda line: line.row.task),
        "args": Column("args", "ARGS", "text", lambda line: line.row.preview),
        "schedule": Column("schedule", "SCHEDULE", "text", lambda line: line.row.schedule),
        "tz": Column("tz", "TZ", "text", lambda line: line.row.tz),
        "next_run": Column("next_run", "NEXT", "time", lambda line: line.row.next_run),
        "last_run": Column("last_run", "LAST", "time", lambda line: line.row.last_run),
        "result": Column("result", "RESULT", "text", lambda line: line.last_state),
        "paused": Column("paused", "PAUSED", "bool", lambda line: line.row.paused_at is not None),
        "catch_up": Column("catch_up", "CATCH-UP", "text", lambda line: line.row.catch_up),
        "origin": Column("origin", "ORIGIN", "text", lambda line: line.row.origin),
        "reason": Column("reason", "REASON", "text", lambda line: line.row.pause_reason),
        "queue": Column("queue", "QUEUE", "text", lambda line: line.row.queue),
    }


def firing_columns() -> dict[str, Column]:
    return {
        "at": Column("at", "AT", "time", lambda firing: firing.at),
        "name": Column("name", "NAME", "text", lambda firing: firing.row.name),
        "task": Column("task", "TASK", "text", lambda firing: firing.row.task),
        "schedule": Column("schedule", "SCHEDULE", "text", lambda firing: firing.row.schedule),
        "tz": Column("tz", "TZ", "text", lambda firing: firing.row.tz),
        "queue": Column("queue", "QUEUE", "text", lambda firing: firing.row.queue),
    }
