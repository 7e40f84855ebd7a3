"""A job that waits for another one, which no worker is left to run."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from hueycore.exceptions import StorageError
from hueycore.model.jobs import Claim
from hueycore.model.states import WAITING
from hueycore.tasks.joblog import run_of_this_context

if TYPE_CHECKING:
    from hueycore.storage.base import Storage

logger = logging.getLogger("hueycore.execute")

#: Seconds that a job waits for another one before it is asked whether that can run.
PATIENCE = 1.0


def wait_for(storage: Storage, id: str, timeout: float | None) -> bool:
    """The storage's ``wait_for``. In a job, which occupies a worker meanwhile, with a warning when
    it may wait for ever."""
    run: Claim | None = run_of_this_context.get()
    if run is None or (timeout is not None and timeout <= PATIENCE):
        return storage.wait_for(id, timeout)
    if storage.wait_for(id, PATIENCE):
        return True
    warn(storage, run, id)
    return storage.wait_for(id, None if timeout is None else timeout - PATIENCE)


def warn(storage: Storage, run: Claim, id: str) -> None:
    """Log a warning when a run waits for a job that every worker is too busy to begin. Never
    raises."""
    try:
        row = storage.result(id, preserve=True)
        if row is None or row.state not in WAITING:
            return
        alive = [each for each in storage.workers() if each.alive and each.queue == storage.queue]
    except StorageError as error:
        logger.debug("whether job %s waits for ever cannot be seen: %s", run.seq, error)
        return
    workers = sum(each.slots for each in alive if each.takes_jobs)
    busy = sum(len(each.running) for each in alive)
    if workers and busy >= workers:
        logger.warning(
            "job %s of %s waits for job %s, which no worker is free to run: %s",
            run.seq,
            run.task,
            row.seq,
            "it occupies the only one"
            if workers == 1
            else f"all {workers} are busy, and it occupies one of them",
        )
