"""``hueyctl dead dump``: dead letters as a file that ``dead load`` reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hueyctl import errors, exits
from hueyctl.command import command
from hueyctl.context import Session
from hueyctl.selectors import ID_HELP, Choice, dead_options

if TYPE_CHECKING:
    from hueycore.storage.base import Job
    from hueyctl.files import DumpFile, StandardOutput
    from hueyctl.selectors import Selection


@command(
    "dump",
    examples=[
        "hueyctl dead dump > dead.jsonl",
        "hueyctl dead dump --remove --gzip --to dead-2026-11-19.jsonl.gz",
        "hueyctl dead dump --older-than 7d --to old.jsonl --exit-code",
    ],
    arguments=[ID_HELP],
    codes=[exits.FAILURE, exits.NO_MATCH, exits.UNAVAILABLE, exits.IO_ERROR],
)
@dead_options
@click.option(
    "--to", metavar="FILE", default="-", help="Write to this new file, - for stdout (default)."
)
@click.option(
    "--remove", is_flag=True, allow_from_autoenv=False,
    help="Delete them from the queue once the file is safely on the disk.",
)  # fmt: skip
@click.option("--gzip", is_flag=True, help="Compress it.")
@click.option("--exit-code", is_flag=True, help="Exit 4 when nothing matches.")
def dead_dump(
    session: Session, choice: Choice, to: str, remove: bool, gzip: bool, exit_code: bool
) -> int:
    """Write dead letters as JSON lines, with everything that they have.

    A line is the job as in list --json, with the payload, the result and the errors of every
    attempt. Payloads are copied as bytes: arguments of every type survive. An existing file is
    never overwritten.
    """
    from hueyctl import files

    if remove and not (to != "-" and files.is_plain(to)):
        raise errors.usage("--remove needs a file that is safe on a disk", "say --to FILE")
    if gzip and to == "-" and session.output.on_tty:
        raise errors.usage("a terminal cannot show compressed data", "say --to FILE")
    storage = session.looking()
    selection = choice.selection(session.check_queues(storage), only=("dead",))
    dumped: list[Job] = []
    with files.StandardOutput(compressed=gzip) if to == "-" else files.DumpFile(
        to, compressed=gzip
    ) as sink:
        number = _write(session, selection, sink, dumped if remove else None)
        sink.finish()
    selection.say_undecodable()
    session.notice(f"{number} dead letters written" + ("" if to == "-" else f" to {to}"))
    if remove:
        return _remove(session, dumped)
    return exits.NO_MATCH if exit_code and number == 0 else exits.OK


def _write(
    session: Session,
    selection: Selection,
    sink: DumpFile | StandardOutput,
    dumped: list[Job] | None,
) -> int:
    from hueyctl.transfer import cargoes, to_line

    number = 0
    for number, cargo in enumerate(cargoes(session.looking(), selection), 1):
        sink.write(to_line(cargo))
        if dumped is not None:
            # Its stamps are enough; the errors of a million jobs would not fit.
            dumped.append(cargo.job._replace(errors=[], preview=None))
    return number
