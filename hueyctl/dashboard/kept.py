"""Answers that took long to find, kept for those who ask the same."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, TypeVar

T = TypeVar("T")

#: An answer is kept for so many seconds, and for so many times what it took to find.
_LEAST, _SHARE = 1.0, 20.0
#: Different answers that are kept.
_MOST = 64


class Kept:
    """No more than a twentieth of the time goes into finding the same answer again."""

    def __init__(self) -> None:
        self._found: OrderedDict[Hashable, tuple[float, Any]] = OrderedDict()
        self._locks: dict[Hashable, Lock] = {}
        self._lock = Lock()
        self._times_forgotten = 0

    def forget(self) -> None:
        """Somebody has changed something. What is being found just now is not kept either."""
        with self._lock:
            self._found.clear()
            self._times_forgotten += 1

    def get(self, key: Hashable, find: Callable[[], T]) -> T:
        """The answer of ``find``, or that of the last time. One who asks finds a new one, while the
        others have the old."""
        with self._lock:
            own = self._locks.setdefault(key, Lock())
            until, value = self._found.get(key, (0.0, None))
        if time.monotonic() < until:
            return value  # type: ignore[no-any-return]
        if not own.acquire(blocking=until == 0.0):
            return value  # type: ignore[no-any-return]
        try:
            return self._renewed(key, find)
        finally:
            own.release()

    def _renewed(self, key: Hashable, find: Callable[[], T]) -> T:
        began = time.monotonic()
        until, value = self._found.get(key, (0.0, None))
        if began < until:  # somebody else did it while we waited
            return value  # type: ignore[no-any-return]
        forgotten = self._times_forgotten
        found = find()
        now = time.monotonic()
        with self._lock:
            if forgotten != self._times_forgotten:
                return found
            self._found[key] = now + max(_LEAST, _SHARE * (now - began)), found
            self._found.move_to_end(key)
            while len(self._found) > _MOST:
                old, _ = self._found.popitem(last=False)
                self._locks.pop(old, None)
        return found
