"""Schedules as rows of a table: what the commands of ``periodic`` share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple

from hueyctl import errors, exits
from hueyctl.answers.payloads import decode_arguments
from hueyctl.changes.queues import looking_before_writing, queues_to_change
from hueyctl.units import rfc3339

if TYPE_CHECKING:
    from hueycore.model.schedules import Periodic
    from hueycore.storage.base import Storage
    from hueyctl.context import Session
    from hueyctl.output.columns import Column

LIST = "hueyctl periodic list"
CODES = (exits.NOT_FOUND, exits.UNAVAILABLE, exits.IO_ERROR, exits.CONFIG)
NAME_HELP = ("NAME", "A schedule, or a pattern such as 'myapp.report.*'.")


class Found(NamedTuple):
    """The schedules that were meant, and the names that none has."""

    rows: list[Periodic]
    missing: list[str]

    def all_there(self, storage: Storage) -> list[Periodic]:
        """The rows. Exit 3 for the first name that none has."""
        for name in self.missing:
            raise unknown(name, [row.name for row in storage.periodic(whole=True)])
        return self.rows


def look(session: Session, names: Sequence[str]) -> list[Periodic]:
    """The schedules of the chosen queues, or those of these names. Exit 3 for an unknown one."""
    storage = session.looking()
    return _find(storage, session.check_queues(storage), names).all_there(storage)


def to_change(session: Session, names: Sequence[str]) -> Found:
    """The schedules of these names in the one queue, or in those that were chosen."""
    storage = looking_before_writing(session)

    def found(known: Sequence[str]) -> Iterable[str]:
        return (row.queue for row in _find(storage, known, names).rows)

    return _find(storage, queues_to_change(session, storage, found=found), names)


def _find(storage: Storage, queues: Sequence[str], names: Sequence[str]) -> Found:
    rows = [row for row in storage.periodic(whole=True) if not queues or row.queue in queues]
    if not names:
        return Found(rows, [])
    known = {row.name for row in rows}
    # A name may look like a pattern: then it is the name.
    patterns = [name for name in names if name not in known and any(c in name for c in "*?[")]
    missing = [name for name in names if name not in known and name not in patterns]
    meant = [
        row
        for row in rows
        if row.name in names or any(fnmatchcase(row.name, pattern) for pattern in patterns)
    ]
    return Found(meant, missing)


def unknown(name: str, known: Sequence[str]) -> errors.CliError:
    from difflib import get_close_matches

    near = [each for each in known if each.rpartition(".")[2] == name][:3]
    near = near or get_close_matches(name, known, 1)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else LIST
    return errors.CliError(f"no periodic task {name!r}", exits.NOT_FOUND, hint)


def by_queue(rows: Iterable[Periodic]) -> dict[str, list[str]]:
    """The names of schedules by their queue."""
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row.queue, []).append(row.name)
    return found


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


def show(session: Session, rows: Sequence[Periodic]) -> None:
    """Print schedules as they are now."""
    states = _last_states(session, rows)
    lines = [ScheduleRow(row, states.get((row.queue, row.last_id or ""))) for row in rows]
    output = session.output
    if output.is_json:
        output.objects(line.as_object() for line in lines)
        return
    output.rows(
        lines,
        _columns(),
        ("name", "schedule", "tz", "next_run", "last_run", "result", "paused"),
        ("task", "args", "catch_up", "origin", "reason", "queue"),
        name=lambda line: line.row.name,
    )


def show_now(session: Session, changed: Sequence[Periodic]) -> None:
    """Print schedules as they are after a change."""
    wanted = {(row.queue, row.name) for row in changed}
    rows = session.looking().periodic(whole=True)
    show(session, [row for row in rows if (row.queue, row.name) in wanted])


def _last_states(session: Session, rows: Sequence[Periodic]) -> dict[tuple[str, str], str]:
    from hueycore.model.jobs import Selector

    ids = tuple(row.last_id for row in rows if row.last_id is not None)
    if not ids:
        return {}
    jobs = session.looking().jobs(Selector(keys=ids))
    return {(job.queue, job.id): str(job.state) for job in jobs}


def _columns() -> dict[str, Column]:
    from hueyctl.output.columns import Column

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
