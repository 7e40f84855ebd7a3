"""``hueyctl periodic resume``: undo periodic pause."""

from __future__ import annotations

import click

from hueyctl import exits
from hueyctl.changes.queues import looking_before_writing
from hueyctl.command import command
from hueyctl.commands.periodic import shared
from hueyctl.context import Session


@command(
    "resume",
    examples=[
        "hueyctl periodic resume myapp.report.nightly",
        "hueyctl periodic resume 'myapp.sync.*'",
    ],
    arguments=[shared.NAME_HELP],
    codes=shared.CODES,
)
@click.argument("periodic", nargs=-1, required=True, metavar="NAME...")
def periodic_resume(session: Session, periodic: tuple[str, ...]) -> int:
    """Let paused periodic tasks fire again.

    What they missed is made up for as each one's catch_up says: by default the last run, if it is
    not older than an hour.
    """
    found = shared.to_change(session, periodic)
    rows = found.all_there(looking_before_writing(session))
    for queue, names in shared.by_queue(rows).items():
        resumed = session.writing(queue).resume_periodic(names)
        for name in sorted(set(names) - set(resumed)):
            session.remark(f"{name} was not paused.")
    shared.show_now(session, rows)
    return exits.OK
