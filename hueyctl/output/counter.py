"""How far a command has come, for a person who has waited for a while."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from hueyctl import streams

if TYPE_CHECKING:
    from collections.abc import Callable

    from hueyctl.context import Session

#: Seconds after which a terminal is told, and between two times.
_PATIENCE, _PAUSE = 1.0, 0.1


class Counter:
    """A number of jobs on stderr, if it is a terminal: only then ``total`` is asked for all of
    them. None: nobody knows."""

    def __init__(self, session: Session, total: Callable[[], int] | None) -> None:
        self._wanted = not session.settings.quiet and streams.can_renew(sys.stderr)
        self._total = total() if total is not None and self._wanted else None
        self._shown = False
        self._next = time.monotonic() + _PATIENCE

    def show(self, done: int) -> None:
        if self._wanted and time.monotonic() >= self._next:
            of = "" if self._total is None else f" of {self._total:,}"
            streams.renew(f"{done:,}{of} jobs")
            self._shown = True
            self._next = time.monotonic() + _PAUSE

    def clear(self) -> None:
        if self._shown:
            streams.renew("")
            self._shown = False
