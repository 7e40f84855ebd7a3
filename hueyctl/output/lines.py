"""Rows as they come, one line each: there is no whole to align."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from hueyctl import streams

if TYPE_CHECKING:
    from hueyctl.output.columns import Column, Style
    from hueyctl.output.output import Output


class Lines:
    """Writes a line per row. ``widths`` are the usual columns and how wide they are for people; the
    last one is as long as it is. A message of several lines stays one where a line is a row."""

    def __init__(self, output: Output, widths: Sequence[tuple[str, int]]) -> None:
        self.output = output
        self._widths = dict(widths)
        self._keys = output.columns or tuple(self._widths)

    def write(
        self,
        row: Any,
        known: dict[str, Column],
        style: Style,
        as_object: Callable[[], dict[str, Any]],
        name: str,
    ) -> None:
        from hueyctl.output.columns import cell, choose

        output = self.output
        if output.format == "jsonl":
            output.objects([as_object()])
            return
        if output.format == "name":
            output.line(name)
            return
        texts = [cell(column, row, style) for column in choose(self._keys, known)]
        if output.format == "csv":
            import csv

            csv.writer(sys.stdout, lineterminator="\n").writerow(map(streams.visible, texts))
            sys.stdout.flush()
        elif output.format == "tsv":
            output.line("\t".join(map(streams.visible, texts)))
        else:
            output.line(self._aligned(texts))

    def _aligned(self, texts: Sequence[str]) -> str:
        *before, last = texts
        widths = [self._widths.get(key, 12) for key in self._keys]
        padded = [
            streams.visible(text).ljust(width) for text, width in zip(before, widths, strict=False)
        ]
        start = "  ".join(padded)
        first, *more = streams.visible_lines(last).split("\n")
        indent = " " * 4
        return "\n".join([f"{start}  {first}".strip(), *(indent + line for line in more)])
