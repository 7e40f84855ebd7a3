"""What ended in each step of a window, and how long runs waited and took in it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from hueycore.model.reports import Metric

#: About so many steps make a window, where nobody says how many.
STEPS = 60
#: Minutes that a step may have.
_WIDE = (1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 1440)


class Step(NamedTuple):
    """So many seconds from ``at`` on. ``done`` are jobs, and so are ``dead``; ``retried`` are runs
    that another try follows."""

    at: float
    done: int
    retried: int
    dead: int

    @property
    def ended(self) -> int:
        return self.done + self.retried + self.dead


class Series(NamedTuple):
    """``run`` and ``wait`` are histograms of ``model.histogram``."""

    step_s: float
    steps: list[Step]
    run: dict[int, int]
    wait: dict[int, int]

    @property
    def until(self) -> float:
        return self.steps[-1].at + self.step_s


def series(metrics: Iterable[Metric], since: float, now: float, steps: int = STEPS) -> Series:
    """A step is some whole minutes and begins at a round time: a look a little later moves none of
    them. The last one is not over yet."""
    first, last = int(since // 60), int(now // 60)
    wide = next((size for size in _WIDE if (last - first) / size <= steps), _WIDE[-1])
    first = -(-first // wide) * wide
    counts = [[0, 0, 0] for _ in range((last - first) // wide + 1)]
    run: dict[int, int] = defaultdict(int)
    wait: dict[int, int] = defaultdict(int)
    for row in metrics:
        if not first <= row.minute <= last:
            continue
        step = counts[(row.minute - first) // wide]
        step[0] += row.done
        step[1] += row.retried
        step[2] += row.dead
        for mine, more in ((run, row.run_hist), (wait, row.wait_hist)):
            for bucket, count in more.items():
                mine[bucket] += count
    found = [Step(60.0 * (first + i * wide), *numbers) for i, numbers in enumerate(counts)]
    return Series(60.0 * wide, found, dict(run), dict(wait))
