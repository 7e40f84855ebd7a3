"""``hueyctl periodic trigger``: a run of a periodic task, now."""

from __future__ import annotations

import click

from hueyctl import errors, exits
from hueyctl.changes.queues import looking_before_writing
from hueyctl.command import command
from hueyctl.commands.periodic import shared
from hueyctl.context import Session
from hueyctl.producers.answer import announce, wait_for
from hueyctl.producers.base import Queued
from hueyctl.selection.params import DURATION


@command(
    "trigger",
    examples=[
        "hueyctl periodic trigger myapp.report.nightly",
        "hueyctl periodic trigger myapp.report.nightly --wait -t 10m",
    ],
    arguments=[("NAME", "A schedule, as periodic list names it.")],
    codes=[*shared.CODES, exits.TASK_FAILED, exits.REFUSED, exits.TIMEOUT],
)
@click.argument("periodic", metavar="NAME")
@click.option("-W", "--wait", "wait_", is_flag=True, help="Wait for the job, print its result.")
@click.option(
    "-t", "--timeout", type=DURATION, metavar="DUR", help="With --wait: give up after this long."
)
@click.option("--dry-run", is_flag=True, help="Say what would be queued, queue nothing.")
def periodic_trigger(
    session: Session, periodic: str, wait_: bool, timeout: float | None, dry_run: bool
) -> int:
    """Queue the job of a schedule once more, and print its long id.

    The call and its options are those of the schedule, whose own times stay as they are. A paused
    schedule can be triggered too.
    """
    from hueycore.system.ids import new_id

    if timeout is not None and not wait_:
        raise errors.usage("--timeout needs --wait")
    if wait_ and dry_run:
        raise errors.usage("--dry-run queues nothing to wait for")
    found = shared.to_change(session, [periodic])
    rows = found.all_there(looking_before_writing(session))
    if len(rows) != 1:
        raise errors.usage(f"{periodic!r} is not one periodic task", "name one, with its --queue")
    (row,) = rows
    if dry_run:
        session.notice(f"would queue {row.task}({row.preview or ''})")
        return exits.OK
    (answer,) = session.writing(row.queue).enqueue([row.job(new_id())])
    queued = Queued(answer.id, answer.seq, row.task)
    if wait_:
        return wait_for(session, queued, timeout)
    announce(session, [queued])
    return exits.OK
