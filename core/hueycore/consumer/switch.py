"""How long the interpreter lets one thread run before another one that waits, while consumers work
in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TypeVar

from hueycore.system import native

T = TypeVar("T")

#: Seconds; Python's default is 5 ms. Shorter still costs many quick jobs more than it brings.
INTERVAL = 0.001
#: During an exchange: it gives the interpreter's lock away at each of its statements, and threads
#: that compute beside it would keep it for their turn, one after the other.
HURRIED = 0.00001

_lock = native.Lock()
_consumers = _hurried = 0
_before = 0.005


def shorten() -> None:
    """A consumer begins."""
    global _consumers, _before
    with _lock:
        if not _consumers:
            _before = sys.getswitchinterval()
        _consumers += 1
        _set()


def restore() -> None:
    """It has ended; after the last one all is as before."""
    global _consumers
    with _lock:
        _consumers -= 1
        _set()


def hurry(call: Callable[[], T]) -> T:
    """Call it without waiting long for one's turn."""
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
