"""One question a second for everything that a consumer looks after: each of its threads would have
some of its own, every second."""

from __future__ import annotations

import math
from collections.abc import Collection

from hueycore.exceptions import StorageError
from hueycore.model.glance import Glance, Kept
from hueycore.storage.protocol import workers as protocol
from hueycore.storage.redis.part import Part
from hueycore.storage.redis.scripts import script
from hueycore.system import clock, native

#: Seconds for which an answer counts; a thread that looks each second has one of its own time.
FRESH = 0.9


class Glances(Part, protocol.Workers):
    _last: Kept | None = None
    _looking: native.Lock

    def glance(self, declared: Collection[str] | None = None) -> Glance:
        if declared is not None:
            names = frozenset(declared)
        else:
            names = self._last.declared if self._last is not None else frozenset()
        found = self._fresh(names)
        if found is None:
            with self._looking:  # another thread may have looked meanwhile
                found = self._fresh(names) or self._look(names)
        return found

    # --- inside -----------------------------------------------------------------------------------

    def _fresh(self, names: frozenset[str]) -> Glance | None:
        last = self._last
        if last is None or not last.is_fresh(self._known(names), clock.monotonic(), FRESH):
            return None
        return last.glance

    def _known(self, names: frozenset[str]) -> tuple[int, int, frozenset[str]]:
        return self.calls, self.bell.rings, names

    def _look(self, names: frozenset[str]) -> Glance:
        at, known = clock.monotonic(), self._known(names)
        words = (repr(self.client.now()), *names)
        try:
            answer = self.client.run(script("glance"), self.keys, words)
        except StorageError:
            self.watch.count_anew()
            raise
        pending, late, unfinished, *times, stored, beats = answer
        job, key, fires = (math.inf if when is None else float(when) for when in times)
        if stored < len(names):
            fires = -math.inf
        missing = self.watch.misses(dict(zip(beats[::2], beats[1::2], strict=True)))
        glance = Glance(pending > 0, late > 0, missing or unfinished > 0, min(job, key), fires)
        self._last = Kept(glance, at, *known)
        return glance
