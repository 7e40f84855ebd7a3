"""The live view of the demo, on a terminal only: into a pipe rich would print the last frame."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hueyctl import streams
from hueyctl.output.console import make_console
from hueyctl.output.grid import STATES

if TYPE_CHECKING:
    from rich.console import RenderableType

    from hueyctl.commands.demo.demonstration import Frame

_BAR = 40
#: Columns of the states and of the numbers.
_BESIDE = 24


@contextmanager
def live_view(colour: bool) -> Iterator[Callable[[Frame], None]]:
    """Frames drawn in place. The terminal is restored however the block is left."""
    from rich.live import Live

    console = make_console(colour)
    events: list[str] = []
    bar = "█" if streams.is_utf8(sys.stdout) else "#"
    with Live(console=console, auto_refresh=False, transient=False) as live:

        def show(frame: Frame) -> None:
            if frame.event:
                events.append(f"{frame.at:5.1f}s  {frame.event}")
            live.update(_drawn(frame, events, bar), refresh=True)

        yield show


def _drawn(frame: Frame, events: list[str], bar: str) -> RenderableType:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(justify="right", min_width=8)
    table.add_column()
    room = max(1, min(_BAR, streams.terminal_size()[0] - _BESIDE))
    most = max(1, *frame.counts.values())
    for state, number in frame.counts.items():
        style = STATES.get(state, "")
        length = -(-number * room // most)
        table.add_row(
            Text(state, style=style), Text(f"{number:,}"), Text(bar * length, style=style)
        )
    rates = Text(f"\nin {frame.in_s:,.0f}/s   out {frame.out_s:,.0f}/s   {frame.at:.1f} s\n")
    return Group(table, rates, *(Text(line, style="bold") for line in events))
