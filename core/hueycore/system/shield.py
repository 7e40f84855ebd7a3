"""A shield between a run's time limit and the storage: no exception is thrown into a thread while
it holds a storage verb."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from hueycore.system import native

P = ParamSpec("P")
T = TypeVar("T")

_local = native.local()

#: Shields that a time limit is about to take.
wanted: set[native.Lock] = set()


def shield_of_this_thread() -> native.Lock | None:
    """The lock that a time limit must hold to interrupt this thread, None outside of such a run."""
    lock: native.Lock | None = getattr(_local, "lock", None)
    if lock in wanted:
        # The limit first: locks are not fair, and a run that goes from verb to verb would never
        # be interrupted.
        native.sleep(0.001)
    return lock


def shielded(verb: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call ``verb`` so that no time limit interrupts it."""
    shield = shield_of_this_thread()
    if shield is None:
        return verb(*args, **kwargs)
    with shield:
        return verb(*args, **kwargs)


def raise_shield(lock: native.Lock | None) -> None:
    """Set or remove this thread's shield."""
    _local.lock = lock


def _in_child() -> None:
    """A time limit, a thread of the parent, may just hold it."""
    wanted.clear()
    _local.lock = None


os.register_at_fork(after_in_child=_in_child)
