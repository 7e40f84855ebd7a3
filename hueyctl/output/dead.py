"""Dead letters by what they have in common, for people, pipes and scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hueyctl.output.columns import Column
from hueyctl.units import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hueyctl.context import Session
    from hueyctl.selection.selection import Selection

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


def groups(session: Session, selection: Selection) -> Iterable[Group]:
    storage, now = session.looking(), session.output.style.now
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
        for job in selection.jobs(storage, session)
    )


def merged(groups: Iterable[Group], by: str | None) -> list[Group]:
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


def as_object(group: Group) -> dict[str, Any]:
    return {
        "count": group.number,
        "task": group.task,
        "error": group.error,
        **{f"last_{name}": number for name, number in zip(WINDOWS, group.recent, strict=True)},
        "first": rfc3339(group.first),
        "last": rfc3339(group.last),
    }


def name_of(group: Group) -> str:
    return " ".join(part for part in (group.task, group.error) if part)


def columns() -> dict[str, Column]:
    found = [
        Column("count", "COUNT", "count", lambda group: group.number),
        Column("task", "TASK", "text", lambda group: group.task),
        Column("error", "ERROR", "text", lambda group: group.error),
    ]
    for place, name in enumerate(WINDOWS):
        found.append(Column(f"last_{name}", name.upper(), "count", _recent(place)))
    found.append(Column("first", "FIRST", "time", lambda group: group.first))
    found.append(Column("last", "LAST", "time", lambda group: group.last))
    return {column.key: column for column in found}


def _recent(place: int) -> Callable[[Group], int]:
    return lambda group: group.recent[place]
