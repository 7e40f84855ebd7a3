"""Schedules as rows of a table: what the commands of ``periodic`` share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from hueyctl import errors, exits
from hueyctl.changes.queues import looking_before_writing, queues_to_change

if TYPE_CHECKING:
    from hueycore.model.schedules import Periodic
    from hueycore.storage.base import Storage
    from hueyctl.context import Session

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
    return _find(storage, queues_to_change(session, storage, by_id=False), names)


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


def show(session: Session, rows: Sequence[Periodic]) -> None:
    """Print schedules as they are now."""
    from hueyctl.output.periodic import NORMAL, columns, with_states

    lines = with_states(session.looking, rows)
    output = session.output
    if output.is_json:
        output.objects(line.as_object() for line in lines)
        return
    output.rows(
        lines,
        columns(),
        NORMAL,
        ("task", "args", "catch_up", "origin", "reason", "queue"),
        name=lambda line: line.row.name,
    )


def show_now(session: Session, changed: Sequence[Periodic]) -> None:
    """Print schedules as they are after a change."""
    wanted = {(row.queue, row.name) for row in changed}
    rows = session.looking().periodic(whole=True)
    show(session, [row for row in rows if (row.queue, row.name) in wanted])
