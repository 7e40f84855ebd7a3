"""``hueyctl status``: what is wrong, and how things stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hueyctl import exits, streams
from hueyctl.command import command
from hueyctl.context import Session

if TYPE_CHECKING:
    from hueyctl.answers.alarms import Alarm
    from hueyctl.output.columns import Column


@command(
    "status",
    examples=[
        "hueyctl status",
        "hueyctl status --exit-code -q || mail -s 'queue trouble' ops@example.com </dev/null",
        "hueyctl status --json | jq -r '.alarms[] | .next'",
    ],
    codes=[exits.FAILURE, exits.NOT_FOUND, exits.UNAVAILABLE, exits.CONFIG],
)
@click.option("--exit-code", is_flag=True, help="Exit 1 when something wants a look.")
def status(session: Session, exit_code: bool) -> int:
    """Show on one screen what is wrong, and how things stand.

    What wants a look comes first, the worst above, each with the command against it: queues that
    nobody serves, runs that take far too long, dead letters, tasks that fail, what is paused or
    revoked, locks of the dead, periodic tasks that do not fire. Then depths, what runs (against
    what its task usually takes), what comes within the hour, and consumers. A pipe gets the first
    part alone, a line for each.

    In a folder with a queue, hueyctl without a command is this.
    """
    return show(session, exit_code=exit_code)


def show(session: Session, *, exit_code: bool = False) -> int:
    from hueyctl.answers import status as answers
    from hueyctl.answers.look import Look

    storage = session.looking()
    found = answers.status(Look(storage, session.check_queues(storage)))
    output = session.output
    if output.is_json:
        output.document(answers.document(found))
    elif session.settings.quiet:
        pass
    elif output.on_tty and output.implicit and not output.columns:
        from hueyctl.commands.status.screen import screen
        from hueyctl.output.grid import styled

        for line in screen(found, streams.terminal_size()[0], session.next_step):
            output.line(styled(line, colour=output.colour))
    else:
        output.rows(
            found.alarms,
            _columns(),
            ("level", "queue", "message", "next"),
            ("kind", "since"),
            name=lambda alarm: str(alarm.kind),
        )
    return exits.FAILURE if exit_code and found.alarms else exits.OK


def _columns() -> dict[str, Column]:
    from hueyctl.output.columns import Column

    def text(alarm: Alarm) -> str:
        return alarm.text

    return {
        "level": Column("level", "LEVEL", "text", lambda alarm: alarm.level),
        "kind": Column("kind", "KIND", "text", lambda alarm: alarm.kind),
        "queue": Column("queue", "QUEUE", "text", lambda alarm: alarm.queue),
        "message": Column("message", "MESSAGE", "text", text),
        "since": Column("since", "SINCE", "time", lambda alarm: alarm.since),
        "next": Column("next", "NEXT", "text", lambda alarm: alarm.next),
    }
