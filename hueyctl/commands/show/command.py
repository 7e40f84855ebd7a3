"""``hueyctl show``: everything about a job."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from hueyctl import errors, exits, streams
from hueyctl.command import command
from hueyctl.context import Session
from hueyctl.selection.ids import find_all
from hueyctl.selection.options import ID_HELP

if TYPE_CHECKING:
    from hueycore.model.jobs import Job
    from hueycore.storage.base import Storage


@command(
    "show",
    examples=[
        "hueyctl show 4312",
        "hueyctl show 4312 --json | jq -r .error.traceback",
        "hueyctl show 4312 --traceback",
        "hueyctl show 4312 --raw > payload.bin",
    ],
    arguments=[ID_HELP],
    codes=[exits.NOT_FOUND, exits.REFUSED, exits.UNAVAILABLE, exits.IO_ERROR, exits.CONFIG],
)
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option("--traceback", is_flag=True, help="Also the traceback of the last error.")
@click.option("--raw", is_flag=True, help="Only the payload: its bytes, never decoded.")
def show(session: Session, ids: tuple[str, ...], traceback: bool, raw: bool) -> int:
    """Show jobs: how they stand and the command that changes it, then their arguments, the result,
    what happened to them, the stages around them, and the last lines that they have logged.

    Of many tries the first and the last are shown, of a traceback the frames outside this library;
    -v shows all. Arguments that are not plain data are shown as the producer wrote them down;
    nothing of a job is executed.
    """
    found = find_all(session, ids)
    if raw:
        _write_payload(session, found.storage, found.jobs)
    else:
        display(session, found.storage, found.jobs, traceback=traceback)
    found.raise_missing()
    return exits.OK


def display(session: Session, storage: Storage, jobs: Sequence[Job], *, traceback: bool) -> None:
    """Print jobs in the format of the settings."""
    if not session.output.is_json:
        from hueyctl.commands.show.writer import write

        write(session, storage, jobs, traceback=traceback)
        return
    objects = [as_object(session, storage, job) for job in jobs]
    if len(objects) == 1 and session.output.format == "json" and not session.output.columns:
        session.output.document(objects[0])
    elif objects:
        session.output.objects(objects)


def as_object(session: Session, storage: Storage, job: Job) -> dict[str, Any]:
    """What is known of a job, and what came of it."""
    from hueyctl.answers.results import value_of
    from hueyctl.answers.show import document
    from hueyctl.output.results import read

    known, value, text = value_of(read(session, storage, job))
    result = {"value": value if known else None, "value_repr": text}
    return {
        **document(storage, job, session.output.style.now),
        "result": result if job.state == "done" else None,
    }


def _write_payload(session: Session, storage: Storage, jobs: Sequence[Job]) -> None:
    if session.output.is_json:
        raise errors.usage("--raw is bytes and not JSON", "leave out one of them")
    if streams.is_tty(sys.stdout):
        raise errors.CliError(
            "a payload is bytes, and stdout is a terminal",
            exits.REFUSED,
            "send them to a file: hueyctl show ID --raw > FILE",
        )
    for job in jobs:
        sys.stdout.buffer.write(storage.payload(job.seq, queue=job.queue) or b"")
    sys.stdout.buffer.flush()
