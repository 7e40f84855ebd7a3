"""``hueyctl check``: a monitoring plugin. Its exit codes are those of the plugin API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hueyctl import errors, exits, streams
from hueyctl.command import Command, command
from hueyctl.commands.check.thresholds import (
    AGE,
    AT_LEAST,
    COUNT,
    CRITICAL,
    NONE,
    RATIO,
    SPACE,
    STATUS,
    UNKNOWN,
    Check,
    Limits,
    line,
)
from hueyctl.context import Session
from hueyctl.selection.params import POSITIVE

if TYPE_CHECKING:
    from hueycore.storage.base import Storage
    from hueyctl.answers.look import Look


class Plugin(Command):
    """A wrong option is UNKNOWN here: to a monitoring system, 2 would be an alarm."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        try:
            return super().make_context(*args, **kwargs)
        except (click.UsageError, errors.CliError) as error:
            problem = errors.explain(error)
            click.echo(_one_line(f"HUEY UNKNOWN - {problem.message}"))
            raise click.exceptions.Exit(UNKNOWN) from error


@command(
    "check",
    cls=Plugin,
    examples=[
        "hueyctl check --depth 500:2000 --oldest 60s:5m --workers-min 2:1",
        "hueyctl check --failure 5%:20% --window 15m --dead 0:100",
        "hueyctl check --workers-min 1:1 -q",
    ],
    codes=[1, 3],
)
@click.option("--depth", type=COUNT, metavar="W:C", help="Pending jobs.")
@click.option("--oldest", type=AGE, metavar="W:C", help="How long the oldest has been pending.")
@click.option("--failure", type=RATIO, metavar="W:C", help="Percent of runs that failed.")
@click.option("--dead", type=COUNT, metavar="W:C", help="Dead letters.")
@click.option("--workers-min", type=AT_LEAST, metavar="W:C", help="Living workers, at least.")
@click.option("--disk-free", type=SPACE, metavar="W:C", help="Free bytes beside a file: 2G:500M.")
@click.option(
    "--transaction",
    type=AGE,
    metavar="W:C",
    help="How long a transaction has kept a server from removing dead rows.",
)
@click.option(
    "--connections-left", type=AT_LEAST, metavar="W:C", help="Connections left on a server."
)
@click.option(
    "--window",
    type=POSITIVE,
    default="5m",
    show_default=True,
    metavar="DUR",
    help="What --failure is about.",
)
def check(
    session: Session,
    depth: Limits | None,
    oldest: Limits | None,
    failure: Limits | None,
    dead: Limits | None,
    workers_min: Limits | None,
    disk_free: Limits | None,
    transaction: Limits | None,
    connections_left: Limits | None,
    window: float,
) -> int:
    """Say in one line, and by the exit code, whether all is well.

    A monitoring plugin (Nagios, Icinga, Zabbix, a container's health check). W:C are the limits for
    WARNING and CRITICAL; either may be left out. What is wrong without a limit is alarms: CRITICAL
    are runs that are stuck and queues whose jobs nobody serves, WARNING what is paused or revoked,
    locks of the dead, periodic tasks that do not fire (hueyctl status shows each). Exit codes here:
    0 OK, 1 WARNING, 2 CRITICAL (also when the storage cannot be reached), 3 UNKNOWN (also for a
    wrong option).
    """
    from hueyctl.answers.alarms import COUNTED
    from hueyctl.answers.look import Look

    try:
        storage = session.looking()
        look = Look(storage, session.check_queues(storage), COUNTED)
        checks = _checks(look, window, failure)
        limits = {
            "pending": depth,
            "oldest": oldest,
            "failure": failure,
            "dead": dead,
            "workers": workers_min,
        }
        checks = [row._replace(limits=limits[row.name] or NONE) for row in checks]
        checks.append(_alarms(look))
        checks += _of_place(
            storage,
            disk_free=disk_free,
            transaction=transaction,
            connections_left=connections_left,
        )
    except Exception as error:
        return _trouble(session, error)
    status = max(row.status for row in checks)
    if session.output.is_json:
        session.output.document(
            {
                "schema": "hueyctl.check/1",
                "status": STATUS[status],
                "message": None,
                "checks": [row.as_object() for row in checks],
            }
        )
    elif not session.settings.quiet:
        session.output.line(_one_line(line(checks)))
    return status


def _checks(look: Look, window: float, failure: Limits | None) -> list[Check]:
    from hueyctl.answers.figures import gather

    figures = gather(look, window)
    totals = figures.totals
    ratio = totals.rates.failure_ratio
    waited = 0.0 if totals.oldest_s is None else round(totals.oldest_s, 1)
    percentage = None if ratio is None else round(100 * ratio, 3)
    checks = [
        Check("pending", totals.counts["pending"]),
        Check("oldest", waited, unit="s"),
        Check("dead", totals.counts["dead"]),
        Check("workers", figures.workers.alive, low=True),
    ]
    if failure or percentage is not None:
        # Without any run nothing failed: no alarm, and "unknown" in the figures.
        checks.insert(2, Check("failure", percentage, unit="%"))
    return checks


def _alarms(look: Look) -> Check:
    """What needs no limit to be wrong: a stuck run, jobs that nobody serves, a pause, an order."""
    from hueyctl.answers.alarms import CRITICAL, alarms

    found = alarms(look, of_work=False)
    is_critical = any(alarm.level == CRITICAL for alarm in found)
    limits = Limits(0, 0 if is_critical else None)
    return Check("alarms", len(found), limits, who="; ".join(alarm.text for alarm in found))


#: Figures of the place where the data lies: their unit, and whether a small one is bad.
_OF_PLACE = {
    "disk_free": ("B", True),
    "transaction": ("s", False),
    "connections_left": ("", True),
}


def _of_place(storage: Storage, **limits: Limits | None) -> list[Check]:
    """Those that were asked for. Raises ``CliError`` for one that this engine does not have."""
    asked = {name: each for name, each in limits.items() if each}
    known = storage.gauges() if asked else {}
    for name in asked.keys() - known.keys():
        option = name.replace("_", "-")
        raise errors.usage(f"--{option} is about another engine than {storage.url}")
    who = {"transaction": _who(storage)} if "transaction" in asked else {}
    return [
        Check(name, known[name], each, *_OF_PLACE[name], who.get(name, ""))
        for name, each in asked.items()
    ]


def _who(storage: Storage) -> str:
    """Whose the oldest transaction is: a process of the server, unless it was prepared."""
    pids = [found.facts.get("pid") for found in storage.checkup()["transaction"]()]
    return ", ".join(f"pid {pid}" for pid in pids if pid is not None)


def _trouble(session: Session, error: Exception) -> int:
    """The storage is out of reach: an alarm. Anything else says nothing about the queue."""
    problem = errors.explain(error)
    unavailable = problem.code == exits.UNAVAILABLE
    status = CRITICAL if unavailable else UNKNOWN
    if session.settings.verbose:
        errors.say_traceback(error)
    if session.output.is_json:
        session.output.document(
            {
                "schema": "hueyctl.check/1",
                "status": STATUS[status],
                "message": problem.message,
                "checks": [],
            }
        )
    elif not session.settings.quiet:
        session.output.line(_one_line(f"HUEY {STATUS[status].upper()} - {problem.message}"))
    return status


def _one_line(text: str) -> str:
    return streams.visible(text.replace("\n", "; "))
