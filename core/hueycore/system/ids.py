"""Job ids: UUIDs of version 7, so that they sort by birth and the index grows at its end."""

from __future__ import annotations

import os
from time import time_ns

_pool: list[str] = []


def new_id() -> str:
    """A fresh id, such as ``019f1b0c-5b7a-7c3e-9d0f-2a4b6c8d0e1f``."""
    try:
        random = _pool.pop()
    except IndexError:
        # One system call for 256 ids; the pool is emptied in a forked child.
        block = os.urandom(2560)
        _pool.extend(block[i : i + 10].hex() for i in range(0, 2560, 10))
        random = _pool.pop()
    stamp = f"{time_ns() // 1_000_000:012x}"
    return f"{stamp[:8]}-{stamp[8:]}-7{random[:3]}-{_VARIANT[random[3]]}{random[4:7]}-{random[8:]}"


#: The two top bits of the variant field are 10.
_VARIANT: dict[str, str] = {digit: "89ab"[int(digit, 16) % 4] for digit in "0123456789abcdef"}

os.register_at_fork(after_in_child=_pool.clear)
