"""``hueyctl why``: what a job waits for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from hueyctl import exits, streams
from hueyctl.choosing.selectors import ID_HELP
from hueyctl.command import command
from hueyctl.context import Session
from hueyctl.operating.finding import find_all

if TYPE_CHECKING:
    from hueyctl.operating.reasons import Answer
    from hueyctl.output.columns import Column


@command(
    "why",
    examples=[
        "hueyctl why 4312",
        "hueyctl why 4312 --json | jq -r .next",
        "hueyctl why 4312 4313 -o jsonl",
    ],
    arguments=[ID_HELP],
    codes=[exits.NOT_FOUND, exits.UNAVAILABLE, exits.CONFIG],
)
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
def why(session: Session, ids: tuple[str, ...]) -> int:
    """Say why a job is not running, or not done: one sentence, and the command that changes it.

    A queue or task that is paused, a time that is yet to come, a key that another job holds,
    stages before it, a revocation, no live consumer, jobs ahead of it.
    """
    from hueyctl.operating.reasons import explain

    found = find_all(session, ids)
    now = time.time()
    _show(session, [explain(found.storage, job, now) for job in found.jobs])
    found.raise_missing()
    return exits.OK


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
            job = answer.job
            output.line(streams.visible(f"{job.seq} {job.state}: {answer.because}."))
            if answer.next:
                output.line(streams.visible(f"  {answer.next}"))
    else:
        output.rows(
            answers, _columns(), ("seq", "state", "because", "next"), name=lambda one: one.job.id
        )


def _columns() -> dict[str, Column]:
    from hueyctl.output.columns import Column

    return {
        "seq": Column("seq", "SEQ", "int", lambda one: one.job.seq),
        "state": Column("state", "STATE", "text", lambda one: str(one.job.state)),
        "because": Column("because", "BECAUSE", "text", lambda one: one.because),
        "since": Column("since", "SINCE", "time", lambda one: one.since),
        "next": Column("next", "NEXT", "text", lambda one: one.next),
    }
