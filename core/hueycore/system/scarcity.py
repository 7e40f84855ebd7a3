"""The system gives no more threads, descriptors or memory: that passes, and is nobody's mistake."""

from __future__ import annotations

import errno

_NUMBERS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


def is_scarcity(error: BaseException) -> bool:
    """Whether an exception says so."""
    match error:
        case OSError():
            return error.errno in _NUMBERS
        case RuntimeError():
            return str(error) == "can't start new thread"
    return isinstance(error, MemoryError)
