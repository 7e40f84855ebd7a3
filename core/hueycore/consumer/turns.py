"""How long the interpreter lets one thread run before another one that waits, while consumers work
in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TypeVar

from hueycore import native

T = TypeVar("T")

#: Seconds. Python's default of 5 ms lets a thread that computes hold up every statement of an
#: exchange, at each of which the interpreter's lock is given away.
INTERVAL = 0.0005
#: In an exchange of long jobs: others probably compute beside it, and there is little to do.
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
