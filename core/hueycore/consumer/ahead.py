"""The exchange that is under way while the workers run jobs.

Jobs that take microseconds wait for the storage longer than they run, and a server has nothing to
do meanwhile. So the next group is asked for while they run the one at hand, by the thread that has
claimed it: a thread that waits for the answer, and reads it, would compete for the interpreter.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from hueycore.consumer.pace import AHEAD, Load, Pace, weight
from hueycore.model.jobs import Claim, Exchange, Want
from hueycore.runs.finished import Finished
from hueycore.storage.protocol.workers import Workers


class Sent(NamedTuple):
    """An exchange that commits these endings, and how to wait for its answer."""

    batch: list[Finished]
    receive: Callable[[], Exchange]


class Ahead:
    """At most one exchange; who uses it holds the lock of the feed."""

    def __init__(self, storage: Workers, worker: int, pace: Pace, load: Load) -> None:
        self._storage, self._worker = storage, worker
        self._pace, self._load = pace, load
        self.sent: Sent | None = None

    def send(self, claims: deque[Claim], batch: list[Finished]) -> bool:
        """Commit these endings and ask for as many quick jobs as may wait beside these ones; False
        when that is not worth it. Raises ``StorageError`` and others."""
        if not self._storage.overlaps or len(claims) < AHEAD:
            return False
        at_hand = sum(len(claim.payload or b"") for claim in claims.copy())
        room = self._load.bytes - at_hand - sum(map(weight, batch))
        if room < 0:
            return False
        self._pace.learn(batch)
        # No suspect: it would be in the hands of a process that runs others.
        want = Want(0, self._pace.quick, False, False, bytes=room)
        endings = [done.ended for done in batch]
        self.sent = Sent(batch, self._storage.send_exchange(self._worker, endings, want))
        return True

    def receive(self, commit: Callable[[list[Finished], Callable[[], Exchange]], bool]) -> bool:
        """Take in what was sent, if anything was. False when ``commit`` has failed: the answer is
        lost, and the next exchange gives it."""
        sent, self.sent = self.sent, None
        if sent is None or commit(*sent):
            return True
        endings = [done.ended for done in sent.batch]
        repeat = partial(self._storage.exchange, self._worker, endings, Want(0))
        self.sent = Sent(sent.batch, repeat)
        return False
