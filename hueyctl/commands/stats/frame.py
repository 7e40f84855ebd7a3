"""What a frame of the live view shows, as lines of styled text. Draws nothing by itself."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hueyctl import streams, units
from hueyctl.answers.alarms import CRITICAL
from hueyctl.output.columns import Column, Style, cell
from hueyctl.output.figures import TABLES, TREND_WIDTH, Reader, column_to_sort, sorted_rows
from hueyctl.output.grid import Line, grid, joined, shortened, without_zeros
from hueyctl.output.runs import run_lines
from hueyctl.output.sparkline import chart
from hueyctl.units import grouped

if TYPE_CHECKING:
    from hueyctl.answers.alarms import Alarm
    from hueyctl.answers.figures import Figures
    from hueyctl.answers.runs import Run
    from hueyctl.commands.stats.view import View

#: Each with how soon it is left out where there is no room.
_KEYS = (
    (0, "q quit"), (4, "↑↓ queue"), (2, "p pause"), (3, "r retry dead"), (5, "s sort"),
    (6, "t tasks/workers"), (7, "1-9 window"), (8, "space freeze"), (1, "? help"),
)  # fmt: skip
HELP = """\
q        quit
↑ ↓      choose a queue (also: k j)
p        pause the queue, or let it go on
r        retry its dead letters
s        sort the lower table by its next column (also: ← →)
S        the other way round
t        tasks or consumers in the lower table
1 … 9    window: 1m 5m 15m 30m 1h 3h 6h 12h 24h
space    freeze what is shown, and go on
?        this page, and back

OLDEST    how long the oldest pending job has been ready
IN/S      jobs enqueued per second of the window
OUT/S     jobs that ended for good per second of the window
FAIL%     share of runs that ended with an error
P50 …     what runs took: half of them less than this, and so on
×P95      how many times its task's P95 a job has run
EMPTY-IN  when nothing will be pending at this rate
TREND     what ended in each of the last 60 minutes"""

#: A header on fewer columns says the least.
_NARROW = 75
#: Alarms that are shown above the tables.
_ALARMS = 3
#: Lines that a chart needs to say something, its title with it.
_CHART = 5
_NOTHING = {"task": "nothing ended in this window", "worker": "no consumer is registered"}
#: The columns of the upper table.
_QUEUES = (
    "queue", "pending", "scheduled", "blocked", "running", "dead", "oldest", "in_per_s",
    "out_per_s", "failed", "p50", "p95", "p99", "empty_in", "trend",
)  # fmt: skip


def frame(
    figures: Figures,
    view: View,
    width: int,
    height: int | None,
    utf8: bool,
    alarms: Sequence[Alarm] = (),
    runs: Sequence[Run] = (),
) -> list[Line]:
    """The lines of one frame, none wider than ``width``; with ``height`` exactly those, which are
    as many as are worth it."""
    if height is None:
        return _overview(figures, view, width, utf8)
    if view.help:
        return [
            [(shortened(line if utf8 else _ascii(line), width), "")] for line in HELP.splitlines()
        ][:height]
    room = max(1, height - 1)
    lines = [_header(figures, view, width, utf8, live=True), *_alarms(alarms, width)]
    lines += _queues(figures, view, width, utf8, max(2, (room - len(lines)) // 3), live=True)
    lines += _running(figures, view, runs, width, utf8, room - len(lines))
    lines += _lower(figures, view, width, utf8, room - len(lines))
    lines += _chart(figures, width, utf8, room - len(lines))
    lines += [[("", "")]] * (room - len(lines))
    return [*lines[:room], _footer(view, width, utf8)][-height:]


def _overview(figures: Figures, view: View, width: int, utf8: bool) -> list[Line]:
    """Once, as long as it needs to be."""
    lines = [_header(figures, view, width, utf8, live=False)]
    lines += _queues(figures, view, width, utf8, None, live=False)
    return [*lines, *_lower(figures, view, width, utf8, None)]


def _alarms(alarms: Sequence[Alarm], width: int) -> list[Line]:
    """The worst, and how many more there are."""
    lines: list[Line] = [
        [
            (
                shortened(streams.visible(one.text), width),
                "bold red" if one.level == CRITICAL else "yellow",
            )
        ]
        for one in alarms[:_ALARMS]
    ]
    if len(alarms) > _ALARMS:
        more = f"{len(alarms) - _ALARMS} more: hueyctl status"
        lines.append([(shortened(more, width), "dim")])
    return lines


def _header(figures: Figures, view: View, width: int, utf8: bool, *, live: bool) -> Line:
    size, wal = figures.size
    kind, _, rest = figures.url.partition("://")
    address = rest.rpartition("@")[2].partition("?")[0].lstrip("/")
    where, size_text = f"{kind}:{address}", units.size(size)
    if kind == "sqlite":
        where, size_text = (
            f"{kind}:{os.path.basename(rest)}",
            f"{size_text} (wal {units.size(wal)})",
        )
    clock = time.strftime("%H:%M:%S", time.localtime(figures.at))
    parts: list[tuple[int, Line]] = [
        (1, [(streams.visible(where), "bold"), (f" {size_text}" if width >= _NARROW else "", "")]),
        (3, [(clock, "")]),
        (5, [(f"every {view.interval:g}s", "")]),
        (2, [(f"window {_brief(figures.window_s)}", "")]),
        (0, _workers(figures, width, "·" if utf8 else "|")),
    ]
    return joined([part for part in parts if live or part[0] != 5], width)


def _workers(figures: Figures, width: int, dot: str) -> Line:
    alive, busy, dead, _ = figures.workers
    line = [(f"{'workers ' if width >= _NARROW else ''}{alive} alive {dot} {busy} busy", "")]
    if dead or width >= _NARROW:
        line.append((f" {dot} {dead} dead", "bold red" if dead else ""))
    return line


def _queues(
    figures: Figures, view: View, width: int, utf8: bool, most: int | None, *, live: bool
) -> list[Line]:
    """Paused ones in yellow; the one that keys act on is marked."""
    if not figures.queues:
        return [[(shortened("no queue yet", width), "dim")]]
    rows = sorted_rows(figures, TABLES["queue"], view.sort if view.lower == "queue" else None)
    chosen = view.chosen([row.name for row in rows]) if live and len(rows) > 1 else None
    place = next((number for number, row in enumerate(rows) if row.name == chosen), 0)
    shown = rows if most is None or len(rows) < most else _around(rows, place, most - 1)
    styles = ["yellow" if row.paused else "" for row in shown]
    if chosen is None:
        lines = _table(figures, "queue", shown, view, width, utf8, _QUEUES, styles)
    else:
        mark = "▸ " if utf8 else "> "
        lines = _table(figures, "queue", shown, view, width - len(mark), utf8, _QUEUES, styles)
        marks = ["  ", *(mark if row.name == chosen else "  " for row in shown)]
        lines = [[(each, "bold cyan"), *line] for each, line in zip(marks, lines, strict=True)]
    if len(shown) < len(rows):
        lines.append([(f"… {grouped(len(rows) - len(shown))} more: hueyctl stats", "dim")])
    return lines


def _around(rows: Sequence[Any], place: int, most: int) -> Sequence[Any]:
    most = max(1, most - 1)
    start = max(0, min(place - most // 2, len(rows) - most))
    return rows[start : start + most]


def _running(
    figures: Figures, view: View, runs: Sequence[Run], width: int, utf8: bool, room: int
) -> list[Line]:
    """As many as there is room for beside the lower table."""
    if room < 2:
        return []
    if not runs:
        return [[("", "")], [(shortened("nothing runs", width), "dim")]]
    wanted = len(TABLES[view.lower].rows(figures)) if view.lower != "queue" else 0
    most = max(1, room // 2 - 2, room - (wanted + 2) - 2)
    return [[("", "")], *run_lines(runs, width, most=most, utf8=utf8)]


def _lower(figures: Figures, view: View, width: int, utf8: bool, room: int | None) -> list[Line]:
    if view.lower == "queue" or (room is not None and room < 2):
        return []
    table = TABLES[view.lower]
    rows = sorted_rows(figures, table, view.shown_sort())
    if not rows:
        return [[("", "")], [(shortened(_NOTHING[view.lower], width), "dim")]]
    most = min(view.top or len(rows), len(rows) if room is None else max(0, room - 2))
    lines = _table(figures, view.lower, rows[:most], view, width, utf8, table.normal)
    return [[("", "")], *lines]


def _chart(figures: Figures, width: int, utf8: bool, room: int) -> list[Line]:
    """What is left of a large screen."""
    trend = figures.totals.rates.trend
    if room < _CHART or not any(trend):
        return []
    title = f"ENDED PER MINUTE, THE LAST HOUR  at most {grouped(max(trend))}"
    lines = chart(trend, width, room - 2, utf8=utf8)
    return [[("", "")], [(shortened(title, width), "bold")], *([(line, "cyan")] for line in lines)]


def _footer(view: View, width: int, utf8: bool) -> Line:
    if view.deed is not None:
        asked = f"{streams.visible(view.deed.question)}  y yes, any other key no"
        return [(shortened(asked, width), "bold reverse")]
    if view.trouble:
        return [(shortened(streams.visible(view.trouble), width), "bold red")]
    parts: list[tuple[int, Line]] = [
        (rank, [(text if utf8 else text.replace("↑↓", "k/j"), "dim")]) for rank, text in _KEYS
    ]
    if view.frozen:
        parts.insert(0, (-1, [("FROZEN", "bold reverse")]))
    if view.note:
        parts.insert(0, (-1, [(streams.visible(view.note), "green")]))
    return joined(parts, width, gap=2)


def _table(
    figures: Figures,
    by: str,
    rows: Sequence[Any],
    view: View,
    width: int,
    utf8: bool,
    keys: Sequence[str],
    styles: Sequence[str] = (),
) -> list[Line]:
    table = TABLES[by]
    known = table.columns(Reader(human=True, now=figures.at, utf8=utf8, trend=TREND_WIDTH))
    columns = [known[key] for key in keys]
    style = Style("relative", figures.at)
    texts = [[streams.visible(cell(column, row, style)) for column in columns] for row in rows]
    if by == view.lower:
        columns = _marked(columns, by, view, utf8)
    return grid(*without_zeros(columns, texts), width, styles=styles)


def _marked(columns: Sequence[Column], by: str, view: View, utf8: bool) -> list[Column]:
    """The column of the order has an arrow."""
    sort = view.shown_sort()
    key = column_to_sort(TABLES[by], sort).key
    down, up = ("▼", "▲") if utf8 else (" v", " ^")
    mark = down if sort.startswith("-") else up
    return [
        column._replace(header=column.header + mark) if column.key == key else column
        for column in columns
    ]


def _ascii(text: str) -> str:
    for letter, plain in (("…", "..."), ("↑ ↓", "k j"), ("← →", "left, right"), ("×", "x")):
        text = text.replace(letter, plain)
    return text


def _brief(seconds: float) -> str:
    """A window as it was asked for: 5m, not 5m 00s."""
    return units.brief(seconds).replace(" 00s", "").replace(" 00m", "").replace(" 0h", "")
