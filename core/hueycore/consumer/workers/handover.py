"""From the feed to the workers of a loop: a thread waits for claims, so that the loop need not."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable

from hueycore import clock, native
from hueycore.consumer.feed import CLAIM_AGE, Feed
from hueycore.storage.base import Claim

logger = logging.getLogger("hueycore.consumer")

#: Seconds after which a loop that did not turn is worth a word.
BLOCKED = 1.0

Answer = Callable[[Claim | None], object]


class Handover:
    """``call(f)`` has ``f`` called on the loop, from any thread; all else but ``start`` is called
    on the loop."""

    def __init__(self, feed: Feed, call: Callable[[Callable[[], object]], object]) -> None:
        self._feed = feed
        self._call = call
        self._idle: deque[Answer] = deque()
        self._dismissed = False
        #: Under the condition: idle workers, without those for whom is what is on its way.
        self._free = 0
        self._parcel: list[Claim] | None = None
        self._changed = native.Condition()
        self._thread = native.Thread(self._serve, "huey-feeder")

    def start(self) -> None:
        self._thread.start()

    def ask(self, answer: Answer) -> None:
        """A worker is idle: ``answer`` is called with its next job, None when it shall leave."""
        if self._dismissed:
            answer(None)
            return
        self._idle.append(answer)
        with self._changed:
            self._free += 1
            self._changed.notify()
        self._feed.one_more()

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
                self._parcel = claims
            self._call(self._deliver)
            self._wait_for_delivery()
        self._call(self._dismiss)

    def _wait_for_delivery(self) -> None:
        """One parcel at a time. A job that blocks the loop keeps its own claim and no others."""
        with self._changed:
            if self._parcel is not None:
                self._changed.wait(CLAIM_AGE)
            late, self._parcel = self._parcel, None if self._parcel is None else []
            self._free += len(late or ())
        if not late:
            return
        self._feed.give_back(late)
        since = clock.monotonic() - CLAIM_AGE
        with self._changed:
            while self._parcel is not None:
                self._changed.wait()
        blocked = clock.monotonic() - since
        if blocked > BLOCKED:
            logger.warning("a job let no other run for %.1f s", blocked)

    def _deliver(self) -> None:
        with self._changed:
            claims, self._parcel = self._parcel or [], None
            self._changed.notify()
        if self._feed.closed:
            self._feed.give_back(claims)
            return  # everybody is about to be dismissed
        for claim in claims:
            self._idle.popleft()(claim)

    def _dismiss(self) -> None:
        self._dismissed = True
        while self._idle:
            self._idle.popleft()(None)
