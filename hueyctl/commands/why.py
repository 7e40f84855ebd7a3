"""``hueyctl why``: what a job waits for."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from hueyctl import exits, streams
from hueyctl.command import command
from hueyctl.context import Session
from hueyctl.selection.ids import Found, find_all
from hueyctl.selection.options import ID_HELP

if TYPE_CHECKING:
    from hueycore.model.schedules import Periodic
    from hueyctl.answers.reason import Answer
    from hueyctl.output.columns import Column


@command(
    "why",
    examples=[
        "hueyctl why 4312",
        "hueyctl why 4312 --json | jq -r .next",
        "hueyctl why myapp.report.nightly",
        "hueyctl why 4312 4313 -o jsonl",
    ],
    arguments=[(ID_HELP[0], f"{ID_HELP[1]} Or the name of a periodic task.")],
    codes=[exits.NOT_FOUND, exits.UNAVAILABLE, exits.CONFIG],
)
@click.argument("ids", nargs=-1, metavar="[ID]...")
def why(session: Session, ids: tuple[str, ...]) -> int:
    """Say why a job is not running, or not done: one sentence, and the command that changes it.

    A queue or task that is paused, a time that is yet to come, a key that another job holds,
    stages before it, a revocation, no live consumer, jobs ahead of it. Of a periodic task it says
    why it does not fire, or when it does. Without an ID it is hueyctl status: what is wrong at all.
    """
    from hueyctl.answers import schedules, why

    if not ids:
        from hueyctl.commands.status.command import show

        return show(session)

    found = find_all(session, ids)
    now = time.time()
    answers: list[Answer] = [why.explain(found.storage, job, now) for job in found.jobs]
    answers += [schedules.explain(found.storage, row, now) for row in _schedules(session, found)]
    _show(session, answers)
    found.raise_missing()
    return exits.OK


def _schedules(session: Session, found: Found) -> list[Periodic]:
    """The periodic tasks whose names stand among the ids; they are missing no more."""
    if not found.missing:
        return []
    queues = session.queues()
    rows = [
        row
        for row in found.storage.periodic(whole=True)
        if row.name in found.missing and (not queues or row.queue in queues)
    ]
    for row in rows:
        found.missing.pop(row.name, None)
    return rows


def _show(session: Session, answers: list[Answer]) -> None:
    output = session.output
    if output.is_json:
        objects = [answer.as_object() for answer in answers]
        if len(objects) == 1 and output.format == "json":
            output.document(objects[0])
        elif objects:
            output.objects(objects)
    elif output.format in ("table", "wide", "plain") and not output.columns:
        for answer in answers:
            _print(session, answer)
    else:
        output.rows(
            answers, _columns(), ("seq", "state", "because", "next"), name=lambda one: one.name
        )


def _print(session: Session, answer: Answer) -> None:
    from hueyctl.output.grid import STATES, styled
    from hueyctl.output.prose import command_lines, wrapped

    output = session.output
    width = streams.terminal_size()[0] if output.on_screen else sys.maxsize
    subject = streams.visible(str(answer.name if answer.seq is None else answer.seq))
    start, state = f"{subject} ", streams.visible(answer.state)
    said = f"{start}{state}: {streams.visible(answer.reason.because)}."
    first, *below = wrapped(said, width, "  ", "") if output.on_screen else [said]
    if first.startswith(start + state):
        rest = first[len(start + state) :]
        first = styled(
            [(start, ""), (state, STATES.get(state, "")), (rest, "")], colour=output.colour
        )
    for line in (first, *below):
        output.line(line)
    step = streams.visible(session.next_step(answer.reason.next or ""))
    for line in command_lines(step, width, "  "):
        output.line(styled([(line, "cyan")], colour=output.colour))


def _columns() -> dict[str, Column]:
    from hueyctl.output.columns import Column

    return {
        "seq": Column("seq", "SEQ", "int", lambda one: one.seq),
        "state": Column("state", "STATE", "text", lambda one: one.state),
        "because": Column("because", "BECAUSE", "text", lambda one: one.reason.because),
        "since": Column("since", "SINCE", "time", lambda one: one.reason.since),
        "next": Column("next", "NEXT", "text", lambda one: one.reason.next),
    }
