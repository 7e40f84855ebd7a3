"""``hueyctl periodic list``: the schedules of the storage."""

from __future__ import annotations

import click

from hueyctl import exits
from hueyctl.command import command
from hueyctl.commands.periodic import shared
from hueyctl.context import Session


@command(
    "list",
    examples=[
        "hueyctl periodic list",
        "hueyctl periodic list 'myapp.report.*' -o wide",
        "hueyctl periodic list --json | jq -r '.[] | select(.paused).name'",
    ],
    arguments=[shared.NAME_HELP],
    codes=[exits.NOT_FOUND, exits.UNAVAILABLE, exits.CONFIG],
)
@click.argument("periodic", nargs=-1, metavar="[NAME]...")
def periodic_list(session: Session, periodic: tuple[str, ...]) -> int:
    """List periodic tasks: when they run, what the last run came to.

    The origin of a schedule is code (an application declares it), process (a consumer declared it
    while it ran, and takes it away with it) or stored (periodic add, huey.schedule_periodic).
    """
    rows = shared.look(session, periodic)
    shared.show(session, rows)
    if not rows:
        session.remark("No periodic tasks.")
    return exits.OK
