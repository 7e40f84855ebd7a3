"""Thread workers: the default. A run cannot be stopped from outside, only asked."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from typing import Any

from hueycore import clock
from hueycore.consumer.feed import Feed
from hueycore.execute import Executor, Hook
from hueycore.storage.base import Claim, Slots

logger = logging.getLogger("hueycore.consumer")


class ThreadWorker:
    """One thread, one slot."""

    def __init__(
        self,
        number: int,
        feed: Feed,
        executor: Executor,
        slots: Slots,
        *,
        startup: Iterable[tuple[str, Hook]] = (),
        shutdown: Iterable[tuple[str, Hook]] = (),
        max_tasks: int | None = None,
    ) -> None:
        self.number = number
        self._feed = feed
        self._executor = executor
        self._slots = slots
        self._startup, self._shutdown = list(startup), list(shutdown)
        self._max_tasks = max_tasks
        self.claim: Claim | None = None
        self.since = 0.0
        self.done = 0
        self.overdue = False
        self._thread = threading.Thread(
            target=self._run, name=f"huey-worker-{number + 1}", daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def alive(self) -> bool:
        return self._thread.is_alive()

    def join(self, timeout: float) -> None:
        self._thread.join(timeout)

    @property
    def ident(self) -> int | None:
        return self._thread.ident

    def _run(self) -> None:
        _call("startup", self._startup)
        feed, executor, slots, number = self._feed, self._executor, self._slots, self.number
        while (claim := feed.next()) is not None:
            self.claim, self.since = claim, clock.monotonic()
            slots.start(number, claim.seq, claim.claim)
            feed.end(executor.run(claim))
            if claim.at_most_once:
                # Its slot says that it started; it may be cleared only when the ending is kept.
                while not feed.flush():
                    clock.sleep(0.1)
            slots.clear(number)
            self.claim = None
            self.done += 1
            if self.overdue or self.done == self._max_tasks:
                break
        _call("shutdown", self._shutdown)


def _call(when: str, hooks: list[tuple[str, Any]]) -> None:
    for name, hook in hooks:
        try:
            hook()
        except Exception:
            logger.exception("%s hook %s failed", when, name)
