"""``hueyctl scheduled``: what is due later."""

from __future__ import annotations

from hueyctl import exits
from hueyctl.command import command
from hueyctl.context import Session
from hueyctl.output import list_view
from hueyctl.selection.choice import Choice
from hueyctl.selection.options import ID_HELP, selector_options

PRESET = list_view.Preset(
    states=("scheduled",),
    sort="run_at",
    columns=("seq", "task", "args", "run_at", "in"),
    wide=("queue", "priority", "enqueued_at", "try", "retries", "expires_at", "id"),
)


@command(
    "scheduled",
    examples=[
        "hueyctl scheduled --where 'run_at < +1h' --json",
        "hueyctl scheduled -n 10 --time-format iso",
    ],
    arguments=[ID_HELP],
    codes=[exits.NOT_FOUND, exits.NO_MATCH, exits.UNAVAILABLE, exits.CONFIG],
)
@selector_options
@list_view.listing_options
def scheduled(session: Session, choice: Choice, how: list_view.How) -> int:
    """List the jobs that wait for their time, the soonest first.

    A job that failed and waits for its next try is among them.
    """
    return list_view.run(session, choice, how, PRESET)
