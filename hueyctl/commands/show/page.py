"""A job for people: how it stands and what to do first, then the rest of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from hueyctl import streams
from hueyctl.commands.show.sheet import keys, parts_of
from hueyctl.commands.show.stages import draw
from hueyctl.output.columns import time_text
from hueyctl.output.grid import STATES, Line, shortened, styled
from hueyctl.output.prose import command_lines, wrapped

if TYPE_CHECKING:
    from hueycore.model.events import LogLine
    from hueyctl.answers.history import Event
    from hueyctl.commands.show.sheet import Sheet
    from hueyctl.context import Session
    from hueyctl.output.columns import Style

_LAST_LINES = 10
_STAGES = 50
#: Tries that ended without success: with more of them only the first and the last are shown.
_TRIES = 4
#: Where lines are not on a screen.
_ENDLESS = 1000
#: With less room beside the time, texts go on at the left.
_ROOMY = 40
_EVENTS = STATES | {
    "failed": "red", "put back": "yellow", "claimed": "green", "started": "green",
    "due": "bright_blue", "planned": "bright_blue", "expires": "yellow",
}  # fmt: skip
_LEVELS = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "bold red"}


def write(session: Session, sheet: Sheet, *, another: bool) -> None:
    """Print it; ``another`` stands below one."""
    output = session.output
    width = streams.terminal_size()[0] if output.on_screen else _ENDLESS
    style = output.style
    if output.on_tty and session.settings.time_format is None:
        style = style._replace(time_format="clock")
    whole = session.settings.verbose > 0
    if another:
        output.line("")
    for line in page(sheet, style, width, session.next_step, whole=whole):
        output.line(styled(line, colour=output.colour))
    if sheet.traceback:
        output.line("")
        for text in streams.visible_lines(sheet.traceback).split("\n"):
            for part in _of_code(text, width):
                output.line(part)


def _of_code(line: str, width: int) -> list[str]:
    if len(line) <= width:
        return [line]
    indent = " " * (len(line) - len(line.lstrip()))
    return wrapped(line.lstrip(), width, f"{indent}    ", indent)


def page(
    sheet: Sheet, style: Style, width: int, next_step: Callable[[str], str], *, whole: bool
) -> list[Line]:
    """The lines, none wider than ``width``. ``next_step`` makes a command line one to paste.
    ``whole``: nothing is folded."""
    lines = [*_head(sheet, width, next_step), [("", "")], *_facts(sheet, style, width)]
    for title, part in (
        ("TIMELINE", list(_timeline(sheet.events, style, width, whole=whole))),
        ("STAGES", draw(sheet.stages, sheet.job, _STAGES, width)),
        ("LOG", list(_log(sheet, style, width, next_step))),
    ):
        if part:
            lines += [[("", "")], [(title, "bold")], *part]
    return lines


def _head(sheet: Sheet, width: int, next_step: Callable[[str], str]) -> Iterator[Line]:
    job, state = sheet.job, str(sheet.job.state)
    start = f"job {job.seq} "
    room = max(1, width - len(start) - len(state) - 2)
    task = shortened(streams.visible(job.task), room)
    yield [(start, "bold"), (state, STATES.get(state, "")), (f"  {task}", "bold")]
    because = sheet.reason.because
    error = sheet.error
    if error is not None and error not in because:
        for text in wrapped(streams.visible(error), width, "  "):
            yield [(text, "red")]
    for text in wrapped(streams.visible(because), width, "  "):
        yield [(text, "red" if state == "dead" else "")]
    step = streams.visible(next_step(sheet.reason.next or ""))
    for text in command_lines(step, width, "  "):
        yield [(text, "cyan")]


def _facts(sheet: Sheet, style: Style, width: int) -> Iterator[Line]:
    pairs = list(keys(sheet, style))
    longest = max(len(key) for key, _ in pairs)
    for key, value in pairs:
        before = f"{streams.visible(key):<{longest}}  "
        yield from _hanging([(before, "dim")], streams.visible(value), width, "    ")


def _hanging(start: Line, text: str, width: int, indent: str) -> list[Line]:
    """A text beside what stands before it, and below where it goes on."""
    first = "".join(part for part, _ in start)
    if len(first) + len(text) <= width:
        return [[*start, (text, "")]]
    head, *below = wrapped(text, width, indent, first)
    return [[*start, (head[len(first) :], "")], *([(line, "")] for line in below)]


def _timeline(events: Sequence[Event], style: Style, width: int, *, whole: bool) -> Iterator[Line]:
    longest = max(len(time_text(event.at, style)) for event in events)
    failures = [event for event in events if event.event in ("failed", "put back")]
    hidden = [] if whole or len(failures) <= _TRIES else failures[1:-2]
    for event in events:
        if hidden and event is hidden[0]:
            counts = Counter((one.error or "").partition(":")[0] for one in hidden)
            what = ", ".join(f"{number} {name}" for name, number in counts.most_common(3))
            text = f"… {len(hidden)} more tries: {what} (-v for all)"
            yield [(shortened(f"{'':<{longest}}  {text}", width), "dim")]
        if event in hidden:
            continue
        at, word, *rest = parts_of(event, style)
        start: Line = [(f"{at:<{longest}}  ", "dim"), (word, _EVENTS.get(word, ""))]
        if rest:
            start.append(("  ", ""))
        indent = " " * (longest + 2 if width - longest > _ROOMY else 4)
        yield from _hanging(start, streams.visible("  ".join(rest)), width, indent)


def _log(sheet: Sheet, style: Style, width: int, next_step: Callable[[str], str]) -> Iterator[Line]:
    lines: Sequence[LogLine] = sheet.log
    if len(lines) > _LAST_LINES:
        more = f"… {len(lines) - _LAST_LINES} more: "
        step = streams.visible(next_step(f"hueyctl logs {sheet.job.seq}"))
        yield from ([(text, "dim")] for text in command_lines(more + step, width))
    for line in lines[-_LAST_LINES:]:
        start: Line = [
            (f"{time_text(line.at, style)}  ", "dim"),
            (f"try {line.attempt}  ", ""),
            (f"{line.level}  ", _LEVELS.get(line.level, "")),
        ]
        message = streams.visible(line.message.partition("\n")[0])
        yield from _hanging(start, message, width, "    ")
