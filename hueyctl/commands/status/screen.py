"""What ``status`` shows on a terminal, as lines of styled text. Draws nothing by itself."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from hueyctl import streams
from hueyctl.answers.alarms import CRITICAL
from hueyctl.output.columns import Column, Style, cell
from hueyctl.output.figures import Reader, queue_columns, worker_columns
from hueyctl.output.grid import Line, grid, joined, without_zeros
from hueyctl.output.prose import command_lines, wrapped
from hueyctl.output.runs import run_lines
from hueyctl.units import brief, counted

if TYPE_CHECKING:
    from hueyctl.answers.alarms import Alarm
    from hueyctl.answers.status import Coming, Status

_RUNS = 10


def screen(found: Status, width: int, next_step: Callable[[str], str]) -> list[Line]:
    """The lines, none wider than ``width``. ``next_step`` makes a command line one to paste."""
    utf8 = streams.is_utf8(sys.stdout)
    parts = [
        [_header(found, width)],
        [line for alarm in found.alarms for line in _alarm(alarm, width, next_step)],
        _queues(found, width, utf8),
        run_lines(found.runs, width, most=_RUNS, utf8=utf8) if found.runs else [],
        _coming(found, width, next_step),
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
    parts: list[tuple[int, Line]] = [
        (0, [(verdict, colour)]),
        (1, [(streams.visible(address), "dim")]),
        (2, [(clock, "dim")]),
    ]
    return joined(parts, width)


def _alarm(alarm: Alarm, width: int, next_step: Callable[[str], str]) -> list[Line]:
    style = "bold red" if alarm.level == CRITICAL else "yellow"
    mark = f"{alarm.level.upper():<8}  "
    indent = " " * len(mark)
    first, *below = wrapped(streams.visible(alarm.text), width, indent, mark)
    lines: list[Line] = [
        [(mark, style), (first[len(mark) :], "")],
        *([(line, "")] for line in below),
    ]
    commands = command_lines(streams.visible(next_step(alarm.next)), width, indent)
    return [*lines, *([(line, "cyan")] for line in commands)]


def _table(
    columns: Sequence[Column],
    rows: Sequence[Any],
    now: float,
    width: int,
    styles: Sequence[str] = (),
) -> list[Line]:
    style = Style("relative", now)
    texts = [[streams.visible(cell(column, row, style)) for column in columns] for row in rows]
    return grid(*without_zeros(list(columns), texts), width, styles=styles)


def _queues(found: Status, width: int, utf8: bool) -> list[Line]:
    if not found.figures.queues:
        return [[("No queue yet: the first job makes one.", "dim")]]
    known = queue_columns(Reader(human=True, now=found.at, utf8=utf8, trend=20))
    keys = (
        "queue", "pending", "scheduled", "blocked", "running", "dead", "oldest", "in_per_s",
        "out_per_s", "empty_in", "trend",
    )  # fmt: skip
    rows = found.figures.queues
    yellow = ["yellow" if row.paused else "" for row in rows]
    return _table([known[key] for key in keys], rows, found.at, width, yellow)


def _coming(found: Status, width: int, next_step: Callable[[str], str]) -> list[Line]:
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
        more = f"… {counted(rest, 'run')} more: "
        step = streams.visible(next_step("hueyctl scheduled"))
        lines += [[(text, "dim")] for text in command_lines(more + step, width)]
    return lines


def _what(one: Coming) -> str:
    if one.seq is not None:
        return str(one.seq)
    return "periodic" if one.periodic == one.task else f"periodic {one.periodic}"


def _consumers(found: Status, width: int) -> list[Line]:
    figures = found.figures
    if not figures.consumers:
        return [[("No consumer is registered.", "dim")]]
    known = worker_columns(Reader(human=True, now=found.at))
    keys = ("name", "queue", "host", "pid", "kind", "state", "workers", "busy", "up")
    return _table([known[key] for key in keys], figures.consumers, found.at, width)
