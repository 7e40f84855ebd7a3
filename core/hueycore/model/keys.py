"""What a key says of those who have it and those who wait for it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from hueycore.model.jobs import Job
from hueycore.model.limits import Limit

#: Of those that wait for a key so many are named.
NAMED = 3
#: Queue and name.
Key = tuple[str, str]


class HeldKey(NamedTuple):
    """A key of a queue. ``limit`` is what the task of its jobs declares. ``running`` jobs have it,
    the longest first, and ``ready`` jobs come before any that waits; ``behind`` wait, ``first`` are
    the next ``NAMED`` of them. ``due``: when the rate lets one go, None when it may now. ``spent``:
    slots of the rate that are used up now."""

    queue: str
    name: str
    limit: Limit | None
    running: tuple[Job, ...]
    ready: int
    behind: int
    first: tuple[Job, ...]
    due: float | None
    spent: int


class HeldKeys(NamedTuple):
    """``whole``: nothing was left out; else there may be further keys, and longer lines."""

    keys: list[HeldKey]
    whole: bool


class Standing:
    """Who has which key, and how many wait for it."""

    def __init__(self) -> None:
        self.limits: dict[str, dict[str, Limit]] = {}
        self.running: dict[Key, list[Job]] = defaultdict(list)
        self.behind: Counter[Key] = Counter()

    def run(self, jobs: Iterable[Job]) -> None:
        for job in sorted(jobs, key=lambda job: job.claimed_at or 0.0):
            if job.key_name is not None:
                self.running[job.queue, job.key_name].append(job)

    def longest(self) -> list[Key]:
        """Every key, those with the longest line first."""
        declared = (
            (queue, limit.key)
            for queue, limits in self.limits.items()
            for limit in limits.values()
            if limit.key is not None
        )
        keys = {*declared, *self.running, *self.behind}
        return sorted(
            keys, key=lambda key: (-self.behind[key], -len(self.running.get(key, ())), key)
        )

    def held(
        self,
        key: Key,
        now: float,
        *,
        ready: int = 0,
        first: Iterable[Job] = (),
        tat: float = 0.0,
    ) -> HeldKey:
        """All of it; ``tat`` is the theoretical arrival time of its rate."""
        running, waiting = tuple(self.running.get(key, ())), tuple(first)
        limit = self._limit(key, next(iter(running or waiting), None))
        rate = None if limit is None else limit.rate
        spent = 0 if rate is None else rate.spent(tat, now)
        due = None if rate is None else rate.due(tat, now)
        behind = self.behind[key]
        return HeldKey(*key, limit, running, ready, behind, waiting, due, spent)

    def _limit(self, key: Key, job: Job | None) -> Limit | None:
        """That of its jobs' task; of a key that nobody asks for that of a task that names it."""
        limits = self.limits.get(key[0], {})
        if job is not None:
            return limits.get(job.task)
        return next((limit for limit in limits.values() if limit.key == key[1]), None)
