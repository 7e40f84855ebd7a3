"""``hueyctl dead dump``: dead letters as a file that ``dead load`` reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hueyctl import errors, exits, units
from hueyctl.command import command
from hueyctl.commands.dead import shared
from hueyctl.context import Session
from hueyctl.selection.choice import Choice
from hueyctl.selection.options import ID_HELP

if TYPE_CHECKING:
    from hueycore.model.jobs import Job


@command(
    "dump",
    examples=[
        "hueyctl dead dump > dead.jsonl",
        "hueyctl dead dump --remove --gzip --to dead-2026-11-19.jsonl.gz",
        "hueyctl dead dump --older-than 7d --to old.jsonl --exit-code",
    ],
    arguments=[ID_HELP],
    codes=[
        exits.FAILURE,
        exits.NOT_FOUND,
        exits.NO_MATCH,
        exits.UNAVAILABLE,
        exits.IO_ERROR,
        exits.CONFIG,
    ],
)
@shared.letter_options
@click.option(
    "--to", metavar="FILE", default="-", help="Write to this new file, - for stdout (default)."
)
@click.option(
    "--remove",
    is_flag=True,
    allow_from_autoenv=False,
    help="Delete them from the queue once the file is safely on the disk.",
)
@click.option("--gzip", is_flag=True, help="Compress it.")
@click.option("--exit-code", is_flag=True, help="Exit 4 when nothing matches.")
def dead_dump(
    session: Session, choice: Choice, to: str, remove: bool, gzip: bool, exit_code: bool
) -> int:
    """Write dead letters as JSON lines, with everything that they have.

    The format is that of dump: a first line that says so, a line for each job as in list --json,
    with the payload, the result, the errors of every attempt and what it logged, and a last line.
    Payloads are copied as bytes: arguments of every type survive. An existing file is never
    overwritten.
    """
    from hueyctl.changes import backup
    from hueyctl.changes.dumpfile import is_plain, sink
    from hueyctl.changes.queues import looking_before_writing
    from hueyctl.selection.cargo import cargoes

    if remove and (to == "-" or not is_plain(to)):
        raise errors.usage("--remove needs a file that is safe on a disk", "say --to FILE")
    if gzip and to == "-" and session.output.on_tty:
        raise errors.usage("a terminal cannot show compressed data", "say --to FILE")
    storage = looking_before_writing(session) if remove else session.looking()
    selection = shared.selected(session, storage, choice)
    selection.most = None  # a dump has all that is meant
    number = 0
    seen: list[Job] = []
    with sink(to, compressed=gzip) as file:
        dump = backup.Dump(file, storage.url)
        dump.begin()
        for job in backup.write(cargoes(storage, selection), dump):
            number += 1
            if remove:
                seen.append(job)
        dump.end()
    selection.say_left_out()
    session.notice(
        f"{units.counted(number, 'dead letter')} written" + ("" if to == "-" else f" to {to}")
    )
    if seen:
        gone = len(backup.remove(session.writing(seen[0].queue), seen))
        session.notice(f"{gone} removed from the queue")
        if gone < number:
            why = "they changed meanwhile, or a waiting job needs them"
            raise errors.CliError(f"{number - gone} dead letters stay: {why}")
    return exits.NO_MATCH if exit_code and not number else exits.OK
