"""Who holds which lock, and who waits for it: processes, and jobs of tasks that take turns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hueycore.model.jobs import Job, Selector
    from hueycore.model.limits import Lock
    from hueycore.storage.base import Storage

#: Of those that wait so many are named.
NAMED = 3


class Held(NamedTuple):
    """A lock. ``job`` is the number of the job that holds it, None for a process; ``waiters`` how
    many jobs wait for it, ``first`` the numbers of those that are next."""

    lock: Lock
    job: int | None
    waiters: int
    first: tuple[int, ...]

    @property
    def waits(self) -> str | None:
        """Who waits, in a few words."""
        if not self.waiters:
            return None
        more = self.waiters - len(self.first)
        named = ", ".join(map(str, self.first))
        return f"{named} and {more} more" if more > 0 else named


def held(storage: Storage, queues: Sequence[str], of: Callable[[str], Storage]) -> list[Held]:
    """By queue and name; ``queues`` empty means all, ``of`` opens the storage of one queue."""
    locks: list[tuple[Lock, int | None]] = [(lock, None) for lock in storage.locks()]
    locks += _jobs_that_hold(storage, queues, of)
    found = [
        Held(lock, job, *_waiters(storage, lock))
        for lock, job in locks
        if not queues or lock.queue in queues
    ]
    return sorted(found, key=lambda one: (one.lock.queue, one.lock.name, one.job or 0))


def _jobs_that_hold(
    storage: Storage, queues: Sequence[str], of: Callable[[str], Storage]
) -> Iterator[tuple[Lock, int]]:
    from hueycore.model.jobs import Selector
    from hueycore.model.limits import Lock
    from hueycore.model.states import State

    running = Selector(queues=tuple(queues), states=(State.RUNNING,))
    jobs = [job for job in storage.jobs(running) if job.key_name is not None]
    turns = {queue: _take_turns(of(queue)) for queue in {job.queue for job in jobs}}
    workers = {row.id: row for row in storage.workers()} if jobs else {}
    for job in jobs:
        row = workers.get(job.worker or 0)
        if job.task in turns[job.queue] and job.claimed_at is not None:
            where = f" on {row.name}" if row else ""
            who = f"job {job.seq} ({job.task}){where}"
            place = (row.host, row.pid, row.alive) if row else ("", 0, False)
            lock = Lock(
                str(job.key_name),
                job.queue,
                job.worker or 0,
                who,
                *place,
                job.claimed_at,
                None,
                False,
            )
            yield lock, job.seq


def _take_turns(storage: Storage) -> set[str]:
    """The tasks of a queue of which one job of a key runs at a time."""
    return {limit.task for limit in storage.limits() if limit.at_once == 1}


def _waiters(storage: Storage, lock: Lock) -> tuple[int, tuple[int, ...]]:
    selector = waiting_for(lock.queue, lock.name)
    first: list[Job] = storage.jobs(selector._replace(sort="running-order", limit=NAMED))
    number = storage.count(selector) if len(first) == NAMED else len(first)
    return number, tuple(job.seq for job in first)


def waiting_for(queue: str, key: str) -> Selector:
    """The jobs that a key holds back."""
    from hueycore.model.jobs import Selector
    from hueycore.model.states import State

    mine = (("key_name", "=", key), ("waits", "=", 0))
    return Selector(queues=(queue,), states=(State.BLOCKED,), where=mine)
