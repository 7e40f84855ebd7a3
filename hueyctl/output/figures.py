"""The figures as tables: by queue, by task, by worker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from hueyctl import errors, units
from hueyctl.answers.stats import consumer_state
from hueyctl.output.columns import Column
from hueyctl.output.sparkline import sparkline

if TYPE_CHECKING:
    from hueycore.model.reports import WorkerRow
    from hueyctl.answers.figures import Figures, QueueFigures
    from hueyctl.answers.rates import TaskFigures

#: Shown as it stands, to the right.
_AS_IT_STANDS = "int"
TREND_WIDTH = 60


class Reader(NamedTuple):
    """Who reads it: a person gets short texts, a program gets plain numbers."""

    human: bool
    now: float
    utf8: bool = True
    trend: int = TREND_WIDTH


class Table(NamedTuple):
    """How rows of one kind are shown. ``sort`` are the columns that a live view goes through."""

    columns: Callable[[Reader], dict[str, Column]]
    normal: tuple[str, ...]
    wide: tuple[str, ...]
    rows: Callable[[Figures], list[Any]]
    name: Callable[[Any], str]
    sort: tuple[str, ...]


def _made(
    reader: Reader, *columns: tuple[str, str, str, Callable[[Any], Any]]
) -> dict[str, Column]:
    found = {}
    for key, header, kind, value in columns:
        write = _WRITE.get(kind) if reader.human else None
        if kind == "trend":
            found[key] = Column(key, header, "text", _trend(value, reader))
        elif write is None:
            found[key] = Column(key, header, "number" if kind == "rate" else kind, value)
        else:
            found[key] = Column(key, header, _AS_IT_STANDS, _written(value, write))
    return found


def _written(value: Callable[[Any], Any], write: Callable[[Any], str]) -> Callable[[Any], str]:
    def text(row: Any) -> str:
        found = value(row)
        return "-" if found is None else write(found)

    return text


def _trend(value: Callable[[Any], Sequence[int]], reader: Reader) -> Callable[[Any], str]:
    return lambda row: sparkline(value(row), utf8=reader.utf8, width=reader.trend)


def short(seconds: float) -> str:
    """A duration in few letters, one decimal where it matters: ``82ms``, ``1.9s``, ``5m``."""
    if 0 < seconds < 0.0001:
        return "<0.1ms"
    if seconds < 0.0995:
        return f"{seconds * 1000:.1f}ms" if seconds < 0.00995 else f"{seconds * 1000:.0f}ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f}ms"
    return f"{seconds:.1f}s" if seconds < 9.95 else units.brief(seconds)


def _rate(value: float) -> str:
    return f"{value:.1f}" if value < 1000 else units.grouped(round(value))


_WRITE: dict[str, Callable[[Any], str]] = {
    "int": units.grouped,
    "rate": _rate,
    "span": short,
}


def _percent(ratio: float | None) -> float | None:
    return None if ratio is None else round(100 * ratio, 2)


def _empties(reader: Reader) -> Callable[[QueueFigures], Any]:
    """For people: nothing waits, a time, or never."""

    def value(row: QueueFigures) -> Any:
        if not reader.human:
            return row.empties_in_s
        if row.paused:
            return "-"
        if row.empties_in_s is None:
            return "∞" if reader.utf8 else "never"
        return short(row.empties_in_s) if row.empties_in_s else "-"

    return value


#: Columns of what has rates, a queue or a task: how often runs failed, what they took.
_OF_RATES: tuple[tuple[str, str, str, Callable[[Any], Any]], ...] = (
    ("failed", "FAIL%", "rate", lambda row: _percent(row.rates.failure_ratio)),
    ("p50", "P50", "span", lambda row: row.rates.run.p50),
    ("p95", "P95", "span", lambda row: row.rates.run.p95),
    ("p99", "P99", "span", lambda row: row.rates.run.p99),
    ("max", "MAX", "span", lambda row: row.rates.run.max),
    ("wait_p50", "WAIT50", "span", lambda row: row.rates.wait.p50),
    ("wait_p95", "WAIT95", "span", lambda row: row.rates.wait.p95),
    ("wait_p99", "WAIT99", "span", lambda row: row.rates.wait.p99),
    ("trend", "TREND", "trend", lambda row: row.rates.trend),
)


def queue_columns(reader: Reader) -> dict[str, Column]:
    def name(row: QueueFigures) -> str:
        return f"{row.name} (paused)" if row.paused and reader.human else row.name

    counted = (
        ("pending", "PEND"), ("scheduled", "SCHED"), ("blocked", "BLOCK"), ("running", "RUN"),
        ("dead", "DEAD"), ("done", "DONE"), ("revoked", "REVOKED"), ("expired", "EXPIRED"),
    )  # fmt: skip
    counts = [(key, header, "int", lambda row, key=key: row.counts[key]) for key, header in counted]
    found = _made(
        reader,
        ("queue", "QUEUE", "text", name),
        *counts,
        ("oldest", "OLDEST", "span", lambda row: row.oldest_s),
        ("in_per_s", "IN/S", "rate", lambda row: round(row.in_per_s, 3)),
        ("out_per_s", "OUT/S", "rate", lambda row: round(row.rates.out_per_s, 3)),
        *_OF_RATES,
        ("next_run_at", "NEXT", "time", lambda row: row.next_run_at),
    )
    kind = _AS_IT_STANDS if reader.human else "span"
    found["empty_in"] = Column("empty_in", "EMPTY-IN", kind, _empties(reader))
    return found


def task_columns(reader: Reader) -> dict[str, Column]:
    def last(row: TaskFigures) -> Any:
        if not reader.human:
            return row.last_minute
        # Known to the minute only.
        away = reader.now - row.last_minute - 60
        return "<1m" if away < 60 else units.brief(away)

    found = _made(
        reader,
        ("task", "TASK", "text", lambda row: row.task),
        ("queue", "QUEUE", "text", lambda row: row.queue),
        ("runs", "RUNS", "int", lambda row: row.rates.runs),
        ("done", "OK", "int", lambda row: row.rates.done),
        ("dead", "FAIL", "int", lambda row: row.rates.dead),
        ("retried", "RETRY", "int", lambda row: row.rates.retried),
        *_OF_RATES,
    )
    found["last"] = Column("last", "LAST", _AS_IT_STANDS if reader.human else "time", last)
    return found


def worker_columns(reader: Reader) -> dict[str, Column]:
    return _made(
        reader,
        ("name", "NAME", "text", lambda row: row.name),
        ("queue", "QUEUE", "text", lambda row: row.queue),
        ("host", "HOST", "text", lambda row: row.host),
        # Not a quantity: no thousands are set apart.
        ("pid", "PID", "text", lambda row: str(row.pid)),
        ("kind", "KIND", "text", lambda row: row.kind),
        ("state", "STATE", "text", consumer_state),
        ("workers", "WORKERS", "int", lambda row: row.slots),
        ("busy", "BUSY", "int", lambda row: len(row.running)),
        ("jobs", "JOBS", "text", lambda row: " ".join(str(seq) for _, seq in row.running)),
        ("up", "UP", "span", lambda row: max(0.0, reader.now - row.started_at)),
    )


def _worst_first(figures: Figures) -> list[TaskFigures]:
    return sorted(figures.tasks, key=lambda row: (-row.rates.failed, -row.rates.runs, row.task))


def _consumers(figures: Figures) -> list[WorkerRow]:
    return figures.consumers


TABLES = {
    "queue": Table(
        queue_columns,
        ("queue", "pending", "scheduled", "blocked", "running", "dead", "oldest", "in_per_s",
         "out_per_s", "failed", "p50", "p95", "p99", "trend", "empty_in"),
        ("max", "wait_p50", "wait_p95", "wait_p99", "done", "revoked", "expired", "next_run_at"),
        lambda figures: figures.queues,
        lambda row: str(row.name),
        ("queue", "-pending", "-oldest", "-dead", "-out_per_s", "-failed", "-p95"),
    ),
    "task": Table(
        task_columns,
        ("task", "runs", "done", "dead", "retried", "failed", "p50", "p95", "p99", "max", "last",
         "trend"),
        ("queue", "wait_p50", "wait_p95", "wait_p99"),
        _worst_first,
        lambda row: str(row.task),
        ("-failed", "-runs", "-p95", "-max", "task"),
    ),
    "worker": Table(
        worker_columns,
        ("name", "queue", "host", "pid", "kind", "state", "workers", "busy", "jobs", "up"),
        (),
        _consumers,
        lambda row: str(row.name),
        ("name", "-busy", "up"),
    ),
}  # fmt: skip


def sorted_rows(figures: Figures, table: Table, sort: str | None) -> list[Any]:
    """The rows by a column; ``-column`` the largest first, what is unknown last."""
    rows = table.rows(figures)
    if sort is None:
        return rows
    column = column_to_sort(table, sort)
    down = sort.startswith("-")
    known = [row for row in rows if column.value(row) is not None]
    unknown = [row for row in rows if column.value(row) is None]
    return sorted(known, key=column.value, reverse=down) + unknown


def column_to_sort(table: Table, sort: str) -> Column:
    """Raises a usage error that lists the columns."""
    known = table.columns(Reader(human=False, now=0))
    name = sort.removeprefix("-").lower().replace("-", "_")
    for key, column in known.items():
        if name in (key, column.header.lower().replace("-", "_")):
            return column
    raise errors.usage(f"cannot sort by {name!r}", f"columns are {', '.join(known)}")
