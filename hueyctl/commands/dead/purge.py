"""``hueyctl dead purge``: delete dead letters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hueyctl import units
from hueyctl.changes import bulk
from hueyctl.changes.report import REFUSED
from hueyctl.command import command
from hueyctl.commands.dead import shared
from hueyctl.context import Session
from hueyctl.selection.choice import Choice
from hueyctl.selection.options import ID_HELP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hueycore.model.jobs import Changed, Job, Selector
    from hueycore.storage.base import Storage


@command(
    "purge",
    examples=[
        "hueyctl dead purge --older-than 30d --dry-run",
        "hueyctl dead purge --all --backup dead.jsonl.gz --yes",
        "hueyctl dead purge 91 92 --yes",
    ],
    arguments=[ID_HELP],
    codes=bulk.CODES,
)
@shared.letter_options
@click.option(
    "--backup",
    metavar="FILE",
    help="Write them to this new file before, as dead dump does; compressed if it ends in .gz.",
)
@bulk.bulk_options
def dead_purge(session: Session, choice: Choice, how: bulk.How, backup: str | None) -> int:
    """Delete dead letters for good.

    Always asks, unless told --yes. With --backup nothing is deleted before the file is safely on
    the disk, and only what is in it.
    """
    from hueyctl.changes.actions import not_dead
    from hueyctl.changes.backup import remove

    action = bulk.Action(
        verb="purge",
        past="purged",
        states=("dead",),
        apply=_never,
        refuse=not_dead,
        ask_above=0,
    )
    found = bulk.plan(session, choice, action)
    change = found.begin(how)
    if found.jobs and not how.dry_run:
        found.ask(session, how)
        jobs = _backed_up(session, found.jobs, backup) if backup else found.jobs
        gone = remove(session.writing(found.jobs[0].queue), jobs, how.reason)
        known = {(job.seq, job.id) for job in gone}
        for job in found.jobs:
            if (job.seq, job.id) in known:
                change.add(job, "purged")
            else:
                change.fail(job.id, REFUSED, f"job {job.seq} changed meanwhile, or is needed")
    return change.report(session, exit_code=how.exit_code)


def _backed_up(session: Session, jobs: Sequence[Job], path: str) -> Sequence[Job]:
    """Write the jobs to a file; as they were written, they may be deleted."""
    from hueyctl.changes.backup import backup_file, write
    from hueyctl.selection.cargo import cargo_of

    storage = session.looking()
    with backup_file(path, storage.url) as dump:
        found = cargo_of(storage, jobs)
        seen = list(write((one for one in found if one.job.state == "dead"), dump))
    session.notice(f"{units.counted(len(seen), 'dead letter')} written to {path}")
    return seen


def _never(storage: Storage, selector: Selector) -> Changed:
    raise NotImplementedError  # purging goes by what was seen, not by a selector
