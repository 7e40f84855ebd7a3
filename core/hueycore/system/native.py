"""The threads of the system and what they share, also where gevent has replaced Python's own.

What native threads and greenlets share must be native: a lock that gevent has replaced belongs to
greenlets. But a greenlet that waits for a native lock stops all greenlets of its thread, so whoever
holds one calls nothing that may let another greenlet run: no receiver, no patched ``sleep``.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from hueycore.system import clock


def is_patched(module: str = "threading") -> bool:
    """Whether gevent has replaced the functions of a module of the standard library."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched(module))


def _original(module: str, name: str) -> Any:
    monkey = sys.modules.get("gevent.monkey")
    if monkey is None:
        return getattr(import_module(module), name)
    return monkey.get_original(module, name)


if TYPE_CHECKING:
    from queue import Empty, SimpleQueue
    from selectors import DefaultSelector, PollSelector
    from socket import getaddrinfo
    from socket import socket as Socket
    from threading import Lock, RLock, get_ident, local
    from time import sleep
else:
    Lock = _original("_thread", "allocate_lock")
    RLock = _original("_thread", "RLock")
    get_ident = _original("_thread", "get_ident")
    local = _original("_thread", "_local")
    sleep = _original("time", "sleep")
    SimpleQueue = _original("_queue", "SimpleQueue")
    Empty = _original("_queue", "Empty")

__all__ = [
    "AnyThread",
    "Condition",
    "DefaultSelector",
    "Empty",
    "Event",
    "Lock",
    "PollSelector",
    "RLock",
    "SimpleQueue",
    "Socket",
    "Thread",
    "get_ident",
    "getaddrinfo",
    "is_patched",
    "local",
    "sleep",
]


def __getattr__(name: str) -> Any:
    # Imported late: only consumers need them.
    if name == "DefaultSelector":
        return _original("selectors", name)
    if name == "PollSelector":  # gevent's asks gevent; the one selector that needs no descriptor
        poll = {"_selector_cls": _original("select", "poll")}
        return type(name, (_original("selectors", name),), poll)
    if name == "Socket":
        return _original("socket", "socket")
    if name == "getaddrinfo":
        return _original("socket", name)
    raise AttributeError(name)


_start_new_thread = _original("_thread", "start_new_thread")


class Condition:
    """``threading.Condition`` on native locks."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiters: deque[Lock] = deque()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *raised: object) -> None:
        self._lock.release()

    def wait(self, timeout: float | None = None) -> bool:
        """Until notified; False after ``timeout`` seconds."""
        waiter = Lock()
        waiter.acquire()
        self._waiters.append(waiter)
        self._lock.release()
        notified = False
        try:
            notified = waiter.acquire(timeout=-1 if timeout is None else max(timeout, 0.0))
        finally:
            self._lock.acquire()
            if not notified and waiter in self._waiters:
                self._waiters.remove(waiter)
        return notified

    def notify(self, number: int = 1) -> None:
        for _ in range(min(number, len(self._waiters))):
            self._waiters.popleft().release()

    def notify_all(self) -> None:
        self.notify(len(self._waiters))


class Event:
    """``threading.Event`` on native locks."""

    def __init__(self) -> None:
        self._condition = Condition()
        self._is_set = False

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        with self._condition:
            self._is_set = True
            self._condition.notify_all()

    def clear(self) -> None:
        self._is_set = False

    def wait(self, timeout: float | None = None) -> bool:
        with self._condition:
            return self._is_set or self._condition.wait(timeout)


class AnyThread(Protocol):
    name: str

    @property
    def ident(self) -> int | None: ...
    def start(self) -> None: ...
    def join(self, timeout: float | None = None) -> None: ...
    def is_alive(self) -> bool: ...


def Thread(target: Callable[[], object], name: str) -> AnyThread:
    """A daemon thread of the system, not started."""
    if is_patched():
        return _Thread(target, name)
    return threading.Thread(target=target, name=name, daemon=True)


class _Thread:
    """A thread that ``threading`` does not know: there they are greenlets."""

    def __init__(self, target: Callable[[], object], name: str) -> None:
        self.name = name
        self.ident: int | None = None
        self._target = target
        self._over = False

    def start(self) -> None:
        self.ident = _start_new_thread(self._run, ())

    def is_alive(self) -> bool:
        return self.ident is not None and not self._over

    def join(self, timeout: float | None = None) -> None:
        """Sleeps as its caller sleeps: a greenlet lets the others run meanwhile, because this
        thread may wait for them."""
        deadline = None if timeout is None else clock.monotonic() + timeout
        while self.is_alive() and (deadline is None or clock.monotonic() < deadline):
            time.sleep(0.005)

    def _run(self) -> None:
        try:
            threading.current_thread().name = self.name  # for log records
            self._target()
        except SystemExit:
            pass
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            self._over = True
