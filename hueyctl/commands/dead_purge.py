"""``hueyctl dead purge``: delete dead letters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hueyctl import errors
from hueyctl.choosing.selectors import ID_HELP, Choice
from hueyctl.command import command
from hueyctl.context import Session
from hueyctl.moving import letters
from hueyctl.operating import bulk
from hueyctl.operating.change import REFUSED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hueycore.storage.base import Changed, Job, Selector, Storage


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
@letters.letter_options
@click.option(
    "--backup", metavar="FILE",
    help="Write them to this new file before, as dead dump does; compressed if it ends in .gz.",
)  # fmt: skip
@bulk.bulk_options
def dead_purge(session: Session, choice: Choice, how: bulk.How, backup: str | None) -> int:
    """Delete dead letters for good.

    Always asks, unless told --yes. With --backup nothing is deleted before the file is safely on
    the disk, and only what is in it.
    """
    action = bulk.Action(
        verb="purge", past="purged", states=("dead",), apply=_never, refuse=letters.not_dead,
        ask_above=0,
    )  # fmt: skip
    found = bulk.plan(session, choice, action)
    change = found.begin(how)
    if found.jobs and not how.dry_run:
        found.ask(session, how)
        jobs = _backed_up(session, found.jobs, backup) if backup else found.jobs
        gone = letters.remove(session.writing(found.jobs[0].queue), jobs)
        seqs = {job.seq for job in gone}
        for job in found.jobs:
            if job.seq in seqs:
                change.add(job, "purged")
            else:
                change.fail(job.id, REFUSED, f"job {job.seq} changed meanwhile, or is needed")
    return change.report(session, exit_code=how.exit_code)


def _backed_up(session: Session, jobs: Sequence[Job], path: str) -> Sequence[Job]:
    """Write the jobs to a file; as they were written, they may be deleted."""
    from hueyctl.moving import files, transfer

    if not files.is_plain(path):
        raise errors.usage("--backup needs a file that is safe on a disk")
    storage = session.looking()
    seen: list[Job] = []
    with files.sink(path, compressed=path.endswith(".gz")) as sink:
        dead = (one for one in transfer.cargo_of(storage, jobs) if one.job.state == "dead")
        letters.write(dead, sink, seen)
        sink.finish()
    session.notice(f"{len(seen)} dead letters written to {path}")
    return seen


def _never(storage: Storage, selector: Selector) -> Changed:
    raise NotImplementedError  # purging goes by what was seen, not by a selector
