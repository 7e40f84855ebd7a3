"""Single keys from a terminal, without waiting for Enter. Where there is no terminal: no keys."""

from __future__ import annotations

import os
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

    def read(self) -> str:
        """What was pressed; call it when ``select`` says that there is something."""
        if self.descriptor is None:
            return ""
        data = os.read(self.descriptor, 64)
        if not data:
            self.descriptor = None  # ^D, or hung up: it may be "readable" for ever
        # An arrow key is ESC and letters that would mean something alone.
        return "" if data.startswith(b"\x1b") else data.decode("ascii", "ignore")
