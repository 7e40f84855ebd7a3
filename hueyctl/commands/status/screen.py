"""What ``status`` shows on a terminal, as lines of styled text. Draws nothing by itself."""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hueyctl import streams
from hueyctl.answers.alarms import CRITICAL
from hueyctl.output.columns import Column, Style, cell
from hueyctl.output.figures import Reader, queue_columns, short, worker_columns
from hueyctl.output.grid import Line, fitted, grid, without_zeros
from hueyctl.units import brief, counted

if TYPE_CHECKING:
    from hueyctl.answers.alarms import Alarm
    from hueyctl.answers.status import Coming, Run, Status

#: A terminal wider than this is not filled with one sentence.
_WIDEST = 110
_RUNS = 10


def screen(found: Status, width: int) -> list[Line]:
    """The lines, none wider than ``width``."""
    utf8 = streams.is_utf8(sys.stdout)
    parts = [
        [_header(found, width)],
        [line for alarm in found.alarms for line in _alarm(alarm, width)],
        _queues(found, width, utf8),
        _running(found.runs, width),
        _coming(found, width),
        _consumers(found, width),
    ]
    lines: list[Line] = []
    for part in parts:
        if part:
            lines += [[("", "")], *part] if lines else part
    return lines


def _header(found: Status, width: int) -> Line:
    verdict = "All is well."
    if found.alarms:
        want = "wants" if len(found.alarms) == 1 else "want"
        verdict = f"{counted(len(found.alarms), 'thing')} {want} a look."
    colour = {"ok": "bold green", "warning": "bold yellow", CRITICAL: "bold red"}[found.level]
    address = found.figures.url.rpartition("/")[2].partition("?")[0]
    clock = time.strftime("%H:%M:%S", time.localtime(found.at))
    return fitted([(verdict, colour), (f"   {streams.visible(address)}   {clock}", "dim")], width)


def _alarm(alarm: Alarm, width: int) -> list[Line]:
    style = "bold red" if alarm.level == CRITICAL else "yellow"
    mark = f"{alarm.level.upper():<8}  "
    room = max(20, min(width, _WIDEST) - len(mark))
    said = textwrap.wrap(streams.visible(alarm.text), room) or [""]
    lines: list[Line] = [[(mark, style), (said[0], "")]]
    indent = " " * len(mark)
    lines += [[(indent + line, "")] for line in said[1:]]
    # A command is copied: it is one line, as long as it is.
    return [*lines, [(indent, ""), (streams.visible(alarm.next), "cyan")]]


def _table(columns: Sequence[Column], rows: Sequence[Any], now: float, width: int) -> list[Line]:
    style = Style("relative", now)
    texts = [[streams.visible(cell(column, row, style)) for column in columns] for row in rows]
    return grid(*without_zeros(list(columns), texts), width)


def _queues(found: Status, width: int, utf8: bool) -> list[Line]:
    if not found.figures.queues:
        return [[("No queue yet: the first job makes one.", "dim")]]
    known = queue_columns(Reader(human=True, now=found.at, utf8=utf8, trend=20))
    keys = (
        "queue", "pending", "scheduled", "blocked", "running", "dead", "oldest", "in_per_s",
        "out_per_s", "empty_in", "trend",
    )  # fmt: skip
    return _table([known[key] for key in keys], found.figures.queues, found.at, width)


def _running(runs: Sequence[Run], width: int) -> list[Line]:
    columns = (
        Column("task", "RUNNING", "text", lambda run: run.job.task),
        Column("job", "JOB", "int", lambda run: run.job.seq),
        Column("for", "FOR", "int", lambda run: short(run.for_s)),
        Column("p95", "P95", "int", lambda run: "-" if run.p95 is None else short(run.p95)),
        Column("worker", "WORKER", "text", lambda run: run.worker),
        Column("progress", "PROGRESS", "text", lambda run: run.job.progress),
    )
    lines = _table(columns, runs[:_RUNS], 0.0, width) if runs else []
    for place, run in enumerate(runs[:_RUNS]):
        if run.stuck:
            lines[place + 1] = [("".join(text for text, _ in lines[place + 1]), "bold red")]
    if len(runs) > _RUNS:
        lines.append([(f"… {len(runs) - _RUNS} more: hueyctl workers", "dim")])
    return lines


def _coming(found: Status, width: int) -> list[Line]:
    columns = (
        Column("task", "WITHIN THE HOUR", "text", lambda one: one.task),
        Column("at", "DUE", "int", lambda one: brief(one.at - found.at)),
        Column("queue", "QUEUE", "text", lambda one: one.queue),
        Column("what", "JOB", "text", _what),
    )
    named = sum(one.seq is not None for one in found.coming)
    lines = _table(columns, found.coming[:_RUNS], found.at, width) if found.coming else []
    rest = len(found.coming) - _RUNS if len(found.coming) > _RUNS else 0
    rest += found.scheduled - named
    if rest > 0:
        lines.append([(f"… {counted(rest, 'run')} more: hueyctl scheduled", "dim")])
    return lines


def _what(one: Coming) -> str:
    return f"periodic {one.periodic}" if one.seq is None else str(one.seq)


def _consumers(found: Status, width: int) -> list[Line]:
    figures = found.figures
    if not figures.consumers:
        return [[("No consumer is registered.", "dim")]]
    known = worker_columns(Reader(human=True, now=found.at))
    keys = ("name", "queue", "host", "pid", "kind", "state", "workers", "busy", "up")
    return _table([known[key] for key in keys], figures.consumers, found.at, width)
