"""``hueyctl db restore``: a copy back in the place of the queue."""

from __future__ import annotations

import os

import click

from hueyctl import errors, exits
from hueyctl.command import command
from hueyctl.context import Session


@command(
    "restore",
    examples=[
        "hueyctl db restore /var/backups/huey.db",
        "hueyctl db restore huey-2026-11-19.db -u sqlite:///new.db --create --yes",
    ],
    arguments=[("FILE", "A file that db backup wrote.")],
    codes=[exits.FAILURE, exits.REFUSED, exits.UNAVAILABLE, exits.IO_ERROR, exits.CONFIG],
)
@click.argument("file", metavar="FILE")
@click.option("--create", is_flag=True, help="Make the file of --url when it is missing.")
@click.option(
    "--force",
    is_flag=True,
    allow_from_autoenv=False,
    help="Also while consumers live, or when other tables in the file would be lost.",
)
@click.option("-y", "--yes", is_flag=True, allow_from_autoenv=False, help="Do not ask before.")
@click.option(
    "--progress/--no-progress", default=None, help="A counter on stderr (default: on a terminal)."
)
def db_restore(
    session: Session, file: str, create: bool, force: bool, yes: bool, progress: bool | None
) -> int:
    """Put a copy in the place of all that the queue file holds.

    What has come since the copy was made is gone. It is one transaction into the file as it is:
    programs that have it open go on, and whoever enqueues meanwhile waits. While a consumer lives,
    or when the file has tables of other programs, it is refused, exit 6. The copy is checked
    before. Never copy a file over a queue: its log would not fit.
    """
    from hueyctl.changes.confirm import confirm
    from hueyctl.changes.target import Target
    from hueyctl.commands.db import shared

    target = Target(session, create=create)
    looking = target.look()
    if looking is not None:
        shared.refuse_servers(looking, "restore")
        others = looking.info().facts["other_tables"]
        if others and not force:
            raise errors.CliError(
                f"the file has tables of other programs, which would be lost: {', '.join(others)}",
                exits.REFUSED,
                "--force, if that is meant",
            )
        if not force:
            shared.refuse_consumers(looking)
    if not os.path.exists(file):
        raise errors.usage(f"{file}: No such file or directory")
    if looking is not None:
        confirm(session, f"Replace all that {looking.url} holds by {file}?", yes=yes)
    storage = target.open()
    shared.refuse_servers(storage, "restore")
    with shared.percentage(progress) as on_progress:
        storage.restore(file, on_progress=on_progress)
    jobs = sum(depth.count for depth in storage.depths())
    if session.output.is_json:
        document = {"schema": "hueyctl.restore/1", "file": os.path.abspath(file), "jobs": jobs}
        session.output.document(document)
    else:
        session.notice(f"{jobs:,} jobs restored from {file}")
    return exits.OK
