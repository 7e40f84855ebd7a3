"""What holds jobs back: limits of tasks, rates, locks."""

import math
from typing import NamedTuple


class Rate(NamedTuple):
    """``limit`` starts per ``per`` seconds: one each ``per / limit`` seconds, and up to ``burst``
    at once after a pause. With a burst of 1 no window of ``per`` seconds sees more than ``limit``.
    """

    limit: int
    per: float
    burst: int = 1

    def slot(self, tat: float) -> float:
        """When the next start is allowed, by the theoretical arrival time of the generic cell rate
        algorithm."""
        return tat - (self.burst - 1) * self.per / self.limit

    def spent(self, tat: float, now: float) -> int:
        """How many starts are not made up for by the time that has passed since."""
        return max(0, math.ceil((tat - now) * self.limit / self.per - 1e-6))

    def due(self, tat: float, now: float) -> float | None:
        """When the next start is allowed, None when it is now."""
        slot = self.slot(tat)
        return slot if slot > now else None

    def after(self, tat: float, now: float) -> float:
        """The theoretical arrival time after one more start."""
        return max(tat, now) + self.per / self.limit


class Limit(NamedTuple):
    """How the jobs of a task are held back, within their key: ``at_once`` may run at the same time
    (None: any number). ``key`` is None when it depends on the call."""

    task: str
    key: str | None
    at_once: int | None = None
    rate: Rate | None = None


class Lock(NamedTuple):
    """An outside lock, and the process that holds it; ``waiting`` while jobs of its key still run.
    ``expires_at`` is the end of its lease, None for as long as the process lives."""

    name: str
    queue: str
    owner: int
    holder: str
    host: str
    pid: int
    alive: bool
    since: float
    expires_at: float | None
    waiting: bool
