"""The part of the storage protocol that holds jobs back: limits of tasks, rates, locks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from hueycore.model.limits import Limit, Lock, Rate


class Guards(Protocol):
    """Jobs of one ``key_name`` share slots: at most as many run, over all consumers, as the limit
    of their task says; the others are ``blocked`` and come in running order."""

    def declare_limits(self, limits: Sequence[Limit], known: Collection[str] | None = None) -> None:
        """Store what the code says of its tasks, and forget what was stored of other ``known``
        tasks. In force at once: jobs that a change lets go become pending."""
        ...

    def limits(self) -> list[Limit]: ...
    def mend(self) -> list[str]:
        """Let go what a key blocks without need, which no verb should leave behind: the keys where
        that was so. Also bring back what a clock that was set back has moved out of reach."""
        ...

    def spend(self, name: str, rate: Rate, job: tuple[int, int] | None) -> float | None:
        """Take the next slot of a rate: None when it is now, else its time. A refused ``job``
        (number and claim) is promised that slot and may ask again from then on."""
        ...

    def reset_rate(self, name: str) -> None:
        """Nothing of the rate is spent."""
        ...

    def key_due(self, queue: str, name: str) -> float | None:
        """When time alone lets the next blocked job of a key go, if it does."""
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
        runs; with ``reserve`` no other such job begins, so that the next call may be given it."""
        ...

    def unlock(self, name: str, token: bytes | None = None) -> bool:
        """Give a lock back: the one of this token, or whoever has it. False if there was none."""
        ...

    def is_locked(self, name: str) -> bool: ...
    def locks(self) -> list[Lock]:
        """Every lock of the file by queue and name; not those whose lease is over."""
        ...
