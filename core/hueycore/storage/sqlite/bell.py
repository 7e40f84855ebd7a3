"""Sleeping until a producer rings: inotify on the side file where there is one, and always a look
at the database's version, because a bell can be removed, muffled or never rung."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from selectors import EVENT_READ

from hueycore.system import clock, native

IN_ATTRIB = 0x4
IN_DELETE_SELF = 0x400
IN_MOVE_SELF = 0x800

#: Seconds between two looks at the version when the bell can be heard: few do not ring it.
LOOK = 0.2
#: Without inotify: the first look after work, and what the pauses stretch to.
QUICK_LOOK, SLOW_LOOK = 0.005, 0.05


class Bell:
    """One listener. ``look`` answers a number that changes with every commit."""

    def __init__(self, path: str | None, look: Callable[[], int]) -> None:
        self._look = look
        self._seen = look()
        self._selector = native.DefaultSelector()
        self._inotify = _watch(path) if path else None
        if self._inotify is not None:
            self._selector.register(self._inotify, EVENT_READ)
        self._receive, self._send = os.pipe()
        os.set_blocking(self._receive, False)
        os.set_blocking(self._send, False)
        self._selector.register(self._receive, EVENT_READ)
        self._pause = QUICK_LOOK

    def wait(self, timeout: float) -> bool:
        """Sleep for at most ``timeout`` seconds; True as soon as there may be news."""
        deadline = clock.monotonic() + timeout
        while True:
            if self._changed():
                self._pause = QUICK_LOOK
                return True
            left = deadline - clock.monotonic()
            if left <= 0:
                return False
            if self._inotify is None:
                self._pause = min(self._pause * 1.2, SLOW_LOOK)
                ready = self._selector.select(min(left, self._pause))
            else:
                ready = self._selector.select(min(left, LOOK))
            if ready:
                for key, _ in ready:
                    _drain(key.fd)
                self._changed()
                return True

    def nudge(self) -> None:
        """End the wait of another thread of this process. Safe in a signal handler."""
        try:
            os.write(self._send, b"!")
        except OSError:
            pass  # the pipe is full: the sleeper is about to wake anyway

    def close(self) -> None:
        self._selector.close()
        for descriptor in (self._inotify, self._receive, self._send):
            if descriptor is not None:
                os.close(descriptor)

    def _changed(self) -> bool:
        version = self._look()
        changed = version != self._seen
        self._seen = version
        return changed


def _drain(descriptor: int) -> None:
    try:
        while os.read(descriptor, 65536):
            pass
    except BlockingIOError:
        pass


def _watch(path: str) -> int | None:
    """An inotify descriptor, or None: not Linux, or the user's instances are used up."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        descriptor = int(libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        if descriptor < 0:
            return None
        mask = IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF
        if libc.inotify_add_watch(descriptor, os.fsencode(path), mask) < 0:
            os.close(descriptor)
            return None
    except (OSError, AttributeError):
        return None
    return descriptor
