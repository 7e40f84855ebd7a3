"""``hueyctl db backup``: a copy of the file that is whole, while others work on it."""

from __future__ import annotations

import os

import click

from hueyctl import exits
from hueyctl.command import command
from hueyctl.context import Session


@command(
    "backup",
    examples=[
        "hueyctl db backup /var/backups/huey.db --overwrite",
        "hueyctl db backup huey-2026-11-19.db --no-progress",
    ],
    arguments=[("FILE", "The new file.")],
    codes=[exits.FAILURE, exits.REFUSED, exits.UNAVAILABLE, exits.IO_ERROR, exits.CONFIG],
)
@click.argument("file", metavar="FILE")
@click.option("--overwrite", is_flag=True, help="Replace FILE if it exists.")
@click.option(
    "--progress/--no-progress", default=None, help="A counter on stderr (default: on a terminal)."
)
def db_backup(session: Session, file: str, overwrite: bool, progress: bool | None) -> int:
    """Copy the queue file, with all its queues, as it is at one moment.

    Consumers and producers go on meanwhile. The copy is one file that only you may read; it is
    checked, and on the disk, before it gets its name. To use it: db restore. Do not copy a queue
    that is in use in any other way: what cp and tar take of a file that is being written is not a
    queue.
    """
    from hueyctl import errors
    from hueyctl.commands.db import shared

    storage = session.looking()
    shared.refuse_servers(storage, "backup")
    try:
        with shared.percentage(progress) as on_progress:
            storage.backup(file, overwrite=overwrite, on_progress=on_progress)
    except FileExistsError:
        raise errors.CliError(
            f"{file} exists already", exits.REFUSED, "name a new file, or say --overwrite"
        ) from None
    size = os.path.getsize(file)
    if session.output.is_json:
        written = {"schema": "hueyctl.backup/1", "file": os.path.abspath(file), "bytes": size}
        session.output.document(written)
    else:
        session.notice(f"{size:,} bytes written to {file}")
    return exits.OK
