"""What keeps the server from removing dead rows, told in the log of consumers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from hueycore.model.diagnosis import OK, Diagnosis
from hueycore.system import clock

logger = logging.getLogger("hueycore.storage")

#: Seconds between two looks, and between two lines about the same.
LOOK, AGAIN = 60.0, 3600.0


class Hindrance:
    """``question``: see ``checkup.transactions``."""

    def __init__(self, question: Callable[[], Iterable[Diagnosis]]) -> None:
        self._question = question
        self._next_look = 0.0
        self._next_line = 0.0

    def look(self) -> bool:
        """Called often; looks now and then. True when it has looked."""
        now = clock.monotonic()
        if now < self._next_look:
            return False
        self._next_look = now + LOOK
        found = [each for each in self._question() if each.status != OK]
        if not found:
            self._next_line = 0.0
        elif now >= self._next_line:
            self._next_line = now + AGAIN
            for each in found:
                logger.warning("%s: %s", each.text, each.hint)
        return True
