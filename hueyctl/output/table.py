"""A table for people at a terminal. The only importer of rich's tables."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from hueyctl.output.columns import Column

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
_FLEXIBLE = ("args", "error", "task", "progress", "reason")


def print_table(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], *, headers: bool, colour: bool
) -> None:
    """Aligned, and cut to the width of the terminal. Cells must be free of control characters."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # Both are said, or rich would consult the environment by rules of its own.
    console = Console(
        file=sys.stdout, force_terminal=True, no_color=not colour, highlight=False, markup=False,
        emoji=False, color_system="standard" if colour else None, legacy_windows=False,
    )  # fmt: skip
    table = Table(
        box=None, show_header=headers, header_style="bold" if colour else "", pad_edge=False,
        padding=(0, 2, 0, 0), collapse_padding=True,
    )  # fmt: skip
    for column in columns:
        flexible = column.key in _FLEXIBLE
        table.add_column(
            Text(column.header),
            justify="right" if column.kind in ("int", "number", "span") else "left",
            no_wrap=True,
            overflow="ellipsis",
            min_width=min(8, len(column.header)) if flexible else None,
        )
    for row in rows:
        table.add_row(
            *(
                # Text, so that "[/red]" in an argument is text and not markup.
                Text(text, style=STATE_STYLES.get(text, "") if column.key == "state" else "")
                for column, text in zip(columns, row, strict=True)
            )
        )
    console.print(table)
