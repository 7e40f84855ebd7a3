"""How ``--help`` is laid out: as click does it, and on narrow terminals too."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable

import click

#: click's own texts are this wide at least.
_LEAST = 52


class Formatter(click.HelpFormatter):
    """Texts are no wider than the terminal, and what stands beside them takes not more than two
    fifths of it."""

    def __init__(
        self, indent_increment: int = 2, width: int | None = None, max_width: int | None = None
    ) -> None:
        columns = shutil.get_terminal_size().columns
        if width is None and columns < _LEAST:
            width = columns - 2
        super().__init__(indent_increment, width, max_width)

    def write_dl(
        self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2
    ) -> None:
        super().write_dl(list(rows), min(col_max, self.width * 2 // 5), col_spacing)

    def write_commands(self, commands: Iterable[str]) -> None:
        """To copy: on a terminal one that is longer than a line goes on below."""
        from hueyctl import streams
        from hueyctl.output.prose import command_lines

        indent = " " * self.current_indent
        whole = not streams.is_tty(sys.stdout)
        for command in commands:
            lines = [indent + command] if whole else command_lines(command, self.width + 2, indent)
            self.write("\n".join(lines) + "\n")


class Context(click.Context):
    formatter_class = Formatter
