"""``hueyctl dead list``: jobs that failed for good."""

from __future__ import annotations

import click

from hueyctl import exits
from hueyctl.command import command
from hueyctl.commands.dead import shared
from hueyctl.context import Session
from hueyctl.output import list_view
from hueyctl.selection.choice import Choice
from hueyctl.selection.options import ID_HELP

PRESET = list_view.Preset(
    states=("dead",),
    sort="-finished_at",
    columns=("seq", "task", "error", "died", "tries", "args"),
    wide=("queue", "reason", "crashes", "enqueued_at", "priority", "id"),
)


@command(
    "list",
    examples=[
        "hueyctl dead list",
        "hueyctl dead list --newer-than 1h --where 'error.type = TimeoutError'",
        "hueyctl dead list --task 'myapp.mail.*' -o name",
    ],
    arguments=[ID_HELP],
    codes=[exits.NOT_FOUND, exits.NO_MATCH, exits.UNAVAILABLE, exits.CONFIG],
)
@shared.letter_options
@click.option("--count", "number", is_flag=True, help="Print just the number.")
@click.option("--exit-code", is_flag=True, help="Exit 4 when nothing matches.")
def dead_list(session: Session, choice: Choice, number: bool, exit_code: bool) -> int:
    """List dead letters: jobs that failed for good. The latest come first.

    They are kept with arguments and errors for thirty days, if they are not retried or purged
    before.
    """
    how = list_view.How(follow=False, interval=None, number=number, exit_code=exit_code)
    return list_view.run(session, shared.only_dead(choice), how, PRESET)
