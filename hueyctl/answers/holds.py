"""What holds jobs back by a name: locks of processes, limits and rates of tasks. Who has it, since
when, how many wait for it and who is next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from hueyctl.units import rfc3339

if TYPE_CHECKING:
    from hueycore.model.jobs import Job
    from hueycore.model.keys import HeldKey
    from hueycore.model.limits import Limit, Lock
    from hueycore.model.reports import WorkerRow
    from hueycore.storage.base import Storage


class Hold(NamedTuple):
    """A name of a queue that somebody has or waits for: a process has its ``lock``, jobs its key.
    ``workers`` are those that run them."""

    queue: str
    name: str
    lock: Lock | None
    key: HeldKey | None
    workers: tuple[WorkerRow | None, ...]

    @property
    def kind(self) -> str:
        """lock, rate, limit, or key: jobs that take turns though their task declares nothing."""
        if self.lock is not None:
            return "lock"
        if self.limit is None:
            return "key"
        return "limit" if self.limit.rate is None else "rate"

    @property
    def limit(self) -> Limit | None:
        return None if self.key is None else self.key.limit

    @property
    def running(self) -> tuple[Job, ...]:
        return () if self.key is None else self.key.running

    @property
    def ready(self) -> int:
        return 0 if self.key is None else self.key.ready

    @property
    def behind(self) -> int:
        return 0 if self.key is None else self.key.behind

    @property
    def first(self) -> tuple[Job, ...]:
        return () if self.key is None else self.key.first

    @property
    def waits(self) -> str | None:
        """Who waits, in a few words."""
        if not self.behind:
            return None
        named = ", ".join(str(job.seq) for job in self.first)
        more = self.behind - len(self.first)
        return f"{named} and {more} more" if more > 0 else named

    @property
    def due(self) -> float | None:
        return None if self.key is None else self.key.due

    @property
    def spent(self) -> int:
        return 0 if self.key is None else self.key.spent

    @property
    def holder(self) -> str | None:
        """A process, or the job that has it longest."""
        if self.lock is not None:
            return self.lock.holder
        if not self.running:
            return None
        job, worker = self.running[0], self.workers[0]
        return f"job {job.seq} ({job.task})" + (f" on {worker.name}" if worker else "")

    @property
    def place(self) -> Lock | WorkerRow | None:
        """Where the holder is: its ``host``, its ``pid``, and whether it is ``alive``."""
        return self.lock or next(iter(self.workers), None)

    @property
    def is_lock(self) -> bool:
        """Whether one alone can have it, and somebody has: a process, or a job of a task whose jobs
        take turns."""
        alone = self.limit is not None and self.limit.at_once == 1 and bool(self.running)
        return self.lock is not None or alone

    @property
    def since(self) -> float | None:
        if self.lock is not None:
            return self.lock.since
        return self.running[0].claimed_at if self.running else None

    def as_object(self, now: float) -> dict[str, Any]:
        """``hueyctl.lock/1``."""
        lock, limit, place = self.lock, self.limit, self.place
        rate = None if limit is None else limit.rate
        expires = None if lock is None else lock.expires_at
        return {
            "name": self.name,
            "queue": self.queue,
            "holder": self.holder,
            "host": None if place is None else place.host,
            "pid": None if place is None else place.pid,
            "alive": None if place is None else place.alive,
            "waiting": lock is not None and lock.waiting,
            "since": None if self.since is None else rfc3339(self.since),
            "expires_at": None if expires is None else rfc3339(expires),
            "ttl_s": None if expires is None else round(expires - now, 3),
            "job": self.running[0].seq if lock is None and self.running else None,
            "waiters": self.behind,
            "first_waiters": [job.seq for job in self.first],
            "kind": self.kind,
            "at_once": None if limit is None else limit.at_once,
            "rate": None if rate is None else {**rate._asdict(), "spent": self.spent},
            "jobs": [_held(job, one) for job, one in zip(self.running, self.workers, strict=True)],
            "ready": self.ready,
            "due": None if self.due is None else rfc3339(self.due),
        }


class Holds(NamedTuple):
    """``whole``: nothing was left out; else there may be more, and longer lines."""

    rows: list[Hold]
    whole: bool


def holds(storage: Storage, queues: Sequence[str] = ()) -> Holds:
    """Of these queues, or of all: locks by name, then keys, those with the longest line first."""
    found = storage.held_keys()
    keys = {(key.queue, key.name): key for key in found.keys}
    workers = {row.address: row for row in storage.workers()} if found.keys else {}

    def hold(queue: str, name: str, lock: Lock | None, key: HeldKey | None) -> Hold:
        running = () if key is None else key.running
        return Hold(
            queue, name, lock, key, tuple(workers.get(job.worker_address) for job in running)
        )

    rows = [
        hold(lock.queue, lock.name, lock, keys.pop((lock.queue, lock.name), None))
        for lock in storage.locks()
    ]
    rows += [hold(*names, None, key) for names, key in keys.items()]
    return Holds([row for row in rows if not queues or row.queue in queues], found.whole)


def _held(job: Job, worker: WorkerRow | None) -> dict[str, Any]:
    since = None if job.claimed_at is None else rfc3339(job.claimed_at)
    return {"seq": job.seq, "task": job.task, "worker": worker and worker.name, "since": since}
