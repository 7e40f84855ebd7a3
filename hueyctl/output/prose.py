"""Sentences and command lines for people, broken where a terminal ends."""

from __future__ import annotations

import textwrap

#: A terminal wider than this is not filled with one sentence.
WIDEST = 110
#: With less room than this beside what stands before it, a text begins below.
_BESIDE = 16


def wrapped(text: str, width: int, indent: str = "", first: str | None = None) -> list[str]:
    """The lines of a text, none wider than ``width``. ``first`` stands before the first one, alone
    where there is little room beside it."""
    begin = indent if first is None else first
    room = max(len(indent) + 10, min(width, WIDEST))
    if begin != indent and len(begin) + min(len(text), _BESIDE) > room:
        return [begin.rstrip(), *wrapped(text, width, indent)]
    lines = textwrap.wrap(
        text, room, initial_indent=begin, subsequent_indent=indent, break_on_hyphens=False
    )
    return lines or [begin.rstrip()]


def command_lines(command: str, width: int, indent: str = "") -> list[str]:
    """A command line to copy, in as many lines as it needs: a shell reads them as one. None of an
    empty one."""
    if not command:
        return []
    lines = [indent]
    for word in _words(command):
        if lines[-1].strip() and len(lines[-1]) + len(word) + 2 > width:
            lines[-1] += "\\"
            lines.append(f"{indent}  ")
        lines[-1] += f"{word} "
    return [line.rstrip() for line in lines]


def _words(command: str) -> list[str]:
    """As a shell parts them, each with its quotes."""
    found, quote = [""], ""
    for letter in command:
        if letter == " " and not quote:
            found.append("")
            continue
        if letter in "'\"" and quote in ("", letter):
            quote = "" if quote else letter
        found[-1] += letter
    return found
