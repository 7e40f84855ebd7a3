"""``hueyctl workers``: who is there, and what they run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

import click

from hueyctl import exits
from hueyctl.command import command
from hueyctl.context import Session

if TYPE_CHECKING:
    from hueyctl.answers.workers import Consumer, Run
    from hueyctl.output.columns import Column


@command(
    "workers",
    examples=[
        "hueyctl workers",
        "hueyctl workers --exit-code -q || systemctl restart myapp-worker",
        "hueyctl workers --json | jq '.[] | select(.state == \"overdue\")'",
    ],
    codes=[exits.NOT_FOUND, exits.NO_MATCH, exits.UNAVAILABLE, exits.CONFIG],
)
@click.option("--exit-code", is_flag=True, help="Exit 4 when no consumer is alive.")
def workers(session: Session, exit_code: bool) -> int:
    """List consumer processes and the jobs that their workers run now.

    A line per job that runs, one for a consumer that has none; worker processes have a line each,
    NAME/1 and so on, and NAME/scheduler is the process that schedules for them. States: idle, busy,
    overdue (a run goes on after its timeout), stopping, dead (its jobs go to the next consumer that
    looks). On a terminal the queues that no consumer serves are named below.
    """
    from hueyctl.answers.queues import unserved
    from hueyctl.answers.workers import consumers

    storage = session.looking()
    queues = session.check_queues(storage)
    found = consumers(storage, queues)
    now = time.time()
    output = session.output
    if output.is_json:
        output.objects(consumer.as_object(now) for consumer in found)
    else:
        several = output.on_tty and len({consumer.row.queue for consumer in found}) > 1
        output.rows(
            [row for consumer in found for row in _rows(consumer)],
            _columns(now),
            [key for key in _NORMAL if several or key != "queue"],
            [key for key in _WIDE if not several or key != "queue"],
            name=lambda row: row.consumer.row.name,
        )
    if not found:
        session.remark("No consumers.")
    for name in unserved(storage, queues):
        session.remark(f"No consumer serves queue {name}: hueyctl consume APP --queue {name}")
    alive = any(consumer.row.alive for consumer in found)
    return exits.NO_MATCH if exit_code and not alive else exits.OK


#: QUEUE is of the normal ones on a terminal where there are several.
_NORMAL = ("name", "queue", "host", "pid", "kind", "state", "job", "task", "for", "rss", "up")
_WIDE = ("queue", "slots", "held", "started_at")


class Row(NamedTuple):
    """A line of the table."""

    consumer: Consumer
    run: Run | None

    def state(self, now: float) -> str:
        whole = self.consumer.state(now)
        if whole == "overdue" and self.run is not None and not self.run.is_overdue(now):
            return "busy"
        return whole


def _rows(consumer: Consumer) -> list[Row]:
    return [Row(consumer, run) for run in consumer.runs] or [Row(consumer, None)]


def _megabytes(row: Row) -> str | None:
    rss = row.consumer.rss
    return None if rss is None else f"{rss / 1_000_000:.0f} MB"


def _task(row: Row) -> str | None:
    return row.run.job.task if row.run is not None and row.run.job is not None else None


def _columns(now: float) -> dict[str, Column]:
    from hueyctl.output.columns import Column

    columns = (
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
    return {column.key: column for column in columns}
