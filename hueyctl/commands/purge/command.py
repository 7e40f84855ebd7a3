"""``hueyctl purge``: delete jobs and what lies about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hueyctl import errors, exits, units
from hueyctl.changes.confirm import confirm
from hueyctl.changes.queues import looking_before_writing, queues_to_change
from hueyctl.command import command
from hueyctl.commands.purge.targets import TARGETS
from hueyctl.context import Session
from hueyctl.selection.params import DURATION

if TYPE_CHECKING:
    from hueyctl.commands.purge.deletion import Deleted, Deletion


@command(
    "purge",
    examples=[
        "hueyctl purge results --older-than 7d --yes",
        "hueyctl purge done revoked expired --dry-run",
        "hueyctl purge all --backup before.jsonl.gz",
    ],
    arguments=[
        ("TARGET", f"What to delete: {', '.join(TARGETS)}."),
    ],
    codes=[
        exits.FAILURE,
        exits.NOT_FOUND,
        exits.REFUSED,
        exits.UNAVAILABLE,
        exits.IO_ERROR,
        exits.CONFIG,
    ],
)
@click.argument("targets", nargs=-1, required=True, type=click.Choice(TARGETS), metavar="TARGET...")
@click.option("--older-than", type=DURATION, metavar="DUR", help="Only what is older.")
@click.option("--dry-run", is_flag=True, help="Only say how much would be deleted.")
@click.option(
    "--backup",
    metavar="FILE",
    help="Write the jobs to this new file before; compressed if its name ends in .gz.",
)
@click.option("-y", "--yes", is_flag=True, allow_from_autoenv=False, help="Do not ask before.")
def purge(
    session: Session,
    targets: tuple[str, ...],
    older_than: float | None,
    dry_run: bool,
    backup: str | None,
    yes: bool,
) -> int:
    """Delete jobs of a queue by state, results, locks, counters or events. There is no way back.

    What a later stage still needs stays. Results leave their jobs in place; all is everything of
    the queue, with schedules and standing orders, even what runs; revoked means jobs, orders are
    taken back with restore. Always asks, unless told --yes.
    """
    from hueyctl.commands.purge.deletion import Deletion

    queue = _one_queue(session)
    work = Deletion(session, queue, targets, older_than)
    counts = work.count()
    if dry_run:
        return _report(session, counts, dry_run=True)
    # All of a queue is more than what can be counted.
    if not any(counts.values()) and not work.whole:
        session.remark("Nothing to purge.")
        return _report(session, counts, dry_run=False)
    _ask(session, work, counts, yes)
    written = work.back_up(backup) if backup else None
    purged = work.carry_out(written)
    return _report(session, purged.counts, dry_run=False, purged=purged)


def _one_queue(session: Session) -> str:
    storage = looking_before_writing(session)
    queues = queues_to_change(session, storage)
    if len(queues) > 1:
        raise errors.usage("this command works on one queue", "say --queue once")
    if not queues:
        return storage.queue
    return queues[0]


def _ask(session: Session, work: Deletion, counts: dict[str, int], yes: bool) -> None:
    parts = [f"{units.grouped(number)} {name}" for name, number in counts.items() if number]
    if not work.whole:
        confirm(session, f"Delete {', '.join(parts)} of queue {work.queue}?", yes=yes)
        return
    alive = sum(
        row.alive and row.takes_jobs and row.queue == work.queue
        for row in session.looking(work.queue).workers()
    )
    consumers = f" Its consumers go on ({alive})." if alive else ""
    what = f" ({', '.join(parts)})" if parts else ""
    question = f"Delete everything of queue {work.queue}{what}?{consumers}"
    confirm(session, question, yes=yes, typed=work.queue)


def _report(
    session: Session, counts: dict[str, int], *, dry_run: bool, purged: Deleted | None = None
) -> int:
    from hueyctl.output.columns import Column

    output = session.output
    total = sum(counts.values())
    if output.is_json:
        output.document(
            {
                "schema": "hueyctl.change/1",
                "action": "purge",
                "matched": total + (purged.kept if purged else 0),
                "changed": 0 if dry_run else total,
                "dry_run": dry_run,
                "ids": [],
                "failed": [],
                "targets": counts,
            }
        )
    else:
        number = Column(
            "purged", "WOULD-PURGE" if dry_run else "PURGED", "count", lambda row: row[1]
        )
        known = {"target": Column("target", "TARGET", "text", lambda row: row[0]), "purged": number}
        rows = list(counts.items())
        output.rows(rows, known, ("target", "purged"), name=lambda row: str(row[0]))
    if purged is not None and purged.kept:
        session.notice(f"{purged.kept} stay: a job that waits needs their results")
    return exits.OK
