"""A shield between a run's time limit and the storage: no exception is thrown into a thread while
it holds a storage verb."""

from __future__ import annotations

import threading

from hueycore import clock

_local = threading.local()

#: Shields that a time limit is about to take.
wanted: set[threading.Lock] = set()


def shield_of_this_thread() -> threading.Lock | None:
    """The lock that a time limit must hold to interrupt this thread, None outside of such a run."""
    lock: threading.Lock | None = getattr(_local, "lock", None)
    if lock in wanted:
        # The limit first: locks are not fair, and a run that goes from verb to verb would never
        # be interrupted.
        clock.sleep(0.001)
    return lock


def raise_shield(lock: threading.Lock | None) -> None:
    """Set or remove this thread's shield."""
    _local.lock = lock
