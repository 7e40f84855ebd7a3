"""``hueyctl dead summary``: what fails most, and since when."""

from __future__ import annotations

import click

from hueyctl import exits
from hueyctl.command import command
from hueyctl.commands.dead import shared
from hueyctl.context import Session
from hueyctl.selection.choice import Choice
from hueyctl.selection.options import ID_HELP, selecting
from hueyctl.selection.params import Whole


@command(
    "summary",
    examples=[
        "hueyctl dead summary",
        "hueyctl dead summary --by error --newer-than 7d",
        "hueyctl dead summary --json",
    ],
    arguments=[ID_HELP],
    codes=[exits.NOT_FOUND, exits.NO_MATCH, exits.UNAVAILABLE, exits.CONFIG],
)
@selecting(leave_out=("state", "sort", "limit"), all_help="All dead letters.")
@click.option(
    "--by", type=click.Choice(("error", "task")), help="By one of them only; default: by both."
)
@click.option("-n", "--limit", type=Whole(0), metavar="N", help="At most N lines; 0 for all.")
@click.option("--exit-code", is_flag=True, help="Exit 4 when nothing matches.")
def dead_summary(
    session: Session, choice: Choice, by: str | None, limit: int | None, exit_code: bool
) -> int:
    """Count dead letters by task and by the error of their last attempt, most frequent first.

    1H to 7D are those that died in the last hour, three hours, day, three days and week.
    """
    from hueyctl.output import dead

    storage = session.looking()
    selection = shared.selected(session, storage, choice)
    found = dead.merged(dead.groups(session, selection), by)
    selection.say_left_out()
    shown = found[: limit or None]
    if session.output.is_json:
        session.output.objects(dead.as_object(group) for group in shown)
    else:
        columns = dead.columns()
        session.output.rows(shown, columns, tuple(columns), name=dead.name_of)
    if not found:
        session.remark("No dead letters.")
    return exits.NO_MATCH if exit_code and not found else exits.OK
