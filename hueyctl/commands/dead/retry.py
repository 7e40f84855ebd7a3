"""``hueyctl dead retry``: run dead letters again."""

from __future__ import annotations

import re
from typing import Any

import click

from hueyctl.changes import bulk
from hueyctl.command import command
from hueyctl.commands.dead import shared
from hueyctl.context import Session
from hueyctl.selection.choice import Choice
from hueyctl.selection.options import ID_HELP
from hueyctl.selection.params import DURATION, ParamType

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


class Rate(ParamType[float]):
    """``20/s``, ``100/m``, ``5/h``: the seconds from one to the next."""

    name = "n/s"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        match = re.fullmatch(r"(\d+(?:\.\d+)?)/([smh])", str(value).strip())
        if match is None or float(match[1]) == 0:
            self.fail(f"{value!r} is not a rate (like 20/s, 100/m or 5/h)", param, ctx)
        return _UNITS[match[2]] / float(match[1])


@command(
    "retry",
    examples=[
        "hueyctl dead retry 91",
        "hueyctl dead retry --where error.type=TimeoutError --rate 20/s --dry-run",
        "hueyctl dead retry --all --delay 1h --reset-retries --yes",
    ],
    arguments=[ID_HELP],
    codes=bulk.CODES,
)
@shared.letter_options
@click.option("--delay", type=DURATION, metavar="DUR", help="Start after this long.")
@click.option(
    "--rate", type=Rate(), metavar="N/s", help="At most so many per second (/m, /h); oldest first."
)
@click.option(
    "--reset-retries", is_flag=True, help="Give back the retries that were used up (default: none)."
)
@bulk.bulk_options
def dead_retry(
    session: Session,
    choice: Choice,
    how: bulk.How,
    delay: float | None,
    rate: float | None,
    reset_retries: bool,
) -> int:
    """Put dead letters back into the queue, to be run again.

    They keep their ids, arguments and the errors of the attempts so far. Without --reset-retries
    a job that fails again is dead at once.
    """
    from hueyctl.changes import actions

    action = actions.retry(how.reason, reset=reset_retries, delay=delay, apart=rate or 0.0)
    return bulk.carry_out(session, choice, how, action)
