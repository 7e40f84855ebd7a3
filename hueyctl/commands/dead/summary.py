"""``hueyctl dead summary``: what fails most, and since when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import click

from hueyctl import exits
from hueyctl.command import command
from hueyctl.commands.dead import shared
from hueyctl.context import Session
from hueyctl.selection.choice import Choice
from hueyctl.selection.options import ID_HELP, selecting
from hueyctl.selection.selection import Selection
from hueyctl.units import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hueycore.storage.base import Storage
    from hueyctl.output.columns import Column

#: The windows of ``DeadGroup.recent``.
WINDOWS = ("1h", "3h", "24h", "3d", "7d")
_HOURS = (1, 3, 24, 72, 168)


class Group(NamedTuple):
    """Dead letters with the same task and error; None where either is not looked at."""

    number: int
    task: str | None
    error: str | None
    recent: tuple[int, ...]
    first: float
    last: float


@command(
    "summary",
    examples=[
        "hueyctl dead summary",
        "hueyctl dead summary --by error --newer-than 7d",
        "hueyctl dead summary --json",
    ],
    arguments=[ID_HELP],
    codes=[exits.NOT_FOUND, exits.NO_MATCH, exits.UNAVAILABLE, exits.CONFIG],
)
@selecting(leave_out=("state", "sort", "limit"), all_help="All dead letters.")
@click.option(
    "--by", type=click.Choice(("error", "task")), help="By one of them only; default: by both."
)
@click.option(
    "-n", "--limit", type=click.IntRange(min=0), metavar="N", help="At most N lines; 0 for all."
)
@click.option("--exit-code", is_flag=True, help="Exit 4 when nothing matches.")
def dead_summary(
    session: Session, choice: Choice, by: str | None, limit: int | None, exit_code: bool
) -> int:
    """Count dead letters by task and by the error of their last attempt, most frequent first.

    1H to 7D are those that died in the last hour, three hours, day, three days and week.
    """
    storage = session.looking()
    selection = shared.selected(session, storage, choice)
    found = _merged(_groups(storage, selection, session.output.style.now), by)
    selection.say_undecodable()
    shown = found[: limit or None]
    if session.output.is_json:
        session.output.objects(_as_object(group) for group in shown)
    else:
        columns = _columns()
        session.output.rows(shown, columns, tuple(columns), name=_name)
    if not found:
        session.remark("No dead letters.")
    return exits.NO_MATCH if exit_code and not found else exits.OK


def _groups(storage: Storage, selection: Selection, now: float) -> Iterable[Group]:
    if selection.impossible:
        return []
    if not selection.deep:
        return [Group._make(group) for group in storage.dead_groups(selection.selector)]
    return (
        Group(
            1,
            job.task,
            job.errors[-1].get("type") if job.errors else job.reason,
            tuple(int((job.finished_at or 0) > now - 3600 * hours) for hours in _HOURS),
            job.finished_at or 0.0,
            job.finished_at or 0.0,
        )
        for job in selection.jobs(storage)
    )


def _merged(groups: Iterable[Group], by: str | None) -> list[Group]:
    """Groups that agree in what they are grouped by, as one."""
    found: dict[tuple[str | None, str | None], Group] = {}
    for group in groups:
        key = (None if by == "error" else group.task, None if by == "task" else group.error)
        seen = found.get(key)
        if seen is None:
            found[key] = group._replace(task=key[0], error=key[1])
            continue
        found[key] = seen._replace(
            number=seen.number + group.number,
            recent=tuple(map(sum, zip(seen.recent, group.recent, strict=True))),
            first=min(seen.first, group.first),
            last=max(seen.last, group.last),
        )
    return sorted(
        found.values(), key=lambda each: (-each.number, each.task or "", each.error or "")
    )


def _as_object(group: Group) -> dict[str, Any]:
    return {
        "count": group.number,
        "task": group.task,
        "error": group.error,
        **{f"last_{name}": number for name, number in zip(WINDOWS, group.recent, strict=True)},
        "first": rfc3339(group.first),
        "last": rfc3339(group.last),
    }


def _name(group: Group) -> str:
    return " ".join(part for part in (group.task, group.error) if part)


def _columns() -> dict[str, Column]:
    from hueyctl.output.columns import Column

    found = [
        Column("count", "COUNT", "int", lambda group: group.number),
        Column("task", "TASK", "text", lambda group: group.task),
        Column("error", "ERROR", "text", lambda group: group.error),
    ]
    for place, name in enumerate(WINDOWS):
        found.append(Column(f"last_{name}", name.upper(), "int", _recent(place)))
    found.append(Column("first", "FIRST", "time", lambda group: group.first))
    found.append(Column("last", "LAST", "time", lambda group: group.last))
    return {column.key: column for column in found}


def _recent(place: int) -> Callable[[Group], int]:
    return lambda group: group.recent[place]
