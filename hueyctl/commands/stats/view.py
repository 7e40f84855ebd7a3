"""What the person at the keys of the live view has chosen, and what each key means."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hueyctl.output.figures import TABLES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hueyctl.commands.stats.deed import Deed

WINDOWS = (60.0, 300.0, 900.0, 1800.0, 3600.0, 10800.0, 21600.0, 43200.0, 86400.0)


class View(NamedTuple):
    """``lower``: task, worker, or queue for none. ``queue`` is the one that keys act on;
    ``deed`` waits for a yes; ``note`` is what came of the last one; ``trouble``, why there are no
    new figures."""

    lower: str = "task"
    sort: str | None = None
    top: int | None = None
    interval: float = 2.0
    window: float = 300.0
    looks: int | None = None
    frozen: bool = False
    help: bool = False
    queue: str | None = None
    deed: Deed | None = None
    note: str = ""
    trouble: str = ""

    def pressed(self, key: str, queues: Sequence[str]) -> View:
        """The view after a key; the same for a key that means nothing."""
        if key == " ":
            return self._replace(frozen=not self.frozen)
        if key == "?":
            return self._replace(help=not self.help)
        if key == "t":
            lower = "worker" if self.lower != "worker" else "task"
            return self._replace(lower=lower, sort=None)
        if key in ("s", "right", "left"):
            return self._replace(sort=self._other_sort(-1 if key == "left" else 1))
        if key == "S":
            return self._replace(sort=_reversed(self.shown_sort()))
        if key in ("up", "k", "down", "j"):
            return self._replace(queue=self._other_queue(queues, -1 if key in ("up", "k") else 1))
        if len(key) == 1 and key in "123456789":
            return self._replace(window=WINDOWS[int(key) - 1])
        return self

    def shown_sort(self) -> str:
        """The order of the lower table, or the one that it has by itself."""
        return self.sort or TABLES[self.lower].sort[0]

    def chosen(self, queues: Sequence[str]) -> str | None:
        """The queue that keys act on: the first, until another one is chosen."""
        if self.queue in queues:
            return self.queue
        return queues[0] if queues else None

    def _other_sort(self, step: int) -> str:
        order = TABLES[self.lower].sort
        for sort in (self.shown_sort(), _reversed(self.shown_sort())):
            if sort in order:
                return order[(order.index(sort) + step) % len(order)]
        return order[0]

    def _other_queue(self, queues: Sequence[str], step: int) -> str | None:
        now = self.chosen(queues)
        if now is None:
            return None
        return queues[(queues.index(now) + step) % len(queues)]


def _reversed(sort: str) -> str:
    return sort[1:] if sort.startswith("-") else f"-{sort}"
