"""The switch interval of the interpreter while consumers work in this process: how long one thread
runs before another that waits."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TypeVar

from hueycore.system import native

T = TypeVar("T")

#: Seconds; Python's default is 5 ms. Less costs many quick jobs more than it gains.
INTERVAL = 0.001
#: Seconds, during an exchange. It releases the interpreter's lock at each of its statements, and
#: threads that compute would keep the lock for an interval each, one after the other.
HURRIED = 0.00001

_lock = native.Lock()
_consumers = _hurried = 0
_before = 0.005


def shorten() -> None:
    """A consumer begins to work."""
    global _consumers, _before
    with _lock:
        if not _consumers:
            _before = sys.getswitchinterval()
        _consumers += 1
        _set()


def restore() -> None:
    """A consumer has ended. The interval is as before after the last one."""
    global _consumers
    with _lock:
        _consumers -= 1
        _set()


def hurry(call: Callable[[], T]) -> T:
    """Call it with short waits for the interpreter's lock."""
    global _hurried
    with _lock:
        _hurried += 1
        _set()
    try:
        return call()
    finally:
        with _lock:
            _hurried -= 1
            _set()


def _set() -> None:
    usual = min(INTERVAL, _before) if _consumers else _before
    sys.setswitchinterval(HURRIED if _hurried else usual)
