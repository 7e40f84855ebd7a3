"""Moving over: the jobs, results and revocations that Huey left in a SQLite file, or in Redis."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, NamedTuple

from hueycore.api.translation import LeftOut, Translation
from hueycore.exceptions import StorageBusy
from hueycore.model.jobs import JobRef, NewJob
from hueycore.model.migration import OldFile

if TYPE_CHECKING:
    from hueycore.api.huey import Huey
    from hueycore.storage.base import Storage

logger = logging.getLogger("hueycore.storage")

#: Queues of which this process has said that jobs of Huey's wait there.
_told: set[tuple[str, str]] = set()


class FromHuey(NamedTuple):
    """What came over: jobs, and the numbers of results, values and revocations. ``known`` jobs had
    come before. ``left_out`` may come another time. ``holders``: other processes that have the file
    open."""

    jobs: list[JobRef]
    results: int
    values: int
    revocations: int
    known: int
    left_out: list[LeftOut]
    holders: list[str]


def load(
    huey: Huey,
    old: OldFile,
    storage: Storage | None = None,
    *,
    dry_run: bool = False,
    plain: bool = False,
) -> FromHuey:
    """See ``Huey.load_from_huey``. ``storage``: of this queue, if it is not the instance's own.
    ``plain``: no class of an application is there."""
    if old.refusal and not dry_run:
        raise StorageBusy(old.refusal)
    _told.add((old.path, huey.name))
    translation = Translation(huey, old, plain)
    migration = translation.migration()
    if any(job.key_name for one in migration.wholes for job in one.jobs) and not dry_run:
        huey.declare_limits()
    brought = (storage or huey.storage).bring(migration, dry_run=dry_run)
    loaded: list[NewJob] = []
    known, left_out = 0, translation.left_out
    for one, outcome in zip(migration.wholes, brought.outcomes, strict=True):
        if outcome == "loaded":
            loaded += one.jobs
        elif outcome == "known":
            known += len(one.jobs)
        else:
            first, why = one.jobs[0], "the queue has a job of this id"
            left_out.append(LeftOut(f"job {first.id}", why, first.id, first.task))
    seqs = [answer.seq for answer in brought.jobs] or [0] * len(loaded)
    return FromHuey(
        [JobRef(seq, job.id, job.task) for seq, job in zip(seqs, loaded, strict=True)],
        brought.results,
        brought.values,
        brought.revocations,
        known,
        left_out,
        list(map(str, old.holders)),
    )


def tell_of_old_jobs(storage: Storage, path: str, waiting: int) -> None:
    """Say once in this process that jobs of Huey's wait in the file."""
    path = os.path.realpath(path)
    if (path, storage.queue) not in _told:
        _told.add((path, storage.queue))
        logger.warning(
            "%s jobs of Huey wait in %s, which run only once they are brought over: "
            "hueyctl load --from-huey %s --queue %s --app MODULE:ATTR",
            f"{waiting:,}",
            path,
            path,
            storage.queue,
        )
