"""The traceback of a run as its application reads it."""

from __future__ import annotations

import re
from itertools import groupby

_FRAME = re.compile(r'  File "(.+)", line \d+')
_OURS = re.compile(r"[/\\](hueycore|hueyctl)[/\\]")


def of_application(text: str) -> str:
    """Without the frames of this library, where an application has some as well. Of a group of
    exceptions, and of what is no traceback, all stays."""
    kept: list[str] = []
    for in_frames, lines in groupby(text.split("\n"), lambda line: line.startswith("  ")):
        block = list(lines)
        kept += _others(block) if in_frames else block
    return "\n".join(kept)


def _others(block: list[str]) -> list[str]:
    """Of the lines of some frames those that are not ours."""
    frames: list[list[str]] = []
    for line in block:
        if _FRAME.match(line) or not frames:
            frames.append([])
        frames[-1].append(line)
    others = [frame for frame in frames if not _is_ours(frame[0])]
    return [line for frame in others or frames for line in frame]


def _is_ours(line: str) -> bool:
    found = _FRAME.match(line)
    return found is not None and _OURS.search(found[1]) is not None
