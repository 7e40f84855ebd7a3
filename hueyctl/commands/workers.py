"""``hueyctl workers``: who is there, and what they run."""

from __future__ import annotations

import time

import click

from hueyctl import exits
from hueyctl.command import command
from hueyctl.context import Session


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
    looks).
    """
    from hueyctl.answers.workers import consumers
    from hueyctl.output.workers import NORMAL, columns, rows_of

    storage = session.looking()
    found = consumers(storage, session.check_queues(storage))
    now = time.time()
    output = session.output
    if output.is_json:
        output.objects(consumer.as_object(now) for consumer in found)
    else:
        output.rows(
            [row for consumer in found for row in rows_of(consumer)],
            columns(now),
            NORMAL,
            ("queue", "slots", "held", "started_at"),
            name=lambda row: row.consumer.row.name,
        )
    if not found:
        session.remark("No consumers.")
    alive = any(consumer.row.alive for consumer in found)
    return exits.NO_MATCH if exit_code and not alive else exits.OK
