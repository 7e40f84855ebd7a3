"""Points in time that only make sense ahead."""

from __future__ import annotations

import time

from hueyctl import errors, units


def moment(option: str, text: str, *, utc: bool) -> float:
    """POSIX seconds of a WHEN. Exit 2 when it is none."""
    try:
        return units.parse_when(text, utc=utc)
    except ValueError as error:
        raise errors.usage(f"{option}: {error}") from error


def in_future(option: str, text: str, *, utc: bool) -> float:
    """As ``moment``; exit 2 when it is past."""
    found = moment(option, text, utc=utc)
    if found <= time.time():
        raise errors.usage(f"{option}: {text!r} is past", f"like {units.EXAMPLE_TIMES}")
    return found
