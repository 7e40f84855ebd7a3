"""``hueyctl pending``: what runs next."""

from __future__ import annotations

from hueyctl import exits
from hueyctl.command import command
from hueyctl.context import Session
from hueyctl.output import list_view
from hueyctl.selection.choice import Choice
from hueyctl.selection.options import ID_HELP, selector_options

PRESET = list_view.Preset(
    states=("pending",),
    sort="running-order",
    columns=("position", "seq", "task", "args", "priority", "age"),
    wide=("queue", "run_at", "enqueued_at", "try", "retries", "expires_at", "id"),
)


@command(
    "pending",
    examples=[
        "hueyctl pending -n 5",
        "hueyctl pending --task 'myapp.mail.*' --count",
    ],
    arguments=[ID_HELP],
    codes=[exits.NOT_FOUND, exits.NO_MATCH, exits.UNAVAILABLE, exits.CONFIG],
)
@selector_options
@list_view.listing_options
def pending(session: Session, choice: Choice, how: list_view.How) -> int:
    """List the jobs that are ready, in the order in which workers take them.

    Priority comes first, then how long a job has been ready, then its number.
    """
    return list_view.run(session, choice, how, PRESET)
