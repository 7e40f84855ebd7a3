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

#: Stages of one job that are shown to people.
_STAGES = 50
_EVERY = 1_000_000


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
    """Show jobs: arguments, what happened to them, their last error, the stages around them, and
    the last lines that they have logged.

    Arguments that are not plain data are shown as the producer wrote them down; nothing of a job
    is executed.
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
        from hueyctl.commands.show.sheet import write

        write(session, storage, jobs, traceback=traceback, stages=_STAGES)
        return
    objects = [as_object(session, storage, job) for job in jobs]
    if len(objects) == 1 and session.output.format == "json" and not session.output.columns:
        session.output.document(objects[0])
    elif objects:
        session.output.objects(objects)


def as_object(session: Session, storage: Storage, job: Job) -> dict[str, Any]:
    """``hueyctl.job/1`` with ``timeline``, ``tree`` and ``log``."""
    from hueyctl.answers.history import timeline, worker_name
    from hueyctl.answers.joblog import as_object as as_line
    from hueyctl.answers.jobs import read_object
    from hueyctl.answers.stages import tree

    return {
        **read_object(storage, job, session.output.style.now),
        "timeline": [event.as_object() for event in timeline(job, worker_name(storage, job))],
        "tree": tree(storage.stages(job.seq, _EVERY)),
        "log": [as_line(line) for line in storage.log(job.seq)],
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
        sys.stdout.buffer.write(storage.payloads([job])[0] or b"")
    sys.stdout.buffer.flush()
