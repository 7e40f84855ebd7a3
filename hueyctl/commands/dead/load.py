"""``hueyctl dead load``: dead letters back from a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hueyctl import errors, exits
from hueyctl.command import command
from hueyctl.context import Session

if TYPE_CHECKING:
    from hueycore.storage.base import Storage
    from hueyctl.commands.dead.loader import How


@command(
    "load",
    examples=[
        "hueyctl dead load dead-2026-11-19.jsonl --as pending",
        "hueyctl dead load dead.jsonl -u sqlite:///new.db --create --as pending",
        "hueyctl dead load dead.jsonl.gz --dry-run --if-exists fail",
    ],
    arguments=[("FILE", "A file that dead dump wrote, compressed or not; - for stdin.")],
    codes=[exits.FAILURE, exits.REFUSED, exits.UNAVAILABLE],
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
    from hueyctl.commands.dead.loader import How, Loader, one_destination
    from hueyctl.commands.dead.source import lines, opened

    queue = one_destination(session.settings.queues or _queue_of_url(session))
    how = How(if_exists, as_ == "pending", dry_run, queue, only=("dead",))
    with opened(source) as file:
        loader = Loader(_Opener(session, how, create), how)
        loader.run(lines(file))
    return loader.report(session)


def _queue_of_url(session: Session) -> tuple[str, ...]:
    location = session.location(looking=False)
    return (location.queue,) if location is not None and location.queue else ()


class _Opener:
    """Opens the storage when it is first needed; what is missing is told before a line is read."""

    def __init__(self, session: Session, how: How, create: bool) -> None:
        from hueyctl.changes.queues import looking_before_writing

        self.session, self.how, self.create = session, how, create
        if not create:
            looking_before_writing(session)
        elif session.location(looking=False) is None:
            session.app_location()

    def __call__(self) -> Storage | None:
        if not self.how.dry_run:
            return self.session.writing(self.how.queue or "huey", create=self.create)
        from hueycore.exceptions import StorageMissing

        try:
            return self.session.looking()
        except StorageMissing:
            return None
        except errors.CliError as error:
            if error.code != exits.UNAVAILABLE:
                raise
            return None
