"""One slot: a greenlet that runs one job after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from functools import partial
from typing import TYPE_CHECKING

import gevent
from gevent.hub import Waiter

from hueycore.consumer.workers.worker import Parts, Worker, call_hooks
from hueycore.model.jobs import Claim
from hueycore.runs.finished import Finished
from hueycore.system import clock

if TYPE_CHECKING:
    from hueycore.consumer.workers.greenlet.kind import GreenletKind

#: Seconds that a worker goes from job to job before it lets the others run.
TURN = 0.01


class GreenletWorker(Worker):
    def __init__(
        self, number: int, parts: Parts, on_left: Callable[[], None], kind: GreenletKind
    ) -> None:
        super().__init__(number, parts, on_left)
        self._kind = kind
        self._running = False
        self._greenlet = gevent.Greenlet(self._run)
        self._greenlet.link(self._leave)

    def start(self) -> None:
        self._kind.call(self._greenlet.start)

    def alive(self) -> bool:
        return not self._greenlet.dead

    def join(self, timeout: float) -> None:
        self._greenlet.join(timeout)

    @property
    def owner(self) -> Hashable:
        greenlet: Hashable = self._greenlet
        return greenlet

    def stop(self, claim: Claim, error: type[BaseException]) -> bool:
        self._kind.call(partial(self._stop_now, claim, error))
        return True

    def _stop_now(self, claim: Claim, error: type[BaseException]) -> None:
        """Called in the hub, so the greenlet waits: in user code, if it runs a job."""
        if self.claim is claim and self._running:
            self._greenlet.throw(error)

    def _run(self) -> None:
        self._kind.inside.add(self._greenlet)
        try:
            self._work()
        finally:
            self._kind.inside.discard(self._greenlet)

    def _work(self) -> None:
        feed = self.parts.feed
        threading.current_thread().name = f"huey-worker-{self.number + 1}"  # for log records
        call_hooks("startup", self.parts.startup)
        turn = clock.monotonic() + TURN
        while (claim := feed.poll() or self._ask()) is not None:
            self.begin(claim)
            feed.end(self._execute(claim))
            if claim.at_most_once and not self._kind.in_thread(feed.flush_for_sure):
                break
            if not self.end():
                break
            if clock.monotonic() > turn:
                gevent.sleep(0)
                turn = clock.monotonic() + TURN
        self.rest()
        call_hooks("shutdown", self.parts.shutdown)

    def _leave(self, greenlet: gevent.Greenlet) -> None:
        """Called in the hub, however the greenlet ended."""
        if isinstance(greenlet.value, gevent.GreenletExit):
            self.log_death(greenlet.value)
        elif greenlet.exception is not None:
            self.log_death(greenlet.exception)
        self._on_left()

    def _ask(self) -> Claim | None:
        self.rest()
        waiter = Waiter(self._kind.hub)
        answer = waiter.switch
        self._kind.handover.ask(answer)
        try:
            claim: Claim | None = waiter.get()
        except BaseException:  # killed meanwhile
            self._kind.handover.forget(answer)
            raise
        return claim

    def _execute(self, claim: Claim) -> Finished:
        self._running = True
        try:
            return self._kind.executor.run(claim)
        finally:
            self._running = False
