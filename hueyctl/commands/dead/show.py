"""``hueyctl dead show``: everything about a dead letter."""

from __future__ import annotations

import click

from hueyctl import errors, exits
from hueyctl.command import command
from hueyctl.context import Session
from hueyctl.selection.ids import find_all
from hueyctl.selection.options import ID_HELP


@command(
    "show",
    examples=[
        "hueyctl dead show 91",
        "hueyctl dead show 91 --traceback",
        "hueyctl dead show 91 --json",
    ],
    arguments=[ID_HELP],
    codes=[exits.NOT_FOUND, exits.UNAVAILABLE, exits.CONFIG],
)
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option("--traceback", is_flag=True, help="Also the traceback of the last error.")
def dead_show(session: Session, ids: tuple[str, ...], traceback: bool) -> int:
    """Show dead letters: arguments, what happened to them, the error, the stages around them."""
    from hueyctl.changes.actions import not_dead
    from hueyctl.commands.show.command import display

    found = find_all(session, ids)
    dead = [job for job in found.jobs if job.state == "dead"]
    display(session, found.storage, dead, traceback=traceback)
    found.raise_missing()
    for job in found.jobs:
        if (reason := not_dead(job)) is not None:
            raise errors.CliError(
                f"job {job.seq} {reason}", exits.NOT_FOUND, f"hueyctl show {job.seq}"
            )
    return exits.OK
