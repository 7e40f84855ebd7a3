"""Unix signals: a handler only notes the signal and writes to a pipe. The main loop acts."""

from __future__ import annotations

import select
import signal
import socket
import threading
from collections import deque
from types import FrameType
from typing import Any, Protocol

HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class HasFileno(Protocol):
    def fileno(self) -> int: ...


class Signals:
    """Lets a loop sleep until a signal or ``wake`` comes. ``wake`` may come before ``open`` and
    after ``close``."""

    def __init__(self) -> None:
        self._noted: deque[int] = deque()
        self._pair: tuple[socket.socket, socket.socket] | None = None
        self._before: dict[int, Any] = {}

    def open(self) -> None:
        self._pair = socket.socketpair()
        for end in self._pair:
            end.setblocking(False)

    def install(self) -> bool:
        """Handle INT, TERM and HUP. False off the main thread, where Python cannot."""
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
            if self._pair is not None:
                self._pair[1].send(b"!")
        except OSError:
            pass  # full: the loop wakes anyway; closed: no loop sleeps

    def wait(self, timeout: float, *others: HasFileno) -> int | None:
        """Sleep for at most ``timeout`` seconds, or until one of the ``others`` can be read.
        Returns the next signal that came, if any."""
        if not self._noted and self._pair is not None:
            receive = self._pair[0]
            poll = select.poll()
            for each in (receive, *others):
                poll.register(each, select.POLLIN)
            poll.poll(max(0, int(timeout * 1000)))
            try:
                receive.recv(4096)
            except BlockingIOError:
                pass
        return self._noted.popleft() if self._noted else None

    def close(self) -> None:
        self.uninstall()
        if self._pair is not None:
            for end in self._pair:
                end.close()
