"""What a frame of the live view shows, as lines of styled text. Draws nothing by itself."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from hueyctl import streams, units
from hueyctl.answers.alarms import CRITICAL
from hueyctl.output.columns import Style, cell
from hueyctl.output.figures import TABLES, TREND_WIDTH, Reader, sorted_rows
from hueyctl.output.grid import Line, cut, fitted, grid, without_zeros

if TYPE_CHECKING:
    from hueyctl.answers.alarms import Alarm
    from hueyctl.answers.figures import Figures

WINDOWS = (60.0, 300.0, 900.0, 1800.0, 3600.0, 10800.0, 21600.0, 43200.0, 86400.0)
KEYS = "q quit  p pause  s sort  t tasks/workers  1-9 window  ? help"
HELP = """\
q        quit
p        pause, and go on
s        sort the lower table by its next column
t        tasks or consumers in the lower table
1 … 9    window: 1m 5m 15m 30m 1h 3h 6h 12h 24h
?        this page, and back

OLDEST    how long the oldest pending job has been ready
IN/S      jobs enqueued per second of the window
OUT/S     jobs that ended for good per second of the window
FAIL%     share of runs that ended with an error
P50 …     what runs took: half of them less than this, and so on
EMPTY-IN  when nothing will be pending at this rate
TREND     what ended in each of the last 60 minutes"""

#: Alarms that are shown above the tables.
_ALARMS = 3
_NOTHING = {"task": "nothing ended in this window", "worker": "no consumer is registered"}
#: The columns of the upper table.
_QUEUES = (
    "queue", "pending", "scheduled", "blocked", "running", "dead", "oldest", "in_per_s",
    "out_per_s", "failed", "p50", "p95", "p99", "empty_in", "trend",
)  # fmt: skip


class View(NamedTuple):
    """What the person at the keys has chosen. ``lower``: task, worker, or queue for none."""

    lower: str = "task"
    sort: str | None = None
    top: int | None = None
    interval: float = 2.0
    window: float = 300.0
    looks: int | None = None
    paused: bool = False
    help: bool = False
    trouble: str = ""

    def pressed(self, key: str) -> View:
        """The view after a key; the same for a key that means nothing."""
        if key == "p":
            return self._replace(paused=not self.paused)
        if key == "?":
            return self._replace(help=not self.help)
        if key == "t":
            lower = "worker" if self.lower != "worker" else "task"
            return self._replace(lower=lower, sort=None)
        if key == "s":
            return self._replace(sort=self._next_sort())
        if len(key) == 1 and key in "123456789":
            return self._replace(window=WINDOWS[int(key) - 1])
        return self

    def _next_sort(self) -> str:
        order = TABLES[self.lower].sort
        place = order.index(self.sort) + 1 if self.sort in order else (0 if self.sort else 1)
        return order[place % len(order)]


def frame(
    figures: Figures,
    view: View,
    width: int,
    height: int | None,
    utf8: bool,
    alarms: Sequence[Alarm] = (),
) -> list[Line]:
    """The lines of one frame, none wider than ``width``; with ``height`` not more than those."""
    if view.help:
        return [[(cut(line if utf8 else _ascii(line), width), "")] for line in HELP.splitlines()]
    upper = _table(figures, "queue", view, width, utf8, _QUEUES, None)
    header = _header(figures, view, width, utf8, live=height is not None)
    lines: list[Line] = [header, *_alarms(alarms, width), *upper]
    if not figures.queues:
        lines.append([("no queue yet", "dim")])
    room = None if height is None else max(0, height - len(lines) - 2)
    if view.lower != "queue":
        table = TABLES[view.lower]
        most = min(
            (n for n in (view.top, None if room is None else room - 1) if n is not None),
            default=None,
        )
        lower = _table(figures, view.lower, view, width, utf8, table.normal, most)
        nothing: list[Line] = [[(cut(_NOTHING[view.lower], width), "dim")]]
        lines += [[("", "")], *(lower if len(lower) > 1 else nothing)]
    if height is None:
        return lines
    lines = lines[: max(1, height - 1)]
    return [*lines, _footer(view, width)]


def _alarms(alarms: Sequence[Alarm], width: int) -> list[Line]:
    """The worst, and how many more there are."""
    lines: list[Line] = [
        fitted(
            [(streams.visible(one.text), "bold red" if one.level == CRITICAL else "yellow")], width
        )
        for one in alarms[:_ALARMS]
    ]
    if len(alarms) > _ALARMS:
        lines.append([(cut(f"{len(alarms) - _ALARMS} more: hueyctl status", width), "dim")])
    return lines


def _header(figures: Figures, view: View, width: int, utf8: bool, *, live: bool) -> Line:
    size, wal = figures.size
    kind, _, rest = figures.url.partition("://")
    address = rest.rpartition("@")[2].partition("?")[0].lstrip("/")
    where = f"{kind}:{address} {units.size(size)}"
    if kind == "sqlite":
        where = f"{kind}:{os.path.basename(rest)} {units.size(size)} (wal {units.size(wal)})"
    clock = time.strftime("%H:%M:%S", time.localtime(figures.at))
    every = f"   every {view.interval:g}s" if live else ""
    dot = "·" if utf8 else "|"
    workers = figures.workers
    parts: Line = [
        (streams.visible(where), "bold"),
        (f"   {clock}{every}   window {_brief(figures.window_s)}   ", ""),
        (f"workers {workers.alive} alive {dot} {workers.busy} busy", ""),
        (f" {dot} {workers.dead} dead", "bold red" if workers.dead else ""),
    ]
    return fitted(parts, width)


def _footer(view: View, width: int) -> Line:
    if view.trouble:
        return [(cut(streams.visible(view.trouble), width), "bold red")]
    if view.paused:
        return fitted([("PAUSED", "bold reverse"), (f"  {KEYS}", "dim")], width)
    return [(cut(KEYS, width), "dim")]


def _table(
    figures: Figures,
    by: str,
    view: View,
    width: int,
    utf8: bool,
    keys: Sequence[str],
    most: int | None,
) -> list[Line]:
    table = TABLES[by]
    reader = Reader(human=True, now=figures.at, utf8=utf8, trend=TREND_WIDTH)
    known = table.columns(reader)
    rows = sorted_rows(figures, table, view.sort if by == view.lower else None)
    rows = rows[: max(0, most)] if most is not None else rows
    columns = [known[key] for key in keys]
    style = Style("relative", figures.at)
    texts = [[streams.visible(cell(column, row, style)) for column in columns] for row in rows]
    columns, texts = without_zeros(columns, texts)
    return grid(columns, texts, width)


def _ascii(text: str) -> str:
    return text.replace("…", "...")


def _brief(seconds: float) -> str:
    """A window as it was asked for: 5m, not 5m 00s."""
    return units.brief(seconds).replace(" 00s", "").replace(" 00m", "").replace(" 0h", "")
