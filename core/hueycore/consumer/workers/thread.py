"""Thread workers, the default. A plain run cannot be stopped from outside; a coroutine can."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

from hueycore.consumer.outbox import OnCommit
from hueycore.consumer.workers.worker import Parts, Worker, call_hooks
from hueycore.model.jobs import Claim
from hueycore.runs.coroutines import LoopPerThread
from hueycore.runs.executor import Executor
from hueycore.system import native

if TYPE_CHECKING:
    from hueycore.api import Huey
    from hueycore.consumer.workers.timeouts import Timeouts


class ThreadKind:
    def __init__(self, huey: Huey, timeouts: Timeouts) -> None:
        self.coroutines = LoopPerThread()
        self.executor = Executor(huey, timeouts, self.coroutines, timeouts.is_stopping)
        #: The threads of the workers that have not left.
        self.threads: set[int] = set()

    def open(self, parts: Parts) -> None:
        self._parts = parts

    def make(self, number: int, on_left: Callable[[], None]) -> Worker:
        return ThreadWorker(number, self._parts, on_left, self)

    def is_inside(self) -> bool:
        return native.get_ident() in self.threads

    def relay(self, on_commit: OnCommit) -> OnCommit:
        return on_commit

    def close(self) -> None:
        pass


class ThreadWorker(Worker):
    """One thread, one slot."""

    def __init__(
        self, number: int, parts: Parts, on_left: Callable[[], None], kind: ThreadKind
    ) -> None:
        super().__init__(number, parts, on_left)
        self._kind = kind
        self._over = False
        self._thread = native.Thread(self._run, f"huey-worker-{number + 1}")

    def start(self) -> None:
        self._thread.start()

    def alive(self) -> bool:
        return self._thread.is_alive() and not self._over

    def join(self, timeout: float) -> None:
        self._thread.join(timeout)

    @property
    def owner(self) -> Hashable:
        return self._thread.ident

    def stop(self, claim: Claim, error: type[BaseException]) -> bool:
        thread = self._thread.ident
        return thread is not None and self._kind.coroutines.stop(
            thread, error, lambda: self.claim is claim
        )

    def _run(self) -> None:
        thread = native.get_ident()
        self._kind.threads.add(thread)
        try:
            self._work()
        except BaseException as error:  # thrown into this thread, between two jobs
            self.log_death(error)
        finally:
            self._kind.executor.leave()
            self._kind.threads.discard(thread)
            self._over = True
            self._on_left()

    def _work(self) -> None:
        feed, run = self.parts.feed, self._kind.executor.run
        call_hooks("startup", self.parts.startup)
        while (claim := feed.next(self.rest)) is not None:
            self.begin(claim)
            feed.hand_in(run(claim))
            # The slot shows that the job has started. It is left only when the ending is kept.
            if claim.at_most_once and not feed.flush_for_sure():
                break
            if not self.end():
                break
        feed.flush()
        self.rest()
        call_hooks("shutdown", self.parts.shutdown)
