"""Consumers and what they run, for people and pipes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hueyctl.output.columns import Column

if TYPE_CHECKING:
    from hueyctl.answers.workers import Consumer, Run

#: The columns that are shown when nothing is said.
NORMAL = ("name", "host", "pid", "kind", "state", "job", "task", "for", "rss", "up")


class Row(NamedTuple):
    """A line of the table."""

    consumer: Consumer
    run: Run | None

    def state(self, now: float) -> str:
        whole = self.consumer.state(now)
        if whole == "overdue" and self.run is not None and not self.run.is_overdue(now):
            return "busy"
        return whole


def rows_of(consumer: Consumer) -> list[Row]:
    return [Row(consumer, run) for run in consumer.runs] or [Row(consumer, None)]


def _megabytes(row: Row) -> str | None:
    rss = row.consumer.rss
    return None if rss is None else f"{rss / 1_000_000:.0f} MB"


def _task(row: Row) -> str | None:
    return row.run.job.task if row.run is not None and row.run.job is not None else None


def columns(now: float) -> dict[str, Column]:
    found = (
        Column("name", "NAME", "text", lambda row: row.consumer.row.name),
        Column("host", "HOST", "text", lambda row: row.consumer.row.host),
        Column("pid", "PID", "int", lambda row: row.consumer.row.pid),
        Column("queue", "QUEUE", "text", lambda row: row.consumer.row.queue),
        Column("kind", "KIND", "text", lambda row: row.consumer.row.kind),
        Column("state", "STATE", "text", lambda row: row.state(now)),
        Column("job", "JOB", "int", lambda row: row.run.seq if row.run else None),
        Column("task", "TASK", "text", _task),
        Column("for", "FOR", "span", lambda row: row.run.for_s(now) if row.run else None),
        Column("rss", "RSS", "text", _megabytes),
        Column("up", "UP", "span", lambda row: max(0.0, now - row.consumer.row.started_at)),
        Column("slots", "SLOTS", "int", lambda row: row.consumer.row.slots),
        Column("held", "HELD", "int", lambda row: row.consumer.held),
        Column("started_at", "STARTED", "time", lambda row: row.consumer.row.started_at),
    )
    return {column.key: column for column in found}
