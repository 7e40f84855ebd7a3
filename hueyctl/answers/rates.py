"""What ended in a window of time: counts, rates and percentiles, by queue and by task."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from hueycore.model.histogram import percentile

if TYPE_CHECKING:
    from hueycore.model.reports import Metric

#: Minutes in a trend.
TREND = 60


class Spread(NamedTuple):
    """Percentiles of durations in seconds, None when nothing ran."""

    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    max: float | None = None


class Rates(NamedTuple):
    """What happened in the window. ``left``: jobs that need no further run; ``failed``: runs that
    ended with an error, whether or not another try follows; ``busy``: how many workers ran at a
    time, on average."""

    runs: int = 0
    done: int = 0
    retried: int = 0
    dead: int = 0
    left: int = 0
    out_per_s: float = 0.0
    failed_per_s: float = 0.0
    busy: float = 0.0
    failure_ratio: float | None = None
    wait: Spread = Spread()
    run: Spread = Spread()
    trend: tuple[int, ...] = (0,) * TREND

    @property
    def failed(self) -> int:
        return self.retried + self.dead


class TaskFigures(NamedTuple):
    """A task in the window. ``last_minute``: the start of the minute in which it last ended."""

    queue: str
    task: str
    last_minute: float
    rates: Rates


class _Sum:
    """Several minutes of one task as one line."""

    __slots__ = ("counts", "last_minute", "run_hist", "run_max", "run_s", "trend", "wait_hist")

    def __init__(self) -> None:
        self.counts = [0, 0, 0, 0, 0]
        self.run_s = self.run_max = 0.0
        self.run_hist: dict[int, int] = defaultdict(int)
        self.wait_hist: dict[int, int] = defaultdict(int)
        self.trend = [0] * TREND
        self.last_minute = 0

    def add(self, row: Metric) -> None:
        numbers = (row.done, row.retried, row.dead, row.revoked, row.expired)
        self._absorb(numbers, row.run_s, row.run_max, row.run_hist, row.wait_hist)

    def merge(self, other: _Sum) -> None:
        self._absorb(other.counts, other.run_s, other.run_max, other.run_hist, other.wait_hist)
        self.trend = [mine + more for mine, more in zip(self.trend, other.trend, strict=True)]

    def _absorb(
        self,
        numbers: Sequence[int],
        run_s: float,
        run_max: float,
        run_hist: dict[int, int],
        wait_hist: dict[int, int],
    ) -> None:
        self.counts = [mine + more for mine, more in zip(self.counts, numbers, strict=True)]
        self.run_s += run_s
        self.run_max = max(self.run_max, run_max)
        for mine, more in ((self.run_hist, run_hist), (self.wait_hist, wait_hist)):
            for number, count in more.items():
                mine[number] += count

    def rates(self, span: float) -> Rates:
        done, retried, dead, revoked, expired = self.counts
        runs, left = done + retried + dead, done + dead + revoked + expired
        return Rates(
            runs=runs,
            done=done,
            retried=retried,
            dead=dead,
            left=left,
            out_per_s=left / span,
            failed_per_s=(retried + dead) / span,
            busy=self.run_s / span,
            failure_ratio=(retried + dead) / runs if runs else None,
            wait=_spread(self.wait_hist, None),
            run=_spread(self.run_hist, self.run_max),
            trend=tuple(self.trend),
        )


def _spread(counts: dict[int, int], longest: float | None) -> Spread:
    """A bucket's edge may lie above the longest duration that was seen: cut it there."""
    p50, p95, p99 = (percentile(counts, share) for share in (0.5, 0.95, 0.99))
    if longest is None or p50 is None or p95 is None or p99 is None:
        return Spread(p50, p95, p99)
    return Spread(min(p50, longest), min(p95, longest), min(p99, longest), longest)


class Sums(dict[tuple[str, str], _Sum]):
    """A line per queue and task."""

    def rates(self, queues: Sequence[str], span: float) -> Rates:
        whole = _Sum()
        for (queue, _), line in self.items():
            if queue in queues:
                whole.merge(line)
        return whole.rates(span)

    def tasks(self, span: float) -> list[TaskFigures]:
        """Those that ended in the window, by name."""
        return [
            TaskFigures(queue, task, 60.0 * line.last_minute, line.rates(span))
            for (queue, task), line in sorted(self.items())
            if any(line.counts)
        ]


def sums_of(rows: Iterable[Metric], queues: Sequence[str], since: float, now: float) -> Sums:
    """Counts of the window, and the trend of the last hour, which may be longer or shorter."""
    found = Sums()
    first = int(since // 60)
    oldest = int(now // 60) - TREND + 1
    for row in rows:
        if row.queue not in queues:
            continue
        line = found.get((row.queue, row.task))
        if line is None:
            line = found[row.queue, row.task] = _Sum()
        if row.minute >= first:
            line.add(row)
        place = row.minute - oldest
        if 0 <= place < TREND:
            line.trend[place] += row.done + row.dead + row.revoked + row.expired
        line.last_minute = max(line.last_minute, row.minute)
    return found
