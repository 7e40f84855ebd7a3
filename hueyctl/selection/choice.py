"""What was said of the jobs that are meant, by options or in another way."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hueyctl import errors

if TYPE_CHECKING:
    from hueycore.model.states import State
    from hueyctl.selection.filters import Deep, OnColumn
    from hueyctl.selection.selection import Selection


@dataclass(slots=True)
class Choice:
    """The words and numbers as they were said, not yet looked at. Ages are in seconds."""

    ids: tuple[str, ...] = ()
    state: tuple[str, ...] = ()
    task: str | None = None
    where: tuple[str, ...] = ()
    older_than: float | None = None
    newer_than: float | None = None
    priority: tuple[float | None, float | None] | None = None
    limit: int | None = None
    sort: str | None = None
    all_: bool = False
    utc: bool = False

    @property
    def narrows(self) -> bool:
        """Whether anything says which jobs, besides the queue."""
        return bool(self.ids or self.all_ or self.filters)

    @property
    def filters(self) -> bool:
        """Whether anything says what kind of jobs."""
        words = self.state or self.task or self.where or self.priority
        return bool(words) or self.older_than is not None or self.newer_than is not None

    def selection(
        self,
        queues: Sequence[str],
        *,
        states: Sequence[str] = (),
        sort: str = "seq",
        limit: int | None = None,
    ) -> Selection:
        """The jobs that are meant. ``states``, ``sort`` and ``limit`` stand where nothing was
        said; ids and ``--all`` mean every state. Raises ``CliError`` for a word it does not know.
        """
        from hueycore.model.jobs import Selector
        from hueycore.model.states import states as named
        from hueyctl.selection.ids import read_ids
        from hueyctl.selection.order import Order, order_of
        from hueyctl.selection.selection import LOOKED_AT, Selection

        now = time.time()
        chosen = _states(self.state) if self.state else named(states)
        if self.all_ or (self.ids and not self.state):
            chosen = ()
        columns, deep = self._conditions(now)
        order = order_of(self.sort) if self.sort else sort
        ours = order if isinstance(order, Order) else None
        selector = Selector(
            queues=tuple(queues),
            states=chosen,
            keys=read_ids(self.ids),
            task=self.task,
            older_than=None if self.older_than is None else now - self.older_than,
            newer_than=None if self.newer_than is None else now - self.newer_than,
            priority=self.priority or (None, None),
            where=columns,
            sort=order if isinstance(order, str) else "seq",
        )
        most = limit if self.limit is None else (self.limit or None)
        return Selection(
            selector,
            deep,
            most,
            ours,
            impossible=bool(self.ids) and not selector.keys,
            most=None if self.limit == 0 else LOOKED_AT,
        )

    def _conditions(self, now: float) -> tuple[tuple[OnColumn, ...], tuple[Deep, ...]]:
        from hueyctl.selection.filters import Deep, parse

        found = [parse(expression, now, utc=self.utc) for expression in self.where]
        return (
            tuple(one for one in found if not isinstance(one, Deep)),
            tuple(one for one in found if isinstance(one, Deep)),
        )


def _states(words: Sequence[str]) -> tuple[State, ...]:
    from hueycore.model.states import State, states

    names = [name.strip() for word in words for name in word.split(",") if name.strip()]
    if "all" in names:
        return ()
    for name in names:
        if name not in tuple(State):
            raise errors.usage(f"unknown state {name!r}", f"states are {', '.join(State)}, or all")
    return states(dict.fromkeys(names))
