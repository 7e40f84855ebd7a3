"""The figures of a storage: what ``stats``, ``check`` and the live view show."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from hueycore.system.mask import masked
from hueyctl.answers.queues import is_paused
from hueyctl.answers.rates import TREND, Rates, TaskFigures, sums_of

if TYPE_CHECKING:
    from hueycore.model.reports import QueueRow, WorkerRow
    from hueyctl.answers.look import Look

#: In the order of the document ``hueyctl.stats/1``.
STATES = ("pending", "scheduled", "blocked", "running", "dead", "done", "revoked", "expired")


class QueueFigures(NamedTuple):
    """A queue now and in the window; the totals are one as well. ``surplus``: by how many jobs per
    second more went than came, in the last minute or two."""

    name: str
    paused: bool
    counts: dict[str, int]
    oldest_s: float | None
    next_run_at: float | None
    in_per_s: float
    rates: Rates
    surplus: float = 0.0

    @property
    def empties_in_s(self) -> float | None:
        """When nothing is pending any more, None when that moment never comes."""
        if not self.counts["pending"]:
            return 0.0
        return self.counts["pending"] / self.surplus if self.surplus > 0 else None


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


def gather(look: Look, window_s: float) -> Figures:
    storage, now, rows = look.storage, look.now, look.queues
    names = [row.queue for row in rows]
    # Endings are counted per minute: the window begins with the minute in which it would begin.
    since = (now - window_s) // 60 * 60
    trend_since = min(since, now // 60 * 60 - 60 * (TREND - 1))
    metrics = look.metrics(trend_since)
    sums = sums_of(metrics, names, since, now)
    arrived = storage.arrivals(since)
    # What is so now is told by a whole minute and what has passed of this one.
    lately = now // 60 * 60 - 60
    sums_lately, arrived_lately = sums_of(metrics, names, lately, now), storage.arrivals(lately)

    def surplus(row: QueueRow) -> float:
        span = _span(lately, row.created_at, now)
        gone = sums_lately.rates((row.queue,), span).out_per_s
        return gone - arrived_lately.get(row.queue, 0) / span

    counts = {name: dict.fromkeys(STATES, 0) for name in names}
    oldest: dict[str, float] = {}
    for depth in look.depths:
        if depth.queue in counts:
            counts[depth.queue][str(depth.state)] = depth.count
            if depth.oldest is not None:
                oldest[depth.queue] = depth.oldest
    found = [
        QueueFigures(
            name=row.queue,
            paused=is_paused(row, now),
            counts=counts[row.queue],
            oldest_s=_age(oldest.get(row.queue), now),
            next_run_at=look.due.get(row.queue),
            in_per_s=arrived.get(row.queue, 0) / _span(since, row.created_at, now),
            rates=sums.rates((row.queue,), _span(since, row.created_at, now)),
            surplus=0.0 if is_paused(row, now) else surplus(row),
        )
        for row in rows
    ]
    first = min((row.created_at for row in rows), default=now)
    workers = count_workers(look.consumers)
    # A look at one moment sees few of those that run for milliseconds.
    busy = math.ceil(round(sums_lately.rates(names, _span(lately, first, now)).busy, 1))
    return Figures(
        at=now,
        window_s=window_s,
        url=masked(storage.url),
        size=storage.size(),
        totals=_total(found, sums.rates(names, _span(since, first, now))),
        queues=found,
        tasks=sums.tasks(_span(since, first, now)),
        workers=workers._replace(busy=max(workers.busy, min(workers.alive, busy))),
        consumers=look.consumers,
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
        surplus=sum(row.surplus for row in found),
    )
