"""What was committed, on its way to the receivers of signals."""

from __future__ import annotations

import logging
from collections.abc import Callable

from hueycore.consumer.pace import weight
from hueycore.model.jobs import EXCHANGE_BYTES, Exchange
from hueycore.runs.finished import Finished
from hueycore.system import native

logger = logging.getLogger("hueycore.consumer")

#: Commits that may wait before the workers have to, and bytes of their arguments and results.
LIMIT = 100
LIMIT_BYTES = 4 * EXCHANGE_BYTES

#: Called with the answer of an exchange and the runs whose endings it wrote.
OnCommit = Callable[[Exchange, list[Finished]], None]


class Outbox:
    """Calls ``on_commit`` in the order of the commits and in a thread of its own, so that no
    receiver keeps claims from workers or endings from the storage."""

    def __init__(self, on_commit: OnCommit) -> None:
        self._on_commit = on_commit
        self._commits: native.SimpleQueue[tuple[Exchange, list[Finished]] | None] = (
            native.SimpleQueue()
        )
        self._thread = native.Thread(self._run, "huey-signals")
        #: Bytes that came in and went out; each number has one thread that changes it.
        self._came = self._went = 0

    def start(self) -> None:
        self._thread.start()

    def put(self, got: Exchange, finished: list[Finished]) -> None:
        self._came += _size(finished)
        self._commits.put((got, finished))

    def is_full(self) -> bool:
        return self._commits.qsize() > LIMIT or self._came - self._went > LIMIT_BYTES

    def is_thread(self, ident: int) -> bool:
        """Whether this is the thread that calls receivers."""
        return self._thread.ident == ident

    def close(self) -> None:
        """Wait a moment for the calls that are left."""
        self._commits.put(None)
        self._thread.join(10)

    def _run(self) -> None:
        while (commit := self._commits.get()) is not None:
            try:
                self._on_commit(*commit)
            except BaseException:
                logger.exception("signals could not be sent")
            self._went += _size(commit[1])


def _size(finished: list[Finished]) -> int:
    return sum(len(done.ended.claim.payload or b"") + weight(done) for done in finished)
