"""How results are written: the format is decided once, commands only hand over rows."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from hueyctl import streams
from hueyctl.options import OWN_FORMATS
from hueyctl.output.columns import NUMBERS, Column, Style, cell, choose
from hueyctl.settings import Settings

#: Lines about the parts of one change, on a terminal.
MOST_LINES = 20


class Output:
    """Writes to stdout in the format of the settings."""

    def __init__(self, settings: Settings) -> None:
        self.on_tty = streams.is_tty(sys.stdout)
        #: A pipe gets tab-separated lines without headers unless a format was named.
        self.implicit = settings.output is None
        self.format = settings.output or ("table" if self.on_tty else "tsv")
        self.headers = settings.headers and not (self.implicit and not self.on_tty)
        self.colour = streams.wants_colour(settings.color, sys.stdout)
        self.columns = settings.columns
        self._quiet = settings.quiet
        human = self.on_tty and self.format in ("table", "wide", "plain")
        self.style = Style(settings.time_format or ("relative" if human else "iso"), time.time())
        #: For times of what happened one after another: relative to now only if asked for.
        self.steady = self.style if settings.time_format else self.style._replace(time_format="iso")
        self._ascii = not streams.is_utf8(sys.stdout)

    @property
    def on_screen(self) -> bool:
        """Whether a person looks at it through a terminal, which has a width."""
        return self.on_tty and self.format in ("table", "wide")

    def fitted(self, text: str) -> str:
        """A line that ends with a name, no longer than a screen is wide."""
        if not self.on_screen:
            return text
        from hueyctl.output.grid import shortened

        return shortened(text, streams.terminal_size()[0])

    @property
    def is_json(self) -> bool:
        return self.format in ("json", "jsonl")

    def folds(self, number: int) -> bool:
        """Whether a person gets a total in place of so many lines: not in a pipe, and not where a
        format was named."""
        return self.on_tty and self.implicit and number > MOST_LINES

    def for_reading(self) -> None:
        """Aligned with headers in a pipe as well: this is text for people, whatever shows it."""
        if self.implicit and not self.on_tty:
            self.format, self.headers = "plain", True

    def write(self, text: str) -> None:
        sys.stdout.write(text)

    def line(self, text: str) -> None:
        """One line of result, at once."""
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def document(self, value: Any) -> None:
        """One JSON document: indented for people, on one line for ``jsonl`` and pipes."""
        pretty = self.on_tty and self.format == "json"
        self.line(self._json(value, indent=2 if pretty else None))

    def _json(self, value: Any, indent: int | None = None) -> str:
        import json

        try:
            text = json.dumps(value, ensure_ascii=self._ascii, indent=indent, allow_nan=False)
        except ValueError:
            from hueyctl.answers.payloads import finite

            text = json.dumps(finite(value), ensure_ascii=self._ascii, indent=indent)
        return streams.visible_json(text) if self.on_tty else text

    def objects(self, values: Iterable[dict[str, Any]]) -> None:
        """``json``: one array; ``jsonl``: an object per line, flushed per line."""
        if self.columns:
            values = (self._narrow(value) for value in values)
        if self.format == "jsonl":
            for value in values:
                self.document(value)
            return
        if self.on_tty:
            self.document(list(values))
            return
        first = True
        for value in values:
            self.write("[" if first else ",\n ")
            self.write(self._json(value))
            first = False
        self.line("[]" if first else "]")

    def _narrow(self, value: dict[str, Any]) -> dict[str, Any]:
        from hueyctl import errors
        from hueyctl.answers.parts import ABSENT, follow, path_of

        narrow = {}
        for given in self.columns:
            name, path = given.lower().replace("-", "_"), path_of(given)
            if path is not None and path[0] in value:
                found = follow(value, path)
                narrow[given] = None if found is ABSENT else found
            elif name in value:
                narrow[name] = value[name]
            else:
                raise errors.usage(f"unknown column {name!r}", f"columns are {', '.join(value)}")
        return narrow

    def rows(
        self,
        rows: Iterable[Any],
        known: dict[str, Column],
        normal: Sequence[str],
        wide: Sequence[str] = (),
        name: Callable[[Any], str] | None = None,
        *,
        fold: bool = False,
    ) -> None:
        """A table of ``rows``: the ``normal`` columns, with ``-o wide`` also the ``wide`` ones.

        ``fold``: a text that is too long for a terminal goes on below, where others are cut."""
        if self.format == "name" and name is not None:
            for row in rows:
                self.write(name(row) + "\n")
            return
        wanted = self.columns or (*normal, *(wide if self.format == "wide" else ()))
        columns = choose(wanted, known)
        texts = ([cell(column, row, self.style) for column in columns] for row in rows)
        headers = [column.header for column in columns] if self.headers else []
        if self.format in ("csv", "tsv"):
            self._separated(texts, headers)
        elif self.on_screen:
            shown = [[streams.visible(text) for text in row] for row in texts]
            named = bool(self.columns) or self.format == "wide"
            self._table(columns, shown, named=named, fold=fold)
        elif self.format in OWN_FORMATS:
            self._aligned(columns, texts)
        else:
            from hueyctl.output.named import render

            shown = [[streams.visible(text) for text in row] for row in texts]
            self.line(render(self.format, headers, shown))

    def _table(
        self,
        columns: Sequence[Column],
        rows: Sequence[Sequence[str]],
        *,
        named: bool,
        fold: bool,
    ) -> None:
        """No wider than the terminal."""
        from hueyctl.output.grid import grid, styled

        if not rows:
            return
        lines = grid(columns, rows, streams.terminal_size()[0], named=named, fold=fold)
        for line in lines if self.headers else lines[1:]:
            self.write(styled(line, colour=self.colour) + "\n")
        left_out = [column.header for column in columns[len(lines[0]) :]]
        if named and left_out and not self._quiet and streams.is_tty(sys.stderr):
            streams.say(f"no room for {', '.join(left_out)}: -o plain has all")

    def _separated(self, rows: Iterable[list[str]], headers: list[str]) -> None:
        if self.format == "csv":
            import csv

            writer = csv.writer(sys.stdout, lineterminator="\n")
            if headers:
                writer.writerow(headers)
            # Spelled out here too: a CSV is looked at with cat, and opened in a spreadsheet.
            writer.writerows([streams.visible(text) for text in row] for row in rows)
            return
        if headers:
            self.write("\t".join(headers) + "\n")
        for row in rows:
            # A tab or newline inside a cell would be a column or a row to the reader.
            self.write("\t".join(map(streams.visible, row)) + "\n")

    def _aligned(self, columns: Sequence[Column], rows: Iterable[list[str]]) -> None:
        shown = [[streams.visible(text) for text in row] for row in rows]
        if self.headers and shown:
            shown.insert(0, [column.header for column in columns])
        widths = [max(map(len, texts)) for texts in zip(*shown, strict=True)]
        right = [column.kind in NUMBERS for column in columns]
        for row in shown:
            texts = [
                text.rjust(width) if to_right else text.ljust(width)
                for text, width, to_right in zip(row, widths, right, strict=True)
            ]
            self.write("  ".join(texts).rstrip() + "\n")
