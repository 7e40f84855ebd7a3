"""The thread workers of one consumer: begun, replaced when they are gone, waited for."""

from __future__ import annotations

import logging
from collections.abc import Callable

from hueycore import clock, native
from hueycore.consumer.workers.thread import ThreadWorker

logger = logging.getLogger("hueycore.consumer")


class Crew:
    """As many threads as there are workers, and for each one that hangs in a job a spare.

    ``make(number, left)`` builds a worker that calls ``left`` when it leaves by itself; numbers are
    below ``2 * size``. ``give_up`` is called when more than ``size`` threads hang.
    """

    def __init__(
        self,
        size: int,
        make: Callable[[int, Callable[[], None]], ThreadWorker],
        give_up: Callable[[], None],
    ) -> None:
        self.size = size
        self._make = make
        self._give_up = give_up
        self._workers: list[ThreadWorker] = []
        self._closed = False
        self._lock = native.Lock()

    def check(self) -> None:
        """Replace workers that are gone or hang."""
        with self._lock:
            if self._closed:
                return
            for worker in [worker for worker in self._workers if not worker.alive()]:
                self._workers.remove(worker)
                worker.bury()
            hanging = sum(worker.overdue for worker in self._workers)
            if hanging <= self.size:
                for _ in range(self.size + hanging - len(self._workers)):
                    self._add()
                return
        self._give_up()

    def _add(self) -> None:
        taken = {worker.number for worker in self._workers}
        number = next(n for n in range(2 * self.size) if n not in taken)
        worker = self._make(number, self.check)
        self._workers.append(worker)
        worker.start()

    def note_overdue(self, thread: int) -> None:
        """The job of a thread goes on after its timeout."""
        for worker in list(self._workers):
            if worker.ident == thread:
                worker.overdue = True
                logger.error(
                    "job %s ignores its timeout; another thread takes its place",
                    worker.claim.seq if worker.claim else "?",
                )
        self.check()

    def close(self) -> None:
        """From now on nobody is replaced."""
        with self._lock:
            self._closed = True

    def wait(self, timeout: float | None, interrupted: Callable[[], bool]) -> None:
        """Until all are gone, ``timeout`` seconds have passed or ``interrupted`` says so."""
        deadline = None if timeout is None else clock.monotonic() + timeout
        for worker in self._workers:
            while worker.alive():
                left = 0.05 if deadline is None else min(0.05, deadline - clock.monotonic())
                if left <= 0 or interrupted():
                    deadline = clock.monotonic()
                    # One that is just leaving is not counted as running.
                    worker.join(0 if worker.claim else 0.05)
                    break
                worker.join(left)

    def is_member(self, thread: int) -> bool:
        return any(worker.ident == thread and worker.alive() for worker in self._workers)

    def count(self) -> tuple[int, int]:
        """How many are inside a job, and how many of these are overdue."""
        busy = self.running()
        return len(busy), sum(worker.overdue for worker in busy)

    def running(self) -> list[ThreadWorker]:
        """The workers that are inside a job."""
        workers = list(self._workers)
        return [worker for worker in workers if worker.alive() and worker.claim is not None]
