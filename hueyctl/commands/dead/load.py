"""``hueyctl dead load``: dead letters back from a file."""

from __future__ import annotations

import click

from hueyctl import exits
from hueyctl.command import command
from hueyctl.context import Session


@command(
    "load",
    examples=[
        "hueyctl dead load dead-2026-11-19.jsonl --as pending",
        "hueyctl dead load dead.jsonl -u sqlite:///new.db --create --as pending",
        "hueyctl dead load dead.jsonl.gz --dry-run --if-exists fail",
    ],
    arguments=[("FILE", "A file that dead dump or dump wrote, compressed or not; - for stdin.")],
    codes=[exits.FAILURE, exits.REFUSED, exits.UNAVAILABLE, exits.CONFIG],
)
@click.argument("source", metavar="FILE")
@click.option("--create", is_flag=True, help="Make the storage of --url when it is missing.")
@click.option("--dry-run", is_flag=True, help="Check every line, load nothing.")
@click.option(
    "--if-exists",
    type=click.Choice(("keep", "replace", "fail")),
    default="keep",
    show_default=True,
    help="For an id that the queue has already: keep its job, replace it, or exit 6.",
)
@click.option(
    "--as",
    "as_",
    type=click.Choice(("dead", "pending")),
    default="dead",
    show_default=True,
    help="As dead letters, as they were; or to be run again at once.",
)
def dead_load(
    session: Session, source: str, create: bool, dry_run: bool, if_exists: str, as_: str
) -> int:
    """Bring dead letters back from a file of dead dump.

    Each goes into the queue that it came from, or into the one of --queue. A line that is no dead
    letter is reported with its number and left out, the rest goes on: exit 1.

    Between two files: hueyctl dead dump | hueyctl -u sqlite:///new.db dead load - --create
    """
    from hueyctl.changes.arrival import Arrival, How
    from hueyctl.changes.loader import Loader
    from hueyctl.changes.report import Change
    from hueyctl.changes.source import lines, opened
    from hueyctl.changes.target import Target

    target = Target(session, create=create)
    how = How(if_exists, as_ == "pending", dry_run, target.queue, only=("dead",))
    arrival = Arrival(target, how, Change("load", dry_run=dry_run))
    with opened(source) as file:
        Loader(arrival).run(lines(file))
    return arrival.report(session)
