"""Single keys from a terminal, without waiting for Enter. Where there is no terminal: no keys."""

from __future__ import annotations

import os
import re
import sys
import termios
import tty
from types import TracebackType
from typing import Any

from hueyctl import streams


class Keys:
    """The keyboard while the block runs; the terminal is as before afterwards."""

    def __init__(self) -> None:
        self._terminal: int | None = sys.stdin.fileno() if streams.is_tty(sys.stdin) else None
        self._before: list[Any] | None = None
        #: What to wait for, None when no key can come.
        self.descriptor = self._terminal

    def __enter__(self) -> Keys:
        if self._terminal is not None:
            self._before = termios.tcgetattr(self._terminal)
            self.listen()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.restore()

    def listen(self) -> None:
        """Keys one by one and unseen; ^C and ^Z stay signals."""
        if self._terminal is not None:
            tty.setcbreak(self._terminal, termios.TCSANOW)

    def restore(self) -> None:
        if self._terminal is not None and self._before is not None:
            termios.tcsetattr(self._terminal, termios.TCSANOW, self._before)

    def read(self) -> list[str]:
        """What was pressed, arrows by their names; call it when ``select`` says that there is
        something."""
        if self.descriptor is None:
            return []
        data = os.read(self.descriptor, 64)
        if not data:
            self.descriptor = None  # ^D, or hung up: it may be "readable" for ever
        return keys_of(data)


def keys_of(data: bytes) -> list[str]:
    """Letters and arrows. What else begins with ESC is one key that means nothing: its letters
    would mean something alone."""
    found = _KEY.findall(data)
    return [_ARROWS.get(key[-1:], "esc") if key[:1] == b"\x1b" else chr(key[0]) for key in found]


_ARROWS = {b"A": "up", b"B": "down", b"C": "right", b"D": "left"}
_KEY = re.compile(rb"\x1b[\[O][0-9;]*[A-Za-z~]?|\x1b|[\x00-\x7f]")
