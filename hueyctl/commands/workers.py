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
    looks). On a terminal the queues that no consumer serves are named below.
    """
    from hueyctl.answers.queues import unserved
    from hueyctl.answers.workers import consumers
    from hueyctl.output.workers import NORMAL, WIDE, columns, rows_of

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
            [row for consumer in found for row in rows_of(consumer)],
            columns(now),
            [key for key in NORMAL if several or key != "queue"],
            [key for key in WIDE if not several or key != "queue"],
            name=lambda row: row.consumer.row.name,
        )
    if not found:
        session.remark("No consumers.")
    for name in unserved(storage, queues):
        session.remark(f"No consumer serves queue {name}: hueyctl consume APP --queue {name}")
    alive = any(consumer.row.alive for consumer in found)
    return exits.NO_MATCH if exit_code and not alive else exits.OK
