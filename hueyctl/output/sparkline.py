"""A row of numbers as a row of glyphs."""

from __future__ import annotations

from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"
PLAIN = ".:-=+*#"


def sparkline(numbers: Sequence[float], *, utf8: bool = True, width: int | None = None) -> str:
    """One glyph per number, the newest last; with ``width`` only the newest. Nothing at all is the
    lowest glyph of blocks, and a blank where only ASCII can be shown."""
    shown = list(numbers if width is None else numbers[max(0, len(numbers) - width) :])
    glyphs = BLOCKS if utf8 else PLAIN
    most = max(shown, default=0)
    if not most:
        return (glyphs[0] if utf8 else " ") * len(shown)
    return "".join(_glyph(number / most, glyphs, utf8) for number in shown)


def _glyph(share: float, glyphs: str, utf8: bool) -> str:
    if share <= 0:
        return glyphs[0] if utf8 else " "
    # Something is never drawn as nothing.
    lowest = 1 if utf8 else 0
    return glyphs[max(lowest, min(len(glyphs) - 1, round(share * (len(glyphs) - 1))))]


def chart(numbers: Sequence[float], width: int, height: int, *, utf8: bool = True) -> list[str]:
    """Numbers as columns that fill ``width`` and ``height``, the newest last."""
    newest = numbers[-width:]
    shown = [newest[place * len(newest) // width] for place in range(width)]
    most = max(shown, default=0)
    levels = [round(number / most * height * 8) if most else 0 for number in shown]
    lines = []
    for row in reversed(range(height)):
        left = [max(0, min(8, level - row * 8)) for level in levels]
        lines.append("".join(_part(eighths, utf8) for eighths in left))
    return lines


def _part(eighths: int, utf8: bool) -> str:
    if utf8:
        return BLOCKS[eighths - 1] if eighths else " "
    return "#" if eighths >= 4 else " "
