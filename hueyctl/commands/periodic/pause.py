"""``hueyctl periodic pause``: schedules that do not fire for a while."""

from __future__ import annotations

import click

from hueyctl import exits
from hueyctl.changes.queues import looking_before_writing
from hueyctl.command import command
from hueyctl.commands.periodic import shared
from hueyctl.context import Session
from hueyctl.operator import operator


@command(
    "pause",
    examples=[
        'hueyctl periodic pause myapp.report.nightly --reason "month end"',
        "hueyctl periodic pause 'myapp.sync.*'",
    ],
    arguments=[shared.NAME_HELP],
    codes=shared.CODES,
)
@click.argument("periodic", nargs=-1, required=True, metavar="NAME...")
@click.option("--reason", metavar="TEXT", help="Why; shown to whoever asks.")
def periodic_pause(session: Session, periodic: tuple[str, ...], reason: str | None) -> int:
    """Pause periodic tasks: they do not fire until they are resumed, across deploys as well.

    What has fired already stays queued. All of a queue at once: hueyctl pause --scheduler.
    """
    found = shared.to_change(session, periodic)
    rows = found.all_there(looking_before_writing(session))
    for queue, names in shared.by_queue(rows).items():
        session.writing(queue).pause_periodic(names, by=operator(), reason=reason)
    shared.show_now(session, rows)
    return exits.OK
