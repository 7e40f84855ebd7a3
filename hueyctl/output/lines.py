"""Rows as they come, one line each: there is no whole to align."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from hueyctl import streams

_INDENT = " " * 4

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
        columns = choose(self._keys, known)
        texts = [cell(column, row, style) for column in columns]
        if output.format == "csv":
            import csv

            csv.writer(sys.stdout, lineterminator="\n").writerow(map(streams.visible, texts))
            sys.stdout.flush()
        elif output.format == "tsv":
            output.line("\t".join(map(streams.visible, texts)))
        elif output.on_screen:
            for line in self._on_screen(columns, texts, streams.terminal_size()[0]):
                output.line(line)
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
        return "\n".join([f"{start}  {first}".strip(), *(_INDENT + line for line in more)])

    def _on_screen(
        self, columns: Sequence[Column], texts: Sequence[str], width: int
    ) -> Iterator[str]:
        """The same on as many columns as there is room for; the last text goes on below."""
        from hueyctl.output.grid import Line, layout, shortened, style_of, styled
        from hueyctl.output.prose import wrapped

        *before, last = texts
        shown = [streams.visible(text) for text in before]
        widths = [
            max(self._widths.get(key, 12), len(text))
            for key, text in zip(self._keys, shown, strict=False)
        ]
        start: Line = [
            (shortened(shown[place], room).ljust(room) + "  ", style_of(self._keys[place], text))
            for place, room in layout(columns[:-1], widths, width).items()
            for text in (shown[place],)
        ]
        begin = "".join(text for text, _ in start)
        first, *more = streams.visible_lines(last).split("\n")
        head, *below = [begin + first]
        if len(head) > width:
            head, *below = wrapped(first, width, _INDENT, begin)
        yield styled([*start, (head[len(begin) :], "")], colour=self.output.colour)
        yield from below
        for line in more:
            yield from wrapped(line, width, _INDENT)
