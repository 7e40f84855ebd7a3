"""Look again and again: for changes that other processes make."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hueycore.storage.base import Storage

FIRST = 0.02
MOST = 0.25


class Timeout(Exception):
    """``--timeout`` ran out."""


def looks(storage: Storage, timeout: float | None = None, most: float = MOST) -> Iterator[bool]:
    """Yield whenever it is time to look: at once, then after 20 ms growing to ``most``.

    The value tells whether anything was committed since the last look; news make the next pause
    short again. Raises ``Timeout`` when the time is over, after one last look.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    first = min(FIRST, most)
    pause = first
    seen = storage.version()
    yield True
    while True:
        left = None if deadline is None else deadline - time.monotonic()
        time.sleep(pause if left is None else max(0.0, min(pause, left)))
        version = storage.version()
        news = version != seen
        seen = version
        yield news
        if deadline is not None and time.monotonic() >= deadline:
            raise Timeout
        pause = first if news else min(pause * 1.5, most)
