"""From the feed to the workers of a loop: a thread waits for claims, so that the loop does not."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable

from hueycore.consumer.feed import CLAIM_AGE, Feed
from hueycore.model.jobs import Claim
from hueycore.system import clock, native

logger = logging.getLogger("hueycore.consumer")

#: A job that blocks the loop for more seconds is logged.
BLOCKED = 1.0

Answer = Callable[[Claim | None], object]


class Handover:
    """``call(f)`` has ``f`` called on the loop, from any thread. All methods but ``start`` are
    called on the loop."""

    def __init__(self, feed: Feed, call: Callable[[Callable[[], object]], object]) -> None:
        self._feed = feed
        self._call = call
        self._idle: deque[Answer] = deque()
        self._closed = False
        #: Idle workers minus claims already on their way to them. Guarded by the condition.
        self._free = 0
        self._batch: list[Claim] | None = None
        self._changed = native.Condition()
        self._thread = native.Thread(self._serve, "huey-feeder")

    def start(self) -> None:
        self._thread.start()

    def ask(self, answer: Answer) -> None:
        """A worker is idle: ``answer`` is called with its next job, None when it has to leave."""
        if self._closed:
            answer(None)
            return
        self._idle.append(answer)
        with self._changed:
            self._free += 1
            self._changed.notify()
        self._feed.one_more()

    def forget(self, answer: Answer) -> None:
        """The worker that asked is gone. A claim that is on its way to it is given back."""
        if answer in self._idle:
            self._idle.remove(answer)

    def _serve(self) -> None:
        while True:
            with self._changed:
                while not self._free:
                    self._changed.wait()
            claims = self._feed.take(lambda: self._free)
            if not claims:
                break
            with self._changed:
                self._free -= len(claims)
                self._batch = claims
            self._call(self._deliver)
            self._wait_for_delivery()
        self._call(self._close)

    def _wait_for_delivery(self) -> None:
        """One batch at a time. A job that blocks the loop keeps no claims but its own."""
        with self._changed:
            left = -1
            while self._batch is not None and left != len(self._batch):
                left = len(self._batch)
                self._changed.wait(CLAIM_AGE)
            if self._batch is None:
                return
            late, self._batch = self._batch, []
            self._free += len(late)
        since = clock.monotonic() - CLAIM_AGE
        self._feed.give_back(late)
        with self._changed:
            while self._batch is not None:
                self._changed.wait()
        blocked = clock.monotonic() - since
        if blocked > BLOCKED:
            logger.warning("a job let no other run for %.1f s", blocked)

    def _deliver(self) -> None:
        """Deliver one claim per call on the loop, because its job may block the loop."""
        with self._changed:
            claim = self._batch.pop(0) if self._batch else None
            is_last = not self._batch
            if is_last:
                self._batch = None
                self._changed.notify()
        if claim is not None and self._feed.closed:
            self._feed.give_back([claim])
            with self._changed:  # its worker still waits for an answer
                self._free += 1
                self._changed.notify()
        elif claim is not None and self._idle:
            self._idle.popleft()(claim)
        elif claim is not None:
            self._feed.give_back([claim])  # its worker is gone
        if not is_last:
            self._call(self._deliver)

    def _close(self) -> None:
        self._closed = True
        while self._idle:
            self._idle.popleft()(None)
