"""Threads that want the same at the same time: the first of them does it for all."""

from __future__ import annotations

from collections.abc import Callable

from hueycore.system import clock, native

#: The part of the time of a round that the next one waits for others to join it, where there are
#: some; and seconds that it waits at most.
GATHER, LONGEST_GATHER = 0.25, 0.005
#: Seconds of a round that is over before a wait would bring anybody.
QUICK = 0.002


class _Round:
    __slots__ = ("lock", "members")

    def __init__(self) -> None:
        self.lock = native.Lock()
        #: One for each of them; a list counts right when threads count at the same time.
        self.members: list[None] = []


class Rounds:
    """Whoever comes while others are served waits for the next round, together with all who do.

    A single lock would not do: who is served would wait for it behind those who came later."""

    def __init__(self) -> None:
        #: Held while somebody is served.
        self.alone = native.Lock()
        self._round = _Round()
        #: The last round was one of several, and took so many seconds.
        self._crowd, self._took = False, 0.0

    def take(self, wanted: Callable[[], bool], serve: Callable[[], object]) -> None:
        """Wait until ``wanted`` is false, which ``serve`` makes it for all who have come by then.
        What that raises is its caller's: the next one of them tries for himself."""
        mine = self._round
        mine.members.append(None)
        try:
            with mine.lock:
                if wanted():
                    with self.alone:
                        self._serve(mine, wanted, serve)
        finally:
            mine.members.pop()

    def _serve(self, mine: _Round, wanted: Callable[[], bool], serve: Callable[[], object]) -> None:
        if self._crowd and self._took > QUICK:
            # Those who were served just now are about to come again: half of all threads would
            # always wait for the next round.
            native.sleep(min(self._took * GATHER, LONGEST_GATHER))
        self._crowd = len(mine.members) > 1
        if self._crowd and self._round is mine:
            self._round = _Round()
        if not wanted():
            return  # the round before took this one along
        began = clock.monotonic()
        serve()
        self._took = clock.monotonic() - began
