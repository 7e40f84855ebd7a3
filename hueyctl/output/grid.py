"""Aligned lines of styled text, none wider than there is room."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from itertools import zip_longest

import click
from rich.cells import cell_len, set_cell_size

from hueyctl.output.columns import NUMBERS, Column

#: (text, style) pairs.
Line = list[tuple[str, str]]

_GAP = 2
#: Texts that may be cut: to which width before a column is left out, and to which when none can be.
_FLEXIBLE = {
    "args": (12, 6), "error": (24, 8), "task": (24, 8), "state": (28, 7), "progress": (8, 6),
    "reason": (8, 6), "trend": (10, 10), "queue": (12, 6), "name": (12, 8), "value": (16, 8),
    "where": (24, 8), "setting": (16, 8), "message": (24, 8), "next": (24, 8), "because": (24, 8),
    "signature": (16, 8), "schedule": (12, 8), "holder": (12, 8), "host": (8, 6),
    "worker": (12, 6), "queue_of_run": (8, 6),
}  # fmt: skip
_LAST_READ = ("args", "error", "reason", "signature", "trend")
#: Any other text may become as short as this, when nothing else helps.
_LEAST = 6
#: What goes first when a line does not fit.
_SPARE = (
    "trend", "queue_of_run", "host", "blocked", "wait_p50", "p50", "retried", "max", "rss", "kind",
    "priority",
    "last_3h", "last_3d", "first", "p99", "age", "tz", "run_s", "retry_delay", "last_7d",
    "scheduled", "run_at", "done", "tries", "failed", "p95", "up", "last_24h", "last", "workers",
    "pid", "worker", "last_run", "progress", "try", "last_1h", "args",
)  # fmt: skip


def without_zeros(
    columns: list[Column], texts: list[list[str]]
) -> tuple[list[Column], list[list[str]]]:
    """BLOCK is worth its place only when something is blocked."""
    kept = [
        place
        for place, column in enumerate(columns)
        if column.key != "blocked" or any(row[place] != "0" for row in texts)
    ]
    return [columns[place] for place in kept], [[row[place] for place in kept] for row in texts]


def grid(
    columns: Sequence[Column],
    texts: Sequence[Sequence[str]],
    width: int,
    *,
    styles: Sequence[str] = (),
    named: bool = False,
    fold: bool = False,
) -> list[Line]:
    """A header and a line for each row. Long texts are cut, then columns are left out; a number is
    whole or not there. ``styles``: of whole rows, where one says something; ``named``: the columns
    were asked for; ``fold``: no text is cut, it goes on below."""
    cells = zip(*texts, strict=True) if texts else ([] for _ in columns)
    widths = [
        max([cell_len(column.header), *map(cell_len, each)])
        for column, each in zip(columns, cells, strict=True)
    ]
    shown = layout(columns, widths, width, named=named or fold)
    lines = [[_header(columns[place], room) for place, room in shown.items()]]
    for number, row in enumerate(texts):
        whole = styles[number] if number < len(styles) else ""
        below = [
            _folded(row[place], room) if fold else [row[place]] for place, room in shown.items()
        ]
        for parts in zip_longest(*below, fillvalue=""):
            lines.append(
                [
                    (
                        aligned(columns[place], part, room),
                        whole or style_of(columns[place].key, row[place]),
                    )
                    for (place, room), part in zip(shown.items(), parts, strict=True)
                ]
            )
    return [fitted(line, width) for line in lines]


def _folded(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width) or [""]


def layout(
    columns: Sequence[Column], widths: Sequence[int], room: int, *, named: bool = False
) -> dict[int, int]:
    """The places of the columns that are shown, and how wide each is."""
    kept, short = _kept(columns, widths, room, [] if named else _spare(columns))
    found = {place: widths[place] for place in kept}
    for _ in range(_whole(widths, kept) - room):
        # What is read last first, and of that the widest.
        over = [
            (columns[place].key in _LAST_READ, found[place], place)
            for place in kept
            if found[place] > _shortest(columns[place], widths[place], short)
        ]
        if over:
            found[max(over)[2]] -= 1
    return found


def _kept(
    columns: Sequence[Column], widths: Sequence[int], room: int, spare: Sequence[int]
) -> tuple[list[int], int]:
    """The columns that find room, and to which of their two widths texts must be cut for it."""
    kept, gone, short = list(range(len(columns))), list[int](), 0
    while _least(columns, widths, kept, short) > room:
        if len(gone) < len(spare):
            gone.append(spare[len(gone)])
            kept.remove(gone[-1])
        elif short == 0:
            short = 1
        elif len(kept) > 1:
            kept.pop()
        else:
            break
    for place in reversed(gone):
        # A wide one made room for others that are not; for none of them a text is cut.
        if _whole(widths, [*kept, place]) <= room:
            kept = sorted([*kept, place])
    return kept, short


def _whole(widths: Sequence[int], kept: Sequence[int]) -> int:
    return sum(widths[place] + _GAP for place in kept) - _GAP


def _spare(columns: Sequence[Column]) -> list[int]:
    keys = [column.key for column in columns]
    return [keys.index(key) for key in _SPARE if key in keys[1:] and keys.index(key)]


def _least(columns: Sequence[Column], widths: Sequence[int], kept: list[int], short: int) -> int:
    return sum(_shortest(columns[place], widths[place], short) + _GAP for place in kept) - _GAP


def _shortest(column: Column, width: int, short: int) -> int:
    if column.kind == "text" and column.key != "id":  # it is there to be copied
        return min(width, _FLEXIBLE.get(column.key, (width, _LEAST))[short])
    return width


def _header(column: Column, width: int) -> tuple[str, str]:
    marked = column.header.endswith(("▼", "▲", " v", " ^"))
    return aligned(column, column.header, width), "bold cyan" if marked else "bold"


def aligned(column: Column, text: str, width: int) -> str:
    """A cell of a line, with the gap after it."""
    if column.key == "trend" and text != column.header:
        text = text[-width:]
    text = shortened(text, width)
    filling = " " * (width - cell_len(text))
    right = column.kind in NUMBERS
    return (filling + text if right else text + filling) + " " * _GAP


def shortened(text: str, width: int) -> str:
    """A text that may be cut, with a mark where it was; never within a number."""
    if cell_len(text) <= width:
        return text
    kept = set_cell_size(text, max(0, width - 1)).rstrip()
    while kept[-1:].isdecimal() or (kept[-1:] in (".", ",") and text[len(kept)].isdecimal()):
        kept = kept[:-1]
    return (kept.rstrip() + "…")[:width]


#: The states of jobs and of consumers.
STATES = {
    "running": "green", "pending": "cyan", "scheduled": "bright_blue", "blocked": "yellow",
    "done": "dim", "dead": "bold red", "revoked": "magenta", "expired": "magenta",
    "busy": "green", "stopping": "yellow", "overdue": "bold red",
    "held": "cyan", "lost": "bold red",
}  # fmt: skip
_STYLES = {"dead": "bold red", "running": "green", "busy": "green", "trend": "cyan"}


def style_of(key: str, text: str) -> str:
    """How a cell is shown."""
    if key in ("state", "result"):
        return STATES.get(text.strip().partition(" ")[0], "")
    if key == "level":
        levels = {"critical": "bold red", "error": "red", "warning": "yellow"}
        return levels.get(text.lower(), "")
    if key == "failed":
        return "red" if text not in ("-", "0.0") else ""
    if key == "ratio":
        return "" if text.startswith(("-", "0.", "1.")) else "yellow"
    if key == "empty_in":
        return "yellow" if text in ("∞", "never") else ""
    return _STYLES.get(key, "") if text != "0" else ""


def joined(parts: Sequence[tuple[int, Line]], width: int, gap: int = 3) -> Line:
    """Parts of a line beside each other, as far as there is room: the higher the number of one, the
    sooner it is left out."""
    kept = list(parts)
    while len(kept) > 1 and sum(_length(part) + gap for _, part in kept) - gap > width:
        kept.remove(max(kept, key=lambda one: one[0]))
    line: Line = []
    for number, (_, part) in enumerate(kept):
        line += [(" " * gap, ""), *part] if number else part
    if len(kept) == 1 and _length(line) > width:
        return [(shortened("".join(text for text, _ in line), width), line[0][1])]
    return line


def _length(line: Line) -> int:
    return sum(cell_len(text) for text, _ in line)


def fitted(line: Line, width: int) -> Line:
    """A line cut to a width."""
    fitted: Line = []
    for text, style in line:
        part = cut(text, width)
        fitted.append((part, style))
        width -= cell_len(part)
    return fitted


def cut(text: str, width: int) -> str:
    return text if cell_len(text) <= width else set_cell_size(text, max(0, width))


def styled(line: Line, *, colour: bool) -> str:
    """A line as a terminal gets it: the styles are colours and words such as bold."""
    plain = "".join(text for text, _ in line).rstrip()
    if not colour:
        return plain
    return "".join(
        _ansi(text, style.split()) if style and text else text
        for text, style in fitted(line, cell_len(plain))
    )


def _ansi(text: str, words: list[str]) -> str:
    how: dict[str, bool] = {word: True for word in words if word in ("bold", "dim", "reverse")}
    colour = next((word for word in words if word not in how), None)
    return click.style(text, fg=colour, **how)
