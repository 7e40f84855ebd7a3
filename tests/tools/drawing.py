"""A terminal's screen as an SVG, on a dark or a light ground."""

from __future__ import annotations

import re
from html import escape
from itertools import groupby
from typing import Any

import pyte

#: Of a letter, in pixels.
WIDTH, HEIGHT, SIZE = 8.4, 18, 14
_MARGIN, _BAR = 16, 34
_FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
_BLOCKS = "▁▂▃▄▅▆▇█"
#: What pyte does not know: SGR 2 becomes a colour of its own.
_DIM = "808080"
THEMES = {
    "dark": {
        "ground": "#0d1117", "default": "#e6edf3", "frame": "#30363d", _DIM: "#8b949e",
        "red": "#ff7b72", "green": "#56d364", "brown": "#e3b341", "cyan": "#56d4dd",
        "magenta": "#d2a8ff", "brightblue": "#79c0ff",
    },
    "light": {
        "ground": "#ffffff", "default": "#1f2328", "frame": "#d0d7de", _DIM: "#656d76",
        "red": "#cf222e", "green": "#1a7f37", "brown": "#9a6700", "cyan": "#0e7c86",
        "magenta": "#8250df", "brightblue": "#0969da",
    },
}  # fmt: skip


def screen_of(shown: str, columns: int, rows: int) -> pyte.Screen:
    """What a terminal of this size shows after it got ``shown``."""
    screen = pyte.Screen(columns, rows)
    grey = re.sub(r"\x1b\[([\d;]*)m", _with_grey, shown)
    pyte.Stream(screen).feed(grey)
    return screen


def _with_grey(found: re.Match[str]) -> str:
    codes = ["38;5;244" if code == "2" else code for code in found[1].split(";")]
    return f"\x1b[{';'.join(codes)}m"


def svg(screen: pyte.Screen, title: str, theme: str) -> str:
    """Its lines down to the last one that is not empty."""
    colours = THEMES[theme]
    used = max((row for row, line in enumerate(screen.display) if line.strip()), default=0) + 1
    width = screen.columns * WIDTH + 2 * _MARGIN
    height = used * HEIGHT + _BAR + _MARGIN
    size = f'width="{width:.0f}" height="{height:.0f}"'
    frame = f'width="{width - 1:.0f}" height="{height - 1:.0f}" rx="8"'
    middle = f'x="{width / 2:.0f}" y="22" text-anchor="middle"'
    head = f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" {size}
font-family="{_FONT}" font-size="{SIZE}">
<rect x="0.5" y="0.5" {frame} fill="{colours["ground"]}" stroke="{colours["frame"]}"/>
<text {middle} fill="{colours[_DIM]}">{escape(title)}</text>"""
    dots = [
        f'<circle cx="{_MARGIN + 5 + 18 * place}" cy="17" r="5" fill="{colours["frame"]}"/>'
        for place in range(3)
    ]
    parts = [head, *dots]
    for row in range(used):
        parts += _row(screen, row, colours)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _row(screen: pyte.Screen, row: int, colours: dict[str, str]) -> list[str]:
    letters = [screen.buffer[row][column] for column in range(screen.columns)]
    top = _BAR + row * HEIGHT
    parts = []
    place = 0
    for (fore, bold, reverse, is_block), run in groupby(letters, _look):
        text = "".join(letter.data for letter in run)
        x, length = _MARGIN + place * WIDTH, len(text) * WIDTH
        colour = colours.get(fore, colours["default"])
        if reverse:
            parts.append(_rect(x, top, length, HEIGHT, colour))
            colour = colours["ground"]
        if is_block:
            parts += [
                _rect(x + at * WIDTH, top + HEIGHT - tall, WIDTH, tall, colour)
                for at, letter in enumerate(text)
                if (tall := HEIGHT * (_BLOCKS.index(letter) + 1) / 8)
            ]
        elif text.strip():
            weight = ' font-weight="bold"' if bold else ""
            parts.append(
                f'<text x="{x:.1f}" y="{top + 13.5}" fill="{colour}"{weight} '
                f'textLength="{length:.1f}" xml:space="preserve">{escape(text)}</text>'
            )
        place += len(text)
    return parts


def _look(letter: Any) -> tuple[str, bool, bool, bool]:
    return letter.fg, letter.bold, letter.reverse, letter.data in _BLOCKS


def _rect(x: float, y: float, width: float, height: float, colour: str) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.2f}" height="{height:.1f}" fill="{colour}"/>'
    )
