"""Thread workers: the default. A run cannot be stopped from outside, only asked."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from hueycore import clock, native, running
from hueycore.consumer.feed import Feed
from hueycore.ending import Dead, Failure
from hueycore.execute import Executor, Finished, Hook
from hueycore.storage.base import Claim, Ended, Slots

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
        left: Callable[[], None],
        startup: Iterable[tuple[str, Hook]] = (),
        shutdown: Iterable[tuple[str, Hook]] = (),
        max_tasks: int | None = None,
    ) -> None:
        self.number = number
        self._feed = feed
        self._executor = executor
        self._slots = slots
        self._left = left
        self._startup, self._shutdown = list(startup), list(shutdown)
        self._max_tasks = max_tasks
        self.claim: Claim | None = None
        self.since = 0.0
        self.done = 0
        self.overdue = False
        self._over = False
        self._thread = native.Thread(self._run, f"huey-worker-{number + 1}")

    def start(self) -> None:
        self._thread.start()

    def alive(self) -> bool:
        return self._thread.is_alive() and not self._over

    def join(self, timeout: float) -> None:
        self._thread.join(timeout)

    def bury(self) -> None:
        """The thread is gone. What it was running has died of something that no run survives."""
        claim, self.claim = self.claim, None
        if claim is None:
            return
        self._slots.clear(self.number)
        logger.error("worker %d died in job %s of %s", self.number + 1, claim.seq, claim.task)
        failure = Failure("Crashed", "its worker thread died while it ran this job", "")
        self._feed.end(Finished(Ended(claim, Dead("crashed", failure), clock.now())))

    @property
    def ident(self) -> int | None:
        return self._thread.ident

    def _run(self) -> None:
        running.runs_here(self)
        call_hooks("startup", self._startup)
        while (claim := self._feed.next()) is not None:
            self.claim, self.since = claim, clock.monotonic()
            self._slots.start(self.number, claim.seq, claim.claim)
            self._feed.end(self._executor.run(claim))
            # The slot says that it started; it may be cleared only when the ending is kept.
            if claim.at_most_once and not self._feed.flush_for_sure():
                break
            self._slots.clear(self.number)
            self.claim = None
            self.done += 1
            if self.overdue or self.done == self._max_tasks:
                break
        call_hooks("shutdown", self._shutdown)
        self._executor.leave()
        self._over = True
        self._left()


def call_hooks(when: str, hooks: Iterable[tuple[str, Hook]]) -> None:
    """Call the hooks of a worker's begin or end; one that raises stops nobody."""
    for name, hook in hooks:
        try:
            hook()
        except BaseException:
            logger.exception("%s hook %s failed", when, name)
