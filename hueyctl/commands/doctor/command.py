"""``hueyctl doctor``: what is wrong here, and what to do about it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from hueyctl import exits, streams
from hueyctl.command import command
from hueyctl.context import Session

if TYPE_CHECKING:
    from hueyctl.answers.checks import Note


@command(
    "doctor",
    examples=[
        "hueyctl doctor",
        "hueyctl doctor --full --json > report.json",
        "hueyctl doctor --app app.huey",
    ],
    codes=[exits.FAILURE, exits.CONFIG],
)
@click.option(
    "--full", is_flag=True, help="Also check the invariants between rows; slow on a large file."
)
def doctor(session: Session, full: bool) -> int:
    """Report on the set-up: for yourself, and for the bug reports of others.

    Versions, config files, the application's import, the storage, integrity, consumers that died
    (their jobs are taken back), jobs of unknown tasks, the clock. Of a file what one fsync costs,
    the write-ahead log and the modes; of a server what a commit is worth there, the oldest
    transaction, dead rows, connections left, a standby and a pooler. Secrets are masked. Exit
    codes: 0 nothing is wrong, 1 problems, 78 the application or a config file cannot be read.
    """
    from hueyctl.answers.checks import problems, report
    from hueyctl.commands.doctor.questions import examine

    output = session.output
    notes: list[Note] = []
    for note in examine(session, full=full):
        notes.append(note)
        if not output.is_json:
            _print(session, note)
    bad = problems(notes)
    if output.is_json:
        output.document(report(notes))
    elif not session.settings.quiet:
        number = len(bad)
        output.line(f"{number} problem{'' if number == 1 else 's'}" if number else "No problems.")
    return max((note.code for note in bad), default=exits.OK)


#: On fewer columns texts go on at the left.
_NARROW = 75
_COLOURS = {"ok": "green", "warning": "yellow", "problem": "red", "skipped": None}


def _print(session: Session, note: Note) -> None:
    from hueyctl.output.prose import command_lines, wrapped

    output = session.output
    colour = _COLOURS[note.status]
    word, start = f"{note.status:<8}", f"{note.status:<8} {note.name:<11} "
    text, hint = streams.visible(note.text), streams.visible(session.next_step(note.hint or ""))
    width = streams.terminal_size()[0] if output.on_screen else sys.maxsize
    indent = " " * len(start) if width >= _NARROW else "    "
    first, *below = wrapped(text, width, indent, start) if output.on_screen else [start + text]
    if output.colour and colour:
        first = click.style(word, fg=colour, bold=note.status == "problem") + first[len(word) :]
    is_command = hint.startswith(("hueyctl ", "kill "))
    if is_command or not output.on_screen:
        below += command_lines(hint, width, indent)
    elif hint:
        below += wrapped(hint, width, indent)
    for line in (first, *below):
        output.line(line)
