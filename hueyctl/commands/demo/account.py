"""The account of a demo: what became of every job that was queued."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from hueyctl.answers.payloads import decode_value

if TYPE_CHECKING:
    from hueycore.model.jobs import Job, NewJob
    from hueycore.storage.base import Storage


class Account(NamedTuple):
    """Numbers of jobs. ``wrong`` ones ended otherwise than they should; ``interrupted`` ones were
    running when the consumer was killed."""

    queued: int
    done: int
    dead: int
    lost: int
    wrong: int
    interrupted: int
    retried: int
    ticks: int
    seconds: float


def settle(
    storage: Storage, queued: Sequence[NewJob], *, interrupted: int, seconds: float
) -> Account:
    """Compare what was queued, in the order of its numbers, with what is in the storage."""
    from hueycore.model.jobs import Selector

    jobs = {job.id: job for job in storage.jobs(Selector(queues=(storage.queue,)))}
    done = dead = wrong = 0
    for number, order in enumerate(queued):
        job = jobs.get(order.id)
        if job is None:
            continue
        done += job.state == "done"
        dead += job.state == "dead"
        wrong += job.state in ("done", "dead") and not _is_right(storage, job, number)
    own = {order.id for order in queued}
    return Account(
        queued=len(queued),
        done=done,
        dead=dead,
        lost=len(queued) - done - dead,
        wrong=wrong,
        interrupted=interrupted,
        retried=sum(job.attempt > 1 for id_, job in jobs.items() if id_ in own),
        ticks=len(jobs.keys() - own),
        seconds=seconds,
    )


def _is_right(storage: Storage, job: Job, number: int) -> bool:
    if job.state == "dead":
        return job.task.endswith(".broken")
    row = storage.result(job.id, preserve=True)
    return row is not None and decode_value(row.result) == (True, number * number)
