"""A table for people at a terminal. The only importer of rich's tables."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hueyctl.output.columns import NUMBERS, Column

if TYPE_CHECKING:
    from rich.console import Console

STATE_STYLES = {
    "running": "green",
    "pending": "cyan",
    "scheduled": "blue",
    "blocked": "yellow",
    "done": "dim",
    "dead": "bold red",
    "revoked": "magenta",
    "expired": "magenta",
}
_GAP = 2
#: What may be cut to make a line fit, and how short it may become.
_FLEXIBLE = {"args": 12, "error": 12, "progress": 8, "reason": 8, "task": 16}


def print_table(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], *, headers: bool, colour: bool
) -> None:
    """Aligned, and cut to the width of the terminal where columns are long. Cells must be free of
    control characters."""
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    lines = [[column.header for column in columns], *rows] if headers else list(rows)
    widths = [max(map(cell_len, texts)) for texts in zip(*lines, strict=True)]
    console = make_console(colour)
    widths = _fitting(columns, widths, console.width)
    # A line that cannot fit is left to the terminal to wrap: numbers are never cut.
    console.width = max(console.width, sum(widths) + _GAP * len(widths))
    table = Table(
        box=None,
        show_header=headers,
        header_style="bold" if colour else "",
        pad_edge=False,
        padding=(0, _GAP, 0, 0),
        collapse_padding=True,
    )
    for column, width in zip(columns, widths, strict=True):
        right = column.kind in NUMBERS
        table.add_column(
            Text(column.header), justify="right" if right else "left", width=width, no_wrap=True
        )
    for row in rows:
        cells = []
        for column, width, shown in zip(columns, widths, row, strict=True):
            # Text, so that "[/red]" in an argument is text and not markup.
            text = Text(shown, style=STATE_STYLES.get(shown, "") if column.key == "state" else "")
            text.truncate(width, overflow="ellipsis")
            cells.append(text)
        table.add_row(*cells)
    console.print(table)


def make_console(colour: bool) -> Console:
    from rich.console import Console

    # All is said, or rich would consult the environment by rules of its own.
    return Console(
        file=sys.stdout,
        force_terminal=True,
        no_color=not colour,
        highlight=False,
        markup=False,
        emoji=False,
        color_system="standard" if colour else None,
        legacy_windows=False,
    )


def _fitting(columns: Sequence[Column], widths: list[int], room: int) -> list[int]:
    """The widths with the flexible columns cut, the widest first."""
    excess = sum(widths) + _GAP * (len(widths) - 1) - room
    fitted = list(widths)
    least = [
        _FLEXIBLE.get(column.key, width) for column, width in zip(columns, widths, strict=True)
    ]
    while excess > 0:
        spare = [width - minimum for width, minimum in zip(fitted, least, strict=True)]
        place = max(range(len(fitted)), key=lambda index: (spare[index] > 0, fitted[index]))
        if spare[place] <= 0:
            break
        fitted[place] -= 1
        excess -= 1
    return fitted
