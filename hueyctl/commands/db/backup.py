"""``hueyctl db backup``: a copy of the file that is whole, while others work on it."""

from __future__ import annotations

import os
import sys

import click

from hueyctl import exits, streams
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
    checked, and on the disk, before it gets its name. To use it, stop everything and put it in the
    place of the file. Do not copy a queue that is in use in any other way: what cp and tar take of
    a file that is being written is not a queue.
    """
    from hueyctl import errors

    if not session.where().is_file:
        raise errors.CliError(
            "only a queue file can be copied; a server's database has tools of its own",
            exits.REFUSED,
            "pg_dump copies a database of PostgreSQL while it is in use",
        )
    storage = session.looking()
    shown = progress if progress is not None else streams.is_tty(sys.stderr)
    try:
        storage.backup(file, overwrite=overwrite, on_progress=_show if shown else None)
    except FileExistsError:
        raise errors.CliError(
            f"{file} exists already", exits.REFUSED, "name a new file, or say --overwrite"
        ) from None
    finally:
        if shown:
            streams.renew("")
    size = os.path.getsize(file)
    if session.output.is_json:
        written = {"schema": "hueyctl.backup/1", "file": os.path.abspath(file), "bytes": size}
        session.output.document(written)
    else:
        session.notice(f"{size} bytes written to {file}")
    return exits.OK


def _show(done: int, total: int) -> None:
    streams.renew(f"{100 * done // max(total, 1)} %")
