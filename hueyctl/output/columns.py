"""Columns of a table: where a value comes from, and how each format writes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from hueycore.model.states import FINAL, State
from hueyctl import errors, units
from hueyctl.answers import jobs, parts

if TYPE_CHECKING:
    from hueycore.model.jobs import Job
    from hueycore.storage.base import Storage


#: Kinds of cells that stand to the right.
NUMBERS = ("int", "count", "number", "span")


class Column(NamedTuple):
    """``kind``: text, int, count (thousands apart for people), number, bool, time (POSIX seconds),
    span (seconds)."""

    key: str
    header: str
    kind: str
    value: Callable[[Any], Any]


class Style(NamedTuple):
    """How cells are written: ``time_format`` of the settings or ``clock``, local time for people;
    and the time that "now" is."""

    time_format: str
    now: float

    @property
    def is_human(self) -> bool:
        return self.time_format in ("relative", "clock")


def cell(column: Column, row: Any, style: Style) -> str:
    """The text of one cell; unknown is empty, and control characters are not yet replaced."""
    value = column.value(row)
    if value is None:
        return ""
    if column.kind == "time":
        return time_text(value, style)
    if column.kind == "span":
        return units.brief(value) if style.is_human else f"{value:.3f}"
    if column.kind == "count" and style.is_human:
        return units.grouped(value)
    if column.kind == "number":
        return str(jobs.plain_number(value))
    if column.kind == "bool":
        return "yes" if value else "no"
    return str(value)


def time_text(moment: float, style: Style) -> str:
    if style.time_format == "relative":
        return units.relative(moment, style.now)
    if style.time_format == "clock":
        return units.clock(moment, style.now)
    return units.rfc3339(moment) if style.time_format == "iso" else f"{moment:.3f}"


def job_columns(now: float) -> dict[str, Column]:
    """Every column that a job can be shown with, by key."""

    def attempts(job: Job) -> str:
        waits = job.state not in (State.RUNNING, *FINAL)
        number = job.attempt + waits  # the try that comes
        return f"{number}/{number + job.retries}" if job.retries else str(number)

    def error(job: Job) -> str | None:
        return jobs.error_text(job.errors[-1]) if job.errors else None

    headers = {
        "priority": "PRI",
        "enqueued_at": "ENQUEUED",
        "started_at": "STARTED",
        "finished_at": "FINISHED",
        "expires_at": "EXPIRES",
        "key_name": "KEY",
    }
    found = {
        name: Column(
            name,
            headers.get(name, name.upper().replace("_", "-")),
            kind,
            attrgetter(name),
        )
        for name, kind in jobs.COLUMNS.items()
    }
    extra = (
        Column("args", "ARGS", "text", lambda job: job.preview),
        Column("age", "AGE", "span", lambda job: max(0.0, now - job.enqueued_at)),
        Column("in", "IN", "span", lambda job: max(0.0, job.run_at - now)),
        Column("try", "TRY", "text", attempts),
        Column("wait_s", "WAIT", "span", lambda job: jobs.wait_s(job, now)),
        Column("run_s", "RUN", "span", lambda job: jobs.run_s(job, now)),
        Column("error", "ERROR", "text", error),
        Column("died", "DIED", "time", lambda job: job.finished_at),
        Column("tries", "TRIES", "int", lambda job: job.attempt),
    )
    return found | {column.key: column for column in extra}


def part_columns(storage: Storage, names: Sequence[str]) -> dict[str, Column]:
    """Those of ``names`` that are parts of a job, like ``kwargs.user_id``."""

    def value(path: Sequence[str]) -> Callable[[Job], str | None]:
        def text(job: Job) -> str | None:
            found = parts.read_part(storage, job, path)
            return None if found is None else parts.text_of(found)

        return text

    paths = {name: parts.path_of(name) for name in names}
    return {
        name: Column(name, name.upper(), "text", value(path))
        for name, path in paths.items()
        if path is not None
    }


def choose(wanted: Sequence[str], known: dict[str, Column]) -> list[Column]:
    """The columns that ``--columns`` names, by key or header."""
    by_header = {column.header.lower().replace("-", "_"): column for column in known.values()}
    chosen = []
    for name in wanted:
        key = name.lower().replace("-", "_")
        column = known.get(key) or by_header.get(key)
        if column is None:
            raise errors.usage(f"unknown column {name!r}", f"columns are {', '.join(known)}")
        chosen.append(column)
    return chosen
