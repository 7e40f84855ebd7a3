"""Signals of a program that holds the terminal: they end, suspend or redraw it, tidily."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, NoReturn

from hueyctl import exits, streams

_NAMES = ("SIGTERM", "SIGTSTP", "SIGCONT", "SIGWINCH")


class Terminal:
    """While the block runs: SIGTERM leaves through the ``finally`` clauses; ^Z, a continuation and
    a new size only end ``wait`` and are noted in ``news``."""

    def __init__(self) -> None:
        self.news: set[int] = set()
        self._before: dict[int, Any] = {}
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def __enter__(self) -> Terminal:
        for name in _NAMES:
            number = getattr(signal, name)
            handler = self._leave if name == "SIGTERM" else self._note
            self._before[number] = signal.signal(number, handler)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self._reader)
        os.close(self._writer)

    def wait(self, seconds: float, descriptor: int | None) -> bool:
        """Sleep until there is a key, a signal, or the time is over; whether there is a key."""
        watched = [self._reader] if descriptor is None else [self._reader, descriptor]
        ready = streams.ready(watched, seconds)
        if self._reader in ready:
            os.read(self._reader, 4096)
        return descriptor in ready

    def suspend(self, leave: Callable[[], None], enter: Callable[[], None]) -> None:
        """Give the terminal back and stop, as ^Z asks; go on when the shell says so."""
        leave()
        handler = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, handler)
        self.news.clear()
        enter()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.news.add(number)
        try:
            os.write(self._writer, b"!")
        except BlockingIOError:
            return  # it is full, hence will be read

    def _leave(self, number: int, frame: FrameType | None) -> NoReturn:
        # A terminal that takes no output would hold up the restoring: a second one is final.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        raise SystemExit(exits.TERMINATED)
