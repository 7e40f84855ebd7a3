"""Aligned lines of styled text, none wider than there is room."""

from __future__ import annotations

import click
from rich.cells import cell_len, set_cell_size

from hueyctl.output.columns import NUMBERS, Column

#: (text, style) pairs.
Line = list[tuple[str, str]]

_GAP = 2
_LEAST_NAME = 12
_LEAST_TREND = 10
#: What goes first when a line does not fit.
_SPARE = (
    "trend", "host", "blocked", "wait_p50", "p50", "retried", "max", "kind", "p99", "scheduled",
    "queue_of_task", "done", "failed", "p95", "up", "last", "workers",
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


def grid(columns: list[Column], texts: list[list[str]], width: int) -> list[Line]:
    """Aligned lines: columns that do not fit are left out, the name and the trend are cut."""
    widths = {
        column.key: max([cell_len(column.header), *(cell_len(row[place]) for row in texts)])
        for place, column in enumerate(columns)
    }
    shown = {column.key: place for place, column in enumerate(columns)}
    first = columns[0].key
    for key in (*_SPARE, None):
        needed = (
            sum((_LEAST_TREND if each == "trend" else widths[each]) + _GAP for each in shown) - _GAP
        )
        excess = needed - width
        spare = widths[first] - min(widths[first], _LEAST_NAME)
        if excess <= spare:
            break
        if key in shown and key is not None:
            del shown[key]
    widths[first] -= max(0, min(excess, spare))
    if "trend" in shown:
        others = sum(widths[key] + _GAP for key in shown if key != "trend")
        widths["trend"] = max(_LEAST_TREND, min(widths["trend"], width - others))
    header: Line = []
    lines: list[Line] = [header]
    for key, place in shown.items():
        header.append((_aligned(columns[place], columns[place].header, widths[key]), "bold"))
    for row in texts:
        lines.append(
            [
                (_aligned(columns[place], row[place], widths[key]), _style(key, row[place]))
                for key, place in shown.items()
            ]
        )
    return [fitted(line, width) for line in lines]


def _aligned(column: Column, text: str, width: int) -> str:
    if column.key == "trend":
        text = text if text == column.header else text[-width:]
    if cell_len(text) > width:
        text = set_cell_size(text, max(0, width - 1)) + "…"
    filling = " " * (width - cell_len(text))
    right = column.kind in NUMBERS
    return (filling + text if right else text + filling) + " " * _GAP


_STYLES = {"dead": "bold red", "running": "green", "busy": "green", "trend": "cyan"}


def _style(key: str, text: str) -> str:
    if key == "state":
        return {"dead": "bold red", "stopping": "yellow", "busy": "green"}.get(text.strip(), "")
    if key == "failed":
        return "red" if text not in ("-", "0.0") else ""
    if key == "empty_in":
        return "yellow" if text in ("∞", "never") else ""
    return _STYLES.get(key, "") if text != "0" else ""


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
    if not colour:
        return "".join(text for text, _ in line).rstrip()
    return "".join(_ansi(text, style.split()) if style else text for text, style in line).rstrip()


def _ansi(text: str, words: list[str]) -> str:
    how: dict[str, bool] = {word: True for word in words if word in ("bold", "dim", "reverse")}
    colour = next((word for word in words if word not in how), None)
    return click.style(text, fg=colour, **how)
