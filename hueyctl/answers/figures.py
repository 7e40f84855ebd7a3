"""One look at the figures of a storage: what ``stats``, ``check`` and the live view show.

Each question is a short read of its own; nothing is held open in between.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from hueycore.model.histogram import percentile

if TYPE_CHECKING:
    from hueycore.model.reports import Metric, WorkerRow
    from hueycore.storage.base import Storage

STATES = ("pending", "scheduled", "blocked", "running", "dead", "done", "revoked", "expired")
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
    ended with an error, whether or not another try follows."""

    runs: int = 0
    done: int = 0
    retried: int = 0
    dead: int = 0
    left: int = 0
    out_per_s: float = 0.0
    failed_per_s: float = 0.0
    failure_ratio: float | None = None
    wait: Spread = Spread()
    run: Spread = Spread()
    trend: tuple[int, ...] = (0,) * TREND

    @property
    def failed(self) -> int:
        return self.retried + self.dead


class QueueFigures(NamedTuple):
    """A queue now and in the window; the totals are one as well."""

    name: str
    paused: bool
    counts: dict[str, int]
    oldest_s: float | None
    next_run_at: float | None
    in_per_s: float
    rates: Rates

    @property
    def empties_in_s(self) -> float | None:
        """When nothing is pending any more, None when that moment never comes."""
        if not self.counts["pending"]:
            return 0.0
        surplus = self.rates.out_per_s - self.in_per_s
        return self.counts["pending"] / surplus if surplus > 0 else None


class TaskFigures(NamedTuple):
    """A task in the window. ``last_minute``: the start of the minute in which it last ended."""

    queue: str
    task: str
    last_minute: float
    rates: Rates


class WorkerCounts(NamedTuple):
    """Workers are slots of consumers: ``dead`` counts those of consumers that died."""

    alive: int
    busy: int
    dead: int
    consumers: int


class Figures(NamedTuple):
    at: float
    window_s: float
    url: str
    size: tuple[int, int]
    totals: QueueFigures
    queues: list[QueueFigures]
    tasks: list[TaskFigures]
    workers: WorkerCounts
    consumers: list[WorkerRow]


def gather(storage: Storage, queues: Sequence[str], window_s: float) -> Figures:
    """Look at everything once; ``queues`` empty means all."""
    now = time.time()
    rows = [row for row in storage.queues() if not queues or row.queue in queues]
    names = [row.queue for row in rows]
    # Endings are counted per minute: the window begins with the minute in which it would begin.
    since = (now - window_s) // 60 * 60
    trend_since = min(since, now // 60 * 60 - 60 * (TREND - 1))
    sums = _sums(storage.metrics(trend_since), names, since, now)
    arrived = storage.arrivals(since)
    due = storage.due()
    counts = {name: dict.fromkeys(STATES, 0) for name in names}
    oldest: dict[str, float] = {}
    for depth in storage.depths():
        if depth.queue in counts:
            counts[depth.queue][str(depth.state)] = depth.count
            if depth.oldest is not None:
                oldest[depth.queue] = depth.oldest
    found = [
        QueueFigures(
            name=row.queue,
            paused=row.paused_at is not None
            and (row.paused_until is None or row.paused_until > now),
            counts=counts[row.queue],
            oldest_s=_age(oldest.get(row.queue), now),
            next_run_at=due.get(row.queue),
            in_per_s=arrived.get(row.queue, 0) / _span(since, row.created_at, now),
            rates=sums.rates((row.queue,), _span(since, row.created_at, now)),
        )
        for row in rows
    ]
    first = min((row.created_at for row in rows), default=now)
    consumers = [
        row for row in storage.workers()
        if row.takes_jobs and (not queues or row.queue in queues)
    ]  # fmt: skip
    return Figures(
        at=now,
        window_s=window_s,
        url=storage.url,
        size=storage.size(),
        totals=_total(found, sums.rates(names, _span(since, first, now))),
        queues=found,
        tasks=sums.tasks(_span(since, first, now)),
        workers=count_workers(consumers),
        consumers=consumers,
    )


def count_workers(rows: Iterable[WorkerRow]) -> WorkerCounts:
    alive = busy = dead = consumers = 0
    for row in rows:
        if row.alive:
            consumers += 1
            alive += row.slots
            busy += len(row.running)
        else:
            dead += row.slots
    return WorkerCounts(alive, busy, dead, consumers)


def _age(moment: float | None, now: float) -> float | None:
    return None if moment is None else max(0.0, now - moment)


def _span(since: float, created_at: float, now: float) -> float:
    """The seconds that rates are about: a young queue did nothing before it was made."""
    return max(1.0, now - max(since, created_at))


def _total(found: Sequence[QueueFigures], rates: Rates) -> QueueFigures:
    due = [row.next_run_at for row in found if row.next_run_at is not None]
    waited = [row.oldest_s for row in found if row.oldest_s is not None]
    return QueueFigures(
        name="*",
        paused=bool(found) and all(row.paused for row in found),
        counts={state: sum(row.counts[state] for row in found) for state in STATES},
        oldest_s=max(waited, default=None),
        next_run_at=min(due, default=None),
        in_per_s=sum(row.in_per_s for row in found),
        rates=rates,
    )


class _Sum:
    """Several minutes of one task as one line."""

    __slots__ = ("counts", "last_minute", "run_hist", "run_max", "trend", "wait_hist")

    def __init__(self) -> None:
        self.counts = [0, 0, 0, 0, 0]
        self.run_max = 0.0
        self.run_hist: dict[int, int] = defaultdict(int)
        self.wait_hist: dict[int, int] = defaultdict(int)
        self.trend = [0] * TREND
        self.last_minute = 0

    def add(self, row: Metric) -> None:
        numbers = (row.done, row.retried, row.dead, row.revoked, row.expired)
        self._absorb(numbers, row.run_max, row.run_hist, row.wait_hist)

    def merge(self, other: _Sum) -> None:
        self._absorb(other.counts, other.run_max, other.run_hist, other.wait_hist)
        self.trend = [mine + more for mine, more in zip(self.trend, other.trend, strict=True)]

    def _absorb(
        self,
        numbers: Sequence[int],
        run_max: float,
        run_hist: dict[int, int],
        wait_hist: dict[int, int],
    ) -> None:
        self.counts = [mine + more for mine, more in zip(self.counts, numbers, strict=True)]
        self.run_max = max(self.run_max, run_max)
        for mine, more in ((self.run_hist, run_hist), (self.wait_hist, wait_hist)):
            for number, count in more.items():
                mine[number] += count

    def rates(self, span: float) -> Rates:
        done, retried, dead, revoked, expired = self.counts
        runs, left = done + retried + dead, done + dead + revoked + expired
        return Rates(
            runs=runs, done=done, retried=retried, dead=dead, left=left,
            out_per_s=left / span,
            failed_per_s=(retried + dead) / span,
            failure_ratio=(retried + dead) / runs if runs else None,
            wait=_spread(self.wait_hist, None),
            run=_spread(self.run_hist, self.run_max),
            trend=tuple(self.trend),
        )  # fmt: skip


def _spread(counts: dict[int, int], longest: float | None) -> Spread:
    """A bucket's edge may lie above the longest duration that was seen: cut it there."""
    p50, p95, p99 = (percentile(counts, share) for share in (0.5, 0.95, 0.99))
    if longest is None or p50 is None or p95 is None or p99 is None:
        return Spread(p50, p95, p99)
    return Spread(min(p50, longest), min(p95, longest), min(p99, longest), longest)


class _Sums(dict[tuple[str, str], _Sum]):
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


def _sums(rows: Iterable[Metric], queues: Sequence[str], since: float, now: float) -> _Sums:
    """Counts of the window, and the trend of the last hour, which may be longer or shorter."""
    found = _Sums()
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
