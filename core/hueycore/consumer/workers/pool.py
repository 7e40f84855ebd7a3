"""The workers of one consumer: started, replaced when they are gone, stopped, waited for."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Sequence

from hueycore.constants import MAX_WORKERS
from hueycore.consumer.workers.worker import Worker
from hueycore.model.jobs import Claim
from hueycore.runs.timeouts import AskedToStop
from hueycore.system import clock, native

logger = logging.getLogger("hueycore.consumer")

#: Seconds between two looks for running jobs that were asked to stop.
ASK_INTERVAL = 0.5


class Pool:
    """``size`` workers, and a spare for each one that hangs in a job.

    ``make(number, on_left)`` builds a worker that calls ``on_left`` when it leaves by itself;
    numbers are below ``2 * size``. ``on_exhausted`` is called when more hang than there are spares.
    """

    def __init__(
        self,
        size: int,
        make: Callable[[int, Callable[[], None]], Worker],
        on_exhausted: Callable[[], None],
    ) -> None:
        self.size = size
        self._numbers = min(2 * size, MAX_WORKERS)
        self._make = make
        self._on_exhausted = on_exhausted
        self._workers: list[Worker] = []
        self._closed = False
        self._lock = native.Lock()

    @property
    def members(self) -> list[Worker]:
        return list(self._workers)

    def check(self) -> None:
        """Replace workers that are gone or hang."""
        with self._lock:
            if self._closed:
                return
            gone = [worker for worker in self._workers if not worker.alive()]
            self._workers = [worker for worker in self._workers if worker not in gone]
            for worker in gone:
                worker.clean_up()
            hanging = sum(worker.overdue for worker in self._workers)
            if self.size + hanging <= self._numbers:
                self._fill(self.size + hanging)
                return
        self._on_exhausted()

    def _fill(self, size: int) -> None:
        taken = {worker.number for worker in self._workers}
        free = (number for number in range(self._numbers) if number not in taken)
        while len(self._workers) < size:
            worker = self._make(next(free), self.check)
            try:
                worker.start()
            except RuntimeError as error:
                logger.error("worker %d cannot be started: %s", worker.number + 1, error)
                return  # the next check tries again
            self._workers.append(worker)

    def note_overdue(self, owner: Hashable) -> None:
        """A job goes on after its timeout."""
        for worker in self.members:
            if worker.owner == owner:
                worker.overdue = True
                logger.error(
                    "job %s ignores its timeout; another worker takes its place",
                    worker.claim.seq if worker.claim else "?",
                )
        self.check()

    def close(self) -> None:
        """No worker is replaced from now on."""
        with self._lock:
            self._closed = True

    def stop_revoked(self, cancel_requested: Callable[[Sequence[int]], list[int]]) -> float:
        """Stop those of the running jobs that ``cancel_requested`` returns; seconds until the next
        look."""
        running = {claim.seq: (worker, claim) for worker, claim in self._runs()}
        for seq in cancel_requested(list(running)) if running else ():
            worker, claim = running[seq]
            worker.stop(claim, AskedToStop)
        return ASK_INTERVAL

    def stop_all(self) -> int:
        """Stop the running jobs; how many of them can be stopped."""
        return sum(worker.stop(claim, KeyboardInterrupt) for worker, claim in self._runs())

    def wait(self, timeout: float | None, interrupted: Callable[[], bool]) -> None:
        """Until all are gone, ``timeout`` seconds have passed or ``interrupted`` returns True."""
        deadline = None if timeout is None else clock.monotonic() + timeout
        for worker in self._workers:
            while worker.alive():
                left = 0.05 if deadline is None else min(0.05, deadline - clock.monotonic())
                if left <= 0 or interrupted():
                    deadline = clock.monotonic()
                    # A worker that is just leaving is not counted as running.
                    worker.join(0 if worker.claim else 0.05)
                    break
                worker.join(left)

    def running(self) -> list[Claim]:
        """The claims that the workers are inside of."""
        return [claim for _, claim in self._runs()]

    def count(self) -> tuple[int, int]:
        """How many are inside a job, and how many of these are overdue."""
        busy = self._runs()
        return len(busy), sum(worker.overdue for worker, _ in busy)

    def _runs(self) -> list[tuple[Worker, Claim]]:
        return [
            (worker, claim)
            for worker in self.members
            if (claim := worker.claim) is not None and worker.alive()
        ]
