"""``hueyctl periodic add``: store a schedule of a call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hueyctl import errors, exits
from hueyctl.command import command
from hueyctl.commands.periodic import shared
from hueyctl.context import Session
from hueyctl.producers.app import AppProducer
from hueyctl.producers.arguments import GRAMMAR, CallingCommand, call_options, parse_words
from hueyctl.producers.base import Order, Producer
from hueyctl.producers.file import FileProducer
from hueyctl.selection.params import DURATION, POSITIVE, Number, Whole

if TYPE_CHECKING:
    from hueycore.calendar.schedule import Schedule
    from hueycore.model.schedules import Periodic


@command(
    "add",
    examples=[
        'hueyctl periodic add nightly --cron "0 3 * * *" --tz Europe/Paris myapp.report.build',
        "hueyctl periodic add 'ping ann' --every 90s myapp.mail.ping to=ann@example.com",
        "hueyctl periodic add weekly --cron @weekly myapp.purge keep:=4 --dry-run",
    ],
    arguments=[
        ("NAME", "What the schedule is called; a stored one of this name is replaced."),
        ("TASK", "The dotted name of the task."),
        ("ARG", GRAMMAR),
    ],
    codes=[*shared.CODES, exits.REFUSED],
    cls=CallingCommand,
)
@click.argument("name", metavar="NAME")
@click.argument("task", metavar="TASK")
@click.argument("words", nargs=-1, metavar="[ARG]...")
@click.option("--cron", metavar="LINE", help="Five cron fields, or @hourly, @daily, …")
@click.option("--every", type=POSITIVE, metavar="DUR", help="Run once in so much elapsed time.")
@click.option("--tz", metavar="ZONE", help="The zone of --cron, like Europe/Paris.")
@click.option(
    "--catch-up",
    type=click.Choice(["latest", "skip", "all"]),
    default="latest",
    show_default=True,
    help="Which of the runs that were missed are made up for.",
)
@click.option(
    "--grace",
    type=DURATION,
    default="1h",
    show_default=True,
    metavar="DUR",
    help="With --catch-up latest: unless it is older than this.",
)
@call_options
@click.option("--expires", type=POSITIVE, metavar="DUR", help="A run not started by then is not.")
@click.option("--priority", type=Number(), metavar="N", help="Higher runs first.")
@click.option("--retries", type=Whole(0), metavar="N", help="Tries after a failure.")
@click.option("--retry-delay", type=DURATION, metavar="DUR", help="How long before a retry.")
@click.option("--dry-run", is_flag=True, help="Show the schedule, store nothing.")
@click.option("--create", is_flag=True, help="Make the storage of --url when it is missing.")
def periodic_add(
    session: Session, name: str, task: str, words: tuple[str, ...], **given: Any
) -> int:
    """Store a schedule of a call; running consumers follow it at once.

    It stays over restarts and deploys until periodic remove. With --app the call is checked
    against the task's signature; with --url alone it is taken as it is. A cron line without --tz
    is read in UTC, or with --app as the application's utc says.
    """
    schedule = _schedule(given)
    producer = _producer(session, given)
    row = _row(producer, name, task, words, schedule, given)
    if given["dry_run"]:
        shared.show(session, [row])
        session.notice("a dry run: nothing was stored")
        return exits.OK
    if not producer.storage.schedule_periodic(row):
        raise errors.CliError(
            f"{name!r} is declared in code", exits.REFUSED, "give the schedule another name"
        )
    shared.show_now(session, [row])
    return exits.OK


def _schedule(given: dict[str, Any]) -> Schedule:
    from hueycore.calendar.cron import crontab, split_line
    from hueycore.calendar.schedule import every

    if (given["cron"] is None) == (given["every"] is None):
        raise errors.usage("say when: either --cron LINE or --every DUR")
    if given["every"] is not None and given["tz"] is not None:
        raise errors.usage("--tz is for --cron: a period is the same everywhere")
    try:
        if given["every"] is not None:
            return every(given["every"])
        return crontab(*split_line(given["cron"]), strict=True, tz=given["tz"])
    except ValueError as error:
        raise errors.usage(str(error)) from None


def _producer(session: Session, given: dict[str, Any]) -> Producer:
    create = given["create"] and not given["dry_run"]
    if session.has_app:
        return AppProducer(
            session, convert=not given["no_coerce"], check=not given["no_check"], create=create
        )
    return FileProducer(session, create=create)


def _row(
    producer: Producer,
    name: str,
    task: str,
    words: tuple[str, ...],
    schedule: Schedule,
    given: dict[str, Any],
) -> Periodic:
    from hueycore.api.schedules import LONGEST_NAME, periodic_row

    if not 0 < len(name) <= LONGEST_NAME:
        raise errors.usage(f"a NAME has 1 to {LONGEST_NAME} characters")
    call = parse_words(words, given["more_args"], given["more_kwargs"])
    prepared = producer.prepare(
        Order(
            task,
            call,
            priority=given["priority"],
            retries=given["retries"],
            retry_delay=given["retry_delay"],
        )
    )
    row = periodic_row(
        name,
        producer.row(prepared),
        schedule,
        utc=producer.utc,
        expires=producer.expires(prepared) if given["expires"] is None else given["expires"],
        catch_up=given["catch_up"],
        grace=given["grace"],
    )
    return row._replace(queue=producer.queue)
