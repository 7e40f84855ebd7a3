"""Unix signals: a handler only notes the signal and writes to a pipe; the loop acts."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections import deque
from types import FrameType
from typing import Any

HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signals:
    """A place to sleep that a signal, or ``wake``, ends."""

    def __init__(self) -> None:
        self._noted: deque[int] = deque()
        self._receive, self._send = os.pipe()
        os.set_blocking(self._receive, False)
        os.set_blocking(self._send, False)
        self._before: dict[int, Any] = {}

    def install(self) -> bool:
        """Handle INT, TERM and HUP; False off the main thread, where Python cannot."""
        if threading.current_thread() is not threading.main_thread():
            return False
        for number in HANDLED:
            self._before[number] = signal.signal(number, self._note)
        return True

    def uninstall(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._noted.append(number)
        self.wake()

    def wake(self) -> None:
        try:
            os.write(self._send, b"!")
        except OSError:
            pass  # full: the sleeper wakes anyway

    def wait(self, timeout: float) -> int | None:
        """Sleep for at most ``timeout`` seconds; the next signal that came, if any."""
        if not self._noted:
            poll = select.poll()
            poll.register(self._receive, select.POLLIN)
            poll.poll(max(0, int(timeout * 1000)))
            try:
                os.read(self._receive, 4096)
            except BlockingIOError:
                pass
        return self._noted.popleft() if self._noted else None

    def close(self) -> None:
        self.uninstall()
        os.close(self._receive)
        os.close(self._send)
