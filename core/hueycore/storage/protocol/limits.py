"""For what holds jobs back: limits of tasks, rates, locks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from hueycore.model.limits import Limit, Lock, Rate


class Limits(Protocol):
    """Jobs of one ``key_name`` share slots: at most as many run, over all consumers, as the limit
    of their task says; the others are ``blocked`` and come in running order."""

    def declare_limits(self, limits: Sequence[Limit], known: Collection[str] | None = None) -> None:
        """Store what the code says of its tasks; of ``known`` tasks (by default those that have a
        limit) whatever else was stored is forgotten. In force at once: jobs that a change lets go
        become pending. Writes nothing when nothing has changed."""
        ...

    def limits(self) -> list[Limit]:
        """What the tasks of this queue declare, by name."""
        ...

    def spend(self, name: str, rate: Rate, job: tuple[int, int] | None) -> float | None:
        """Take the next slot of a rate: None when it is now, else the time (POSIX seconds) of the
        slot. A refused ``job`` (number and claim) is promised that slot: the same job, asking again
        from then on, is let through without another one being spent."""
        ...

    def spent(self, name: str, rate: Rate) -> int:
        """How many slots of a rate are used up now: all of them when the next start is refused."""
        ...

    def reset_rate(self, name: str) -> None:
        """The rate begins anew: nothing was spent."""
        ...

    def key_due(self, queue: str, name: str, task: str) -> float | None:
        """When the rate of a task lets the next job of a key go; None when it may now, or there is
        no rate."""
        ...

    def lock(
        self,
        name: str,
        owner: int,
        token: bytes,
        *,
        ttl: float | None = None,
        reserve: bool = False,
    ) -> bool:
        """Take a lock for a registered process, until it is given back, the process dies, or
        ``ttl`` seconds have passed. False when somebody has it, or a job of the key of this name
        runs. With ``reserve`` no other job of the key begins, so that asking again with the same
        token is given it when those that run have ended."""
        ...

    def unlock(self, name: str, token: bytes | None = None) -> bool:
        """Give a lock back: the one of this token, or whoever has it. Jobs that waited for it are
        pending. False when there was none, or its lease was over."""
        ...

    def is_locked(self, name: str) -> bool:
        """Whether a lock is held, or a job of the key of this name runs."""
        ...

    def locks(self) -> list[Lock]:
        """Every lock of the storage by queue and name; those of the dead included, not those whose
        lease is over."""
        ...
