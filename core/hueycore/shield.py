"""A shield between a run's time limit and the storage: no exception is thrown into a thread while
it holds a storage verb."""

from __future__ import annotations

import threading

_local = threading.local()


def shield_of_this_thread() -> threading.Lock | None:
    """The lock that a time limit must hold to interrupt this thread, None outside of such a run."""
    return getattr(_local, "lock", None)


def raise_shield(lock: threading.Lock | None) -> None:
    """Set or remove this thread's shield."""
    _local.lock = lock
