"""``hueyctl periodic remove``: forget stored schedules."""

from __future__ import annotations

import click

from hueyctl import exits
from hueyctl.answers.reason import shell_line
from hueyctl.changes.confirm import confirm
from hueyctl.changes.report import NOT_FOUND, REFUSED, Change
from hueyctl.command import command
from hueyctl.commands.periodic import shared
from hueyctl.context import Session


@command(
    "remove",
    examples=[
        "hueyctl periodic remove 'nightly for ann'",
        "hueyctl periodic remove 'nightly for *' --dry-run",
    ],
    arguments=[shared.NAME_HELP],
    codes=[*shared.CODES, exits.FAILURE, exits.REFUSED],
)
@click.argument("periodic", nargs=-1, required=True, metavar="NAME...")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option("-y", "--yes", is_flag=True, allow_from_autoenv=False, help="Do not ask before.")
def periodic_remove(session: Session, periodic: tuple[str, ...], dry_run: bool, yes: bool) -> int:
    """Forget schedules of periodic add and huey.schedule_periodic. More than one is confirmed.

    What they have fired already stays queued. What an application declares in its code cannot be
    removed here, only paused.
    """
    found = shared.to_change(session, periodic)
    change = Change(
        "remove", matched=len(found.rows), dry_run=dry_run, look=shared.LIST, others="schedule"
    )
    for name in found.missing:
        change.fail(name, NOT_FOUND, f"no periodic task {name!r}")
    for row in found.rows:
        if row.origin != "stored":
            pause = shell_line("periodic", "pause", row.name)
            change.fail(row.name, REFUSED, f"{row.name} is declared in code: {pause}")
    stored = [row for row in found.rows if row.origin == "stored"]
    if len(stored) > 1 and not dry_run:
        confirm(session, f"Remove {len(stored)} schedules?", yes=yes)
    for row in stored:
        if dry_run or session.writing(row.queue).remove_periodic(row.name):
            change.add_order("remove" if dry_run else "removed", row.name)
    return change.report(session)
