"""``hueyctl lock list``: who holds which lock, and who waits for it."""

from __future__ import annotations

import time

import click

from hueyctl import exits
from hueyctl.command import command
from hueyctl.context import Session


@command(
    "list",
    examples=[
        "hueyctl lock list",
        "hueyctl lock list --all",
        "hueyctl lock list --json | jq -r '.[] | select(.alive | not) | .name'",
    ],
    codes=[exits.NOT_FOUND, exits.UNAVAILABLE, exits.CONFIG],
)
@click.option(
    "--all",
    "all_",
    is_flag=True,
    help="Also limits and rates of tasks, and the jobs that have them.",
)
def lock_list(session: Session, all_: bool) -> int:
    """List the locks that are held, by name: who, since when, until when at the latest, who waits.

    A holder is a process (lock_task, hueyctl lock acquire), or a running job of a task whose jobs
    take turns (lock=, max_concurrent=1). Those that wait are jobs: the next three, and how many
    more. hueyctl why says the same of one job. With --all also what several jobs may have at once
    and rates: those with the longest line first, a hundred at most.
    """
    from hueyctl.answers.holds import holds
    from hueyctl.output.holds import EVERY, NORMAL, columns

    storage = session.looking()
    queues = session.check_queues(storage)
    now = time.time()
    found, whole = holds(storage, queues)
    rows = found if all_ else [row for row in found if row.is_lock]
    output = session.output
    if output.is_json:
        output.objects(row.as_object(now) for row in rows)
    else:
        output.rows(
            rows,
            columns(now),
            EVERY if all_ else NORMAL,
            ("queue", "host", "pid", "alive", "waiting", "job"),
            name=lambda row: row.name,
        )
    if not rows:
        session.remark("Nothing is held or declared." if all_ else "No locks.")
    elif not whole and all_:
        session.notice("more jobs wait than are counted: these are the first 100,000 of each queue")
    return exits.OK
