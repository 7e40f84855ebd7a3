"""For periodic tasks: what applications declare, what people store, and the fire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from hueycore.model.schedules import Coming, Fire, Periodic


class Schedules(Protocol):
    """A fire happens once, however many schedulers there are."""

    def declare_periodic(self, schedules: Sequence[Periodic], worker: int | None = None) -> None:
        """These, and no others, are what a worker has in its code from now on.

        What is new to it is stored; an unchanged schedule keeps its ``next_run``, so what was
        missed while no consumer ran is known. What it has dropped is forgotten unless another
        worker has it, and with its first declaration so is all that nobody has any more. A stored
        schedule of the same name is left alone. Without a ``worker`` every declaration is the
        first."""
        ...

    def schedule_periodic(self, one: Periodic) -> bool:
        """Store a schedule, or replace the stored one of this name; an unchanged schedule keeps its
        ``next_run`` and its history. False when the name is declared in code."""
        ...

    def remove_periodic(self, name: str) -> bool:
        """Forget a stored schedule; False when there was none of this name."""
        ...

    def pause_periodic(
        self, names: Sequence[str], *, by: str | None = None, reason: str | None = None
    ) -> list[str]:
        """These schedules do not fire from now on; the names of those that exist."""
        ...

    def resume_periodic(self, names: Sequence[str]) -> list[str]:
        """Undo ``pause_periodic``; the names of those that were paused. What was missed is made up
        for as ``catch_up`` says."""
        ...

    def coming_periodic(self, now: float, declared: Sequence[str]) -> Coming:
        """What a worker that declares these names has to do: schedules that are due and not paused,
        stored or declared by it. Cheap, however many schedules wait: it is asked all the time."""
        ...

    def fire(self, fires: Sequence[Fire]) -> list[str]:
        """Where ``next_run`` is still ``seen``: move it on and enqueue the jobs, all in one
        transaction. The names of those that moved; with the others another scheduler was first,
        or they were removed or paused."""
        ...

    def periodic(self, *, whole: bool = False) -> list[Periodic]:
        """The schedules of this queue, or of the ``whole`` storage, by queue and name."""
        ...
