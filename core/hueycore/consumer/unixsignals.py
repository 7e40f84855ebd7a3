"""Unix signals: a handler only notes the signal and writes to a pipe. The main loop acts.

Handlers are those of one process: a child that it forks has what was there before.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
from collections import deque
from collections.abc import Callable
from types import FrameType
from typing import Any, Protocol

from hueycore.system import native

HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Handler = Callable[[int, FrameType | None], None]
#: By number: the handler of this process, and what was there before.
_handlers: dict[int, tuple[Handler, Any]] = {}
#: By thread that is about to fork: the signals that it blocked before.
_masks: dict[int, set[int]] = {}


class HasFileno(Protocol):
    def fileno(self) -> int: ...


class Signals:
    """Lets a loop sleep until a signal or ``wake`` comes. ``wake`` may come before ``open`` and
    after ``close``."""

    def __init__(self) -> None:
        self._noted: deque[int] = deque()
        self._pair: tuple[socket.socket, socket.socket] | None = None

    def open(self) -> None:
        self._pair = socket.socketpair()
        for end in self._pair:
            end.setblocking(False)

    def install(self) -> bool:
        """Handle INT, TERM and HUP. False off the main thread, where Python cannot."""
        if threading.current_thread() is not threading.main_thread():
            return False
        for number in HANDLED:
            handle(number, self._note)
        return True

    def uninstall(self) -> None:
        for number in HANDLED:
            unhandle(number, self._note)

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


def handle(number: int, handler: Handler) -> None:
    """Install a handler; in the main thread."""
    _handlers[number] = (handler, signal.signal(number, handler))


def unhandle(number: int, handler: Handler) -> None:
    """Install what was there before ``handle``."""
    if number in _handlers and _handlers[number][0] == handler:
        _, before = _handlers.pop(number)
        signal.signal(number, signal.SIG_DFL if before is None else before)


def _before_fork() -> None:
    if _handlers:
        # A signal that comes to the child before ``_in_child`` would be lost.
        _masks[native.get_ident()] = signal.pthread_sigmask(signal.SIG_BLOCK, _handlers)


def _unblock() -> None:
    mask = _masks.pop(native.get_ident(), None)
    if mask is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _in_child() -> None:
    for number, (handler, _) in list(_handlers.items()):
        if signal.getsignal(number) == handler:  # the application may have replaced it
            unhandle(number, handler)
    _handlers.clear()
    _unblock()
    _masks.clear()


os.register_at_fork(before=_before_fork, after_in_parent=_unblock, after_in_child=_in_child)
