"""Threads for calls that block. They are daemons, so that a call that hangs does not keep the
process alive; the threads of ``concurrent.futures`` would."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from functools import partial

from hueycore.system import native

logger = logging.getLogger("hueycore.consumer")


class Threads:
    """As many threads as calls run at once. They stay for later calls, the last used first."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._made = 0
        self._idle: list[native.SimpleQueue[Callable[[], object] | None]] = []
        self._waiting: deque[Callable[[], object]] = deque()
        self._closed = False
        #: Of the threads that exist.
        self.idents: set[int] = set()

    def run(self, call: Callable[[], object]) -> None:
        """Have ``call`` called by a thread; by the next free one when the system starts no more.
        It must not raise."""
        try:
            self._idle.pop().put(call)
        except IndexError:
            self._made += 1
            thread = native.Thread(partial(self._work, call), f"{self._name}-{self._made}")
            try:
                thread.start()
            except RuntimeError:
                if not self.idents:
                    raise
                self._waiting.append(call)

    def close(self) -> None:
        """Idle threads end, busy ones after their call."""
        self._closed = True
        while self._idle:
            self._idle.pop().put(None)

    def _work(self, first: Callable[[], object]) -> None:
        inbox: native.SimpleQueue[Callable[[], object] | None] = native.SimpleQueue()
        call: Callable[[], object] | None = first
        thread = native.get_ident()
        self.idents.add(thread)
        while call is not None:
            try:
                call()
            except BaseException:
                logger.exception("a call in a thread failed")
            call = None  # it may hold much memory
            try:
                call = self._waiting.popleft()
            except IndexError:
                self._idle.append(inbox)
                if self._closed:
                    self.close()
                call = inbox.get()
        self.idents.discard(thread)
