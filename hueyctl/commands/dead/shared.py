"""Dead letters: what the commands ``hueyctl dead …`` share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from hueyctl.selection.choice import Choice
from hueyctl.selection.options import selecting
from hueyctl.selection.selection import Selection

if TYPE_CHECKING:
    from hueycore.model.jobs import Cargo, Job, JobRef
    from hueycore.storage.base import Storage
    from hueyctl.context import Session
    from hueyctl.files import DumpFile, StandardOutput

#: The selector's options. --state has nothing to say here.
letter_options = selecting(leave_out=("state",), all_help="All dead letters.")

_GROUP = 1000


def only_dead(choice: Choice) -> Choice:
    """The same jobs as far as they are dead letters: --all is not every state here."""
    return replace(choice, state=("dead",), all_=False)


def selected(session: Session, storage: Storage, choice: Choice) -> Selection:
    return only_dead(choice).selection(session.check_queues(storage))


def not_dead(job: Job) -> str | None:
    """Why a job that was named must be left alone."""
    return None if job.state == "dead" else f"is {job.state}, not dead"


def write(
    cargoes: Iterable[Cargo], sink: DumpFile | StandardOutput, seen: list[Job] | None = None
) -> int:
    """Write every job as a line; ``seen`` gets the stamps by which ``remove`` knows them again."""
    from hueyctl.answers.dump import to_line

    number = 0
    for cargo in cargoes:
        number += 1
        sink.write(to_line(cargo))
        if seen is not None:
            seen.append(cargo.job._replace(errors=[], preview=None, progress=None))
    return number


def remove(storage: Storage, jobs: Sequence[Job]) -> list[JobRef]:
    """Delete what was written, but nothing that has changed since."""
    gone: list[JobRef] = []
    for start in range(0, len(jobs), _GROUP):
        gone += storage.discard(jobs[start : start + _GROUP])
    return gone


def stayed(number: int) -> str:
    return f"{number} dead letters stay: they changed meanwhile, or a waiting job needs them"
