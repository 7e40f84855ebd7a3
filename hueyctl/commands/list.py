"""``hueyctl list``: jobs, as a table for people and as JSON for scripts."""

from __future__ import annotations

from hueyctl import exits
from hueyctl.command import command
from hueyctl.context import Session
from hueyctl.output import list_view
from hueyctl.selection.choice import Choice
from hueyctl.selection.options import ID_HELP, selector_options


@command(
    "list",
    examples=[
        "hueyctl list --state scheduled --sort run_at -n 20",
        "hueyctl list --task 'myapp.mail.*' --older-than 1h -o name",
        "hueyctl list --state dead --where 'error.type = TimeoutError' --json",
    ],
    arguments=[ID_HELP],
    codes=[exits.NOT_FOUND, exits.NO_MATCH, exits.UNAVAILABLE, exits.CONFIG],
)
@selector_options
@list_view.listing_options
def list_jobs(session: Session, choice: Choice, how: list_view.How) -> int:
    """List jobs: those that wait or run, unless a state is named.

    A terminal gets a table of at most 100 jobs, what runs first in front: jobs that run, how long
    and where (held: claimed, not begun; lost: its consumer died), then those that come. With --all
    or a state of jobs that have ended the newest are in front. A pipe gets tab-separated lines of
    all of them, by number.
    Arguments are shown as the producer wrote them down; nothing of a job is executed.
    """
    from hueycore.model.states import LIVE

    preset = list_view.Preset(
        states=LIVE,
        sort=list_view.TURN,
        columns=("seq", "state", "task", "args", "run_at", "age", "priority", "try"),
        wide=("queue", "worker", "enqueued_at", "retries", "expires_at", "progress", "id"),
    )
    return list_view.run(session, choice, how, preset)
