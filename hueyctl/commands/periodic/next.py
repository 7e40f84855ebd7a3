"""``hueyctl periodic next``: when schedules fire."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice, takewhile
from typing import TYPE_CHECKING

import click

from hueyctl import exits
from hueyctl.answers.firings import Firing, firings, in_order
from hueyctl.command import command
from hueyctl.commands.periodic import shared
from hueyctl.context import Session
from hueyctl.selection.params import Whole, in_future
from hueyctl.units import EXAMPLE_TIMES

if TYPE_CHECKING:
    from hueycore.model.schedules import Periodic

#: Shown when nothing says how many.
_USUAL = 10


@command(
    "next",
    examples=[
        "hueyctl periodic next",
        "hueyctl periodic next myapp.report.nightly -n 5",
        "hueyctl periodic next --until 'tomorrow 09:00' --json",
    ],
    arguments=[shared.NAME_HELP],
    codes=[exits.NOT_FOUND, exits.UNAVAILABLE, exits.CONFIG],
)
@click.argument("periodic", nargs=-1, metavar="[NAME]...")
@click.option(
    "-n",
    "--limit",
    type=Whole(1),
    metavar="N",
    help="At most so many (10, or all with --until).",
)
@click.option("--until", metavar="WHEN", help=f"Only those up to this time, like {EXAMPLE_TIMES}.")
@click.option("--utc", is_flag=True, help="Times without an offset are UTC, not local.")
def periodic_next(
    session: Session, periodic: tuple[str, ...], limit: int | None, until: str | None, utc: bool
) -> int:
    """List the coming runs of periodic tasks, soonest first.

    Clock changes are counted in, each schedule in its own zone. What is paused does not run and
    is left out.
    """
    end = None if until is None else in_future("--until", until, utc=utc)
    rows = shared.look(session, periodic)
    now = time.time()
    coming = in_order(_all(session, rows, now))
    if end is not None:
        coming = takewhile(lambda firing: firing.at <= end, coming)
    if limit is not None or end is None:
        coming = islice(coming, limit or _USUAL)
    _show(session, coming)
    if not rows:
        session.remark("No periodic tasks.")
    return exits.OK


def _all(session: Session, rows: list[Periodic], now: float) -> Iterator[Iterator[Firing]]:
    """The runs of each schedule that has some."""
    from hueycore.calendar.schedule import read_back

    stopped = {
        order.queue for order in session.looking().revocations() if order.kind == "paused-scheduler"
    }
    for queue in sorted(stopped & {row.queue for row in rows}):
        session.notice(f"periodic tasks of queue {queue} are paused: hueyctl resume --scheduler")
    for row in rows:
        schedule = read_back(row.schedule, row.tz)
        if row.queue in stopped:
            continue
        if row.paused_at is not None:
            session.notice(f"{row.name} is paused")
        elif schedule is None:
            session.notice(f"{row.name}: only its application can tell when {row.schedule!r} runs")
        else:
            yield firings(row, schedule, now)


def _show(session: Session, coming: Iterator[Firing]) -> None:
    from hueyctl.output.periodic import firing_columns

    output = session.output
    if output.is_json:
        output.objects(firing.as_object() for firing in coming)
        return
    output.rows(
        coming,
        firing_columns(),
        ("at", "name", "schedule", "tz"),
        ("task", "queue"),
        name=lambda firing: firing.row.name,
    )
