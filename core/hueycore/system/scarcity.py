"""The system gives no more threads, descriptors or memory: that passes, and is nobody's mistake."""

from __future__ import annotations

import errno
from collections.abc import Callable

from hueycore.system import clock, native

_NUMBERS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


def is_scarcity(error: BaseException) -> bool:
    """Whether an exception says so."""
    match error:
        case OSError():
            return error.errno in _NUMBERS
        case RuntimeError():
            return str(error) == "can't start new thread"
    return isinstance(error, MemoryError)


def sit_out(seconds: float, woken: native.Event, is_over: Callable[[], bool]) -> None:
    """Sleep, however often the sleeper is ``woken`` meanwhile; no longer than until ``is_over``."""
    end = clock.monotonic() + seconds
    while not is_over() and (left := end - clock.monotonic()) > 0:
        woken.clear()
        woken.wait(left)
