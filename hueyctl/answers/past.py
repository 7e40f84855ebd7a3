"""What ended long ago, by the half hour: a week of minutes is more than a process should hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hueycore.model.reports import Metric
    from hueycore.storage.base import Storage

#: Minutes of a block; minutes before now that are told one by one.
BLOCK, LATELY = 30, 120


class Past:
    """Blocks that are over are read once, and kept by who looks again and again."""

    def __init__(self) -> None:
        self._blocks: dict[int, list[Metric]] = {}

    def metrics(self, storage: Storage, since: float, now: float) -> list[Metric]:
        """As ``storage.metrics(since)``; lines of a block are one, at its first minute."""
        first = int(since // 60)
        lately = (int(now // 60) - LATELY) // BLOCK * BLOCK
        if first >= lately:
            return storage.metrics(since)
        whole = -(-first // BLOCK) * BLOCK
        wanted = range(whole, lately, BLOCK)
        self._blocks = {
            start: rows for start, rows in self._blocks.items() if start >= whole - BLOCK
        }
        found = list(_merged(storage.metrics(60.0 * first, 60.0 * whole), first))
        for start in wanted:
            if start not in self._blocks:
                rows = storage.metrics(60.0 * start, 60.0 * (start + BLOCK))
                self._blocks[start] = list(_merged(rows, start))
            found += self._blocks[start]
        return found + storage.metrics(60.0 * lately)


def _merged(rows: Iterable[Metric], minute: int) -> Iterator[Metric]:
    """One line for each queue and task."""
    sums: dict[tuple[str, str], Metric] = {}
    for row in rows:
        key = row.queue, row.task
        sums[key] = sums[key].plus(row) if key in sums else row
    for row in sums.values():
        yield row._replace(minute=minute)
