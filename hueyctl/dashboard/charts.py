"""Where the marks of a chart stand. Templates draw them, and write the words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from hueycore.model.histogram import bucket, percentile

if TYPE_CHECKING:
    from hueycore.model.events import Event
    from hueyctl.answers.series import Series
    from hueyctl.answers.tries import Try


class Rect(NamedTuple):
    x: float
    y: float
    width: float
    height: float
    class_: str


def _rect(x: float, y: float, width: float, height: float, class_: str) -> Rect:
    return Rect(round(x, 1), round(y, 1), round(width, 1), round(height, 1), class_)


class Tick(NamedTuple):
    """A mark of an axis: where, and the number or the moment that it stands for."""

    at: float
    value: float


class Flag(NamedTuple):
    """Something that an operator did: ``anchor`` says to which side its words go."""

    x: float
    y: float
    event: Event
    anchor: str


class Ended(NamedTuple):
    width: int
    height: int
    bars: list[Rect]
    #: One for each step, with its words.
    columns: list[tuple[Rect, int]]
    levels: list[Tick]
    moments: list[Tick]
    flags: list[Flag]
    #: Whether its moments are days.
    by_day: bool


_LEFT, _TOP, _BOTTOM = 44, 26, 22
_KINDS = ("done", "retry", "dead")


def ended(found: Series, acts: Sequence[Event], width: int = 860, height: int = 232) -> Ended:
    """What ended in each step, as columns of three parts, with the acts of operators above."""
    floor, room = height - _BOTTOM, height - _BOTTOM - _TOP
    top = nice(max((step.ended for step in found.steps), default=0))
    each = (width - _LEFT) / len(found.steps)
    gap = 1.0 if each > 4 else 0.3
    bars, columns = [], []
    for place, step in enumerate(found.steps):
        x, y = _LEFT + place * each, float(floor)
        for kind, number in zip(_KINDS, (step.done, step.retried, step.dead), strict=True):
            # Something is never drawn as nothing.
            tall = max(1.0, number / top * room) if number else 0.0
            y -= tall
            if number:
                bars.append(
                    Rect(round(x, 1), round(y, 1), round(each - gap, 1), round(tall, 1), kind)
                )
        columns.append((_rect(x, _TOP, each, room, "column"), place))
    return Ended(
        width,
        height,
        bars,
        columns,
        [Tick(round(floor - share * room, 1), share * top) for share in (0, 0.5, 1)],
        _moments(found, each),
        _flags(found, acts, each, width),
        found.step_s * len(found.steps) > 2 * 86400,
    )


def _moments(found: Series, each: float) -> list[Tick]:
    """Round times of the clock, four of them or so."""
    span = found.step_s * len(found.steps)
    wide = next((size for size in _ROUND if span / size <= 5), _ROUND[-1])
    first = found.steps[0].at
    at = math.ceil(first / wide) * wide
    ticks = []
    while at < found.until - span / 12:
        ticks.append(Tick(round(_LEFT + (at - first) / found.step_s * each, 1), at))
        at += wide
    return ticks


_ROUND = (60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800)


def _flags(found: Series, acts: Sequence[Event], each: float, width: int) -> list[Flag]:
    """In two rows, so that words of neighbours stand apart."""
    flags: list[Flag] = []
    for event in acts:
        x = _LEFT + (event.at - found.steps[0].at) / found.step_s * each
        if _LEFT <= x <= width:
            near = bool(flags) and x - flags[-1].x < 190 and flags[-1].y < 14
            side = "end" if x > width * 0.62 else "start"
            flags.append(Flag(round(x, 1), 20 if near else 9, event, side))
    return flags


def nice(number: float) -> float:
    """The next round number, where an axis ends."""
    if number <= 4:
        return 4.0
    power = 10.0 ** math.floor(math.log10(number))
    return next(power * step for step in (1, 2, 4, 5, 6, 8, 10) if number <= power * step)


class Histogram(NamedTuple):
    width: int
    height: int
    bars: list[Rect]
    marks: list[tuple[float, str, float]]
    ticks: list[Tick]
    total: int


#: Buckets that a histogram shows, 0.4 ms to 30 minutes: all durations of a queue that is well.
_FIRST, _LAST = bucket(0.0008), bucket(1000.0)
_DECADES = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0)


def histogram(counts: Mapping[int, int], width: int = 400, height: int = 94) -> Histogram:
    """Durations on a logarithmic axis, two buckets to a bar; what lies outside is in its ends."""
    number = (_LAST - _FIRST) // 2 + 1
    columns = [0] * number
    for place, count in counts.items():
        columns[min(number - 1, max(0, (place - _FIRST) // 2))] += count
    most, each, floor = max(columns, default=0), width / number, height - 16
    bars = [
        _rect(i * each, floor - tall, each - 0.8, tall, "b")
        for i, count in enumerate(columns)
        if count
        for tall in (max(1.0, count / most * (floor - 14)),)
    ]
    marks = []
    for name, share in (("p50", 0.5), ("p95", 0.95)):
        at = percentile(counts, share)
        if at is not None:
            marks.append((round(min(width - 1.0, _place(at) * each), 1), name, at))
    ticks = [Tick(round(_place(at) * each, 1), at) for at in _DECADES]
    return Histogram(width, height, bars, marks, ticks, sum(counts.values()))


def _place(seconds: float) -> float:
    """In bars from the left."""
    exact = 4 * math.log2(max(seconds, 1e-9) / 0.0001)
    return max(0.0, (exact - _FIRST + 1) / 2)


def spark(found: Series | None, width: int = 120, height: int = 22) -> list[Rect]:
    """A small chart of the same columns: what failed is on top."""
    if found is None:
        return []
    most = max((step.ended for step in found.steps), default=0)
    each = width / len(found.steps)
    bars = []
    for place, step in enumerate(found.steps):
        if not step.ended:
            continue
        tall = max(1.5, step.ended / most * height)
        bad = tall * (step.retried + step.dead) / step.ended
        x, wide = place * each, each - 0.6
        if tall > bad:
            bars.append(_rect(x, height - tall + bad, wide, tall - bad, "ok"))
        if bad:
            bars.append(_rect(x, height - tall, wide, bad, "bad"))
    return bars


class Spread(NamedTuple):
    """Where p50, p95 and the longest stand on an axis of 1 ms to 100 s."""

    p50: float
    p95: float
    longest: float


def spread(p50: float | None, p95: float | None, longest: float | None) -> Spread | None:
    if p50 is None or p95 is None:
        return None
    low, mid, high = (
        round(min(148.0, max(2.0, 150 * (math.log10(max(at, 1e-4)) + 3) / 5)), 1)
        for at in (p50, p95, longest or p95)
    )
    return Spread(low, mid, high)


class Run(NamedTuple):
    """How far a run is, against what is usual: widths of 110, ``mark`` None when nobody knows."""

    width: float
    mark: float | None
    late: bool


def run(for_s: float, p95: float | None) -> Run:
    if p95 is None:
        return Run(8.0, None, False)
    whole = max(for_s, 1.25 * p95) or 1.0
    return Run(round(110 * for_s / whole, 1), round(110 * p95 / whole, 1), for_s > p95)


class Plan(NamedTuple):
    width: int
    height: int
    rows: list[tuple[float, str, list[Tick]]]
    ticks: list[Tick]


def plan(rows: Mapping[str, Sequence[float]], now: float, ahead: float, most: int = 8) -> Plan:
    """The coming runs of some schedules, the soonest first, one to a line."""
    width, left = 640, 150
    shown = sorted(rows.items(), key=lambda row: row[1][0])[:most]

    def x(at: float) -> float:
        return round(left + (at - now) / ahead * (width - left - 12), 1)

    lines = [
        (20.0 + 26 * place, name, [Tick(x(at), at) for at in times])
        for place, (name, times) in enumerate(shown)
    ]
    quarter = ahead / 4
    first = math.ceil((now + 300) / quarter) * quarter
    ticks = [Tick(x(at), at) for at in (first + quarter * i for i in range(4)) if at <= now + ahead]
    return Plan(width, 26 * len(lines) + 26, lines, [Tick(float(left), now), *ticks])


class Gantt(NamedTuple):
    """``bars`` stand for the tries; ``usual`` is what the last of them takes in 95 of 100 runs."""

    width: int
    bars: list[Rect]
    usual: Rect | None


_CLASSES = {"failed": "x", "put back": "w", "done": "d", "running": "r"}


def gantt(
    runs: Sequence[Try], began: float, until: float, p95: float | None, width: int = 860
) -> Gantt:
    """The life of a job from ``began`` on."""
    span = max(until - began, 1e-6)

    def bar(since: float, end: float, y: float, height: float, class_: str) -> Rect:
        x = min(width - 3.0, max(0.0, (since - began) / span * width))
        # A short run in a long life is seen all the same.
        return _rect(x, y, min(width - x, max(3.0, (end - since) / span * width)), height, class_)

    bars = [bar(one.began, one.ended or until, 10, 20, _CLASSES[one.outcome]) for one in runs]
    usual = bar(runs[-1].began, runs[-1].began + p95, 5, 30, "u") if runs and p95 else None
    return Gantt(width, [_rect(0, 10, width, 20, "w"), *bars], usual)
