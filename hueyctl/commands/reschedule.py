"""``hueyctl reschedule``: another time or priority for jobs that wait."""

from __future__ import annotations

import time

import click

from hueyctl import errors, units
from hueyctl.changes.bulk import CODES, How, bulk_options, plan
from hueyctl.command import command
from hueyctl.context import Session
from hueyctl.selection.choice import Choice
from hueyctl.selection.options import ID_HELP, selecting
from hueyctl.selection.params import DURATION, Number, moment


@command(
    "reschedule",
    examples=[
        "hueyctl reschedule 4312 --now",
        "hueyctl reschedule --task 'myapp.report.*' --delay 1h --yes",
        "hueyctl reschedule 4312 --priority 10 --reason 'the customer waits'",
    ],
    arguments=[ID_HELP],
    codes=CODES,
)
@selecting(leave_out=("priority",), all_help="Every job that waits.")
@bulk_options
@click.option("--eta", metavar="WHEN", help="Run at this time: +5m, 18:30, 2030-01-31T12:00.")
@click.option("--delay", type=DURATION, metavar="DUR", help="Run after this long from now.")
@click.option("--now", is_flag=True, help="Run as soon as a worker is free.")
@click.option("--priority", type=Number(), metavar="N", help="A new priority: higher runs first.")
def reschedule(
    session: Session,
    choice: Choice,
    how: How,
    eta: str | None,
    delay: float | None,
    now: bool,
    priority: float | None,
) -> int:
    """Give jobs that wait another time or priority. They keep their ids and their history.

    Choose by priority with --where 'priority > 5'.
    """
    run_at = _run_at(eta, delay, now, choice.utc)
    if run_at is None and priority is None:
        raise errors.usage("say when", "--eta, --delay or --now; or --priority")

    from hueyctl.changes import actions

    action = actions.reschedule(how.reason, run_at=run_at, priority=priority)
    planned = plan(session, choice, action)
    planned.more = {"run_at": None if run_at is None else units.rfc3339(run_at)}
    return planned.carry_out(session, how)


def _run_at(eta: str | None, delay: float | None, now: bool, utc: bool) -> float | None:
    if (eta is not None) + (delay is not None) + now > 1:
        raise errors.usage("--eta, --delay and --now exclude each other")
    current = time.time()
    if now:
        return current
    if delay is not None:
        return current + delay
    return None if eta is None else max(current, moment("--eta", eta, utc=utc))
