"""Greenlets in the hub of the thread that starts the consumer: thousands of jobs that wait in plain
code, which gevent has patched.

Only they run in the hub, with what the application hangs on their runs and endings. The feed, the
scheduler, the janitor and the time limits are native threads. Coroutines run on one loop in another
native thread, because a thread can have one running loop only.
"""

from __future__ import annotations

import logging
import math
import threading
from collections import deque
from collections.abc import Callable, Hashable
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from hueycore.consumer.feed import Teller
from hueycore.consumer.health import PULSE
from hueycore.consumer.workers.handover import Handover
from hueycore.consumer.workers.loop import JobLoop, SharingRun
from hueycore.consumer.workers.threads import Threads
from hueycore.consumer.workers.worker import Parts, Worker, call_hooks
from hueycore.exceptions import ConfigurationError, TaskTimeout
from hueycore.model.jobs import Claim, Exchange
from hueycore.runs.coroutines import Call
from hueycore.runs.executor import Executor, Finished
from hueycore.system import clock, native

try:
    import gevent
    from gevent.hub import Waiter
except ImportError as error:
    raise ConfigurationError(
        "greenlet workers need gevent: pip install hueyctl[greenlet]"
    ) from error

if TYPE_CHECKING:
    from hueycore.api import Huey
    from hueycore.consumer.workers.timeouts import Limiter
    from hueycore.consumer.workers.timeouts import Run as Watched

T = TypeVar("T")
logger = logging.getLogger("hueycore.consumer")

#: Seconds that a worker goes from job to job before it lets the others run.
TURN = 0.01


class GreenletKind:
    def __init__(self, huey: Huey, limiter: Limiter) -> None:
        if not (native.is_patched("threading") and native.is_patched("time")):
            raise ConfigurationError(
                "greenlet workers need gevent.monkey.patch_all() before the application is "
                "imported: `hueyctl consume -k greenlet` does it, a program of yours must begin "
                "with it"
            )
        self.threads = Threads("huey-thread")
        self.executor = Executor(huey, HubLimiter(limiter), LoopBeside(self))
        #: The greenlets that run what is the application's.
        self.inside: set[gevent.Greenlet] = set()
        self._calls: deque[Callable[[], object]] = deque()

    def open(self, parts: Parts) -> None:
        self._parts = parts
        self.hub = gevent.get_hub()
        # Not run_callback_threadsafe: it counts in the loop what the loop's own thread counts at
        # the same time, without the interpreter's lock; a loop that has lost count ends too early.
        self._bell = self.hub.loop.async_()
        self._bell.start(self._call_all)
        self._timer = self.hub.loop.timer(0.0, PULSE)
        self._timer.start(self._pulse)
        self.handover = Handover(parts.feed, self.call)
        self.handover.start()

    def _pulse(self) -> None:
        self._parts.beat("gevent hub", PULSE)

    def beat(self, pause: float) -> None:
        """The loop beside the hub does."""
        self._parts.beat("event loop", pause)

    def call(self, what: Callable[[], object]) -> None:
        """Have it called in the hub, from any thread."""
        self._calls.append(what)
        self._bell.send()

    def _call_all(self) -> None:
        for _ in range(len(self._calls)):
            try:
                self._calls.popleft()()
            except Exception:
                logger.exception("a call in the hub failed")
        if self._calls:
            self._bell.send()  # what has come meanwhile, after what else the hub has to do

    def make(self, number: int, left: Callable[[], None]) -> Worker:
        return GreenletWorker(number, self._parts, left, self)

    def is_inside(self) -> bool:
        return gevent.getcurrent() in self.inside

    def telling(self, tell: Teller) -> Teller:
        def tell_in_hub(got: Exchange, finished: list[Finished]) -> None:
            told = native.Event()

            def work() -> None:
                self.inside.add(gevent.getcurrent())
                try:
                    tell(got, finished)
                finally:
                    self.inside.discard(gevent.getcurrent())
                    told.set()

            self.call(partial(gevent.spawn, work))
            told.wait()

        return tell_in_hub

    def in_thread(self, call: Callable[[], T]) -> T:
        """Wait for a thread while the other greenlets go on."""
        waiter = Waiter(self.hub)
        self.threads.run(lambda: self.call(partial(waiter.switch, call())))
        value: T = waiter.get()
        return value

    def close(self) -> None:
        self._timer.close()
        self._parts.beat("gevent hub", math.inf)
        if not self.inside:
            self.executor.leave()
            self.threads.close()
            self._bell.close()


class GreenletWorker(Worker):
    """One slot: a greenlet that runs one job after the other."""

    def __init__(
        self, number: int, parts: Parts, left: Callable[[], None], kind: GreenletKind
    ) -> None:
        super().__init__(number, parts, left)
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
        """In the hub, so the greenlet waits for something; of user code's if it runs a job."""
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
            self.begins(claim)
            feed.end(self._execute(claim))
            if claim.at_most_once and not self._kind.in_thread(feed.flush_for_sure):
                break
            if not self.ended():
                break
            if clock.monotonic() > turn:
                gevent.sleep(0)
                turn = clock.monotonic() + TURN
        call_hooks("shutdown", self.parts.shutdown)

    def _leave(self, greenlet: gevent.Greenlet) -> None:
        """In the hub, however it ended."""
        if isinstance(greenlet.value, gevent.GreenletExit):
            self.died_of(greenlet.value)
        elif greenlet.exception is not None:
            self.died_of(greenlet.exception)
        self._left()

    def _ask(self) -> Claim | None:
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


class _Limit:
    """One run under a time limit. Whether it helped is seen by a thread, for which it need not
    let others run."""

    def __init__(self, timeout: float, grace: float) -> None:
        self.timeout, self.grace = timeout, grace
        self.timer = gevent.Timeout(timeout, TaskTimeout)
        self.watched: Watched | None = None


class HubLimiter:
    """Time limits by the hub: the exception comes wherever the run waits."""

    every_run = False

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter

    def prepare(self, timeout: float, grace: float) -> _Limit:
        return _Limit(timeout, grace)

    def arm(self, run: _Limit) -> None:
        run.watched = self._limiter.watch(gevent.getcurrent(), run.timeout, run.grace)
        run.timer.start()

    def on_cancel(self, run: _Limit) -> None:
        run.timer.close()

    def disarm(self, run: _Limit) -> None:
        run.timer.close()
        if run.watched is not None:
            self._limiter.unwatch(run.watched)


class LoopBeside:
    """Coroutines on a loop in a thread of its own, for which the greenlets wait."""

    def __init__(self, kind: GreenletKind) -> None:
        self._kind = kind
        self._loop: JobLoop | None = None

    def prepare(self) -> None:
        if self._loop is None:
            self._loop = JobLoop("huey-loop", self._kind.threads, self._kind.beat)
            self._loop.start()

    def run(self, call: Call, timeout: float | None, on_timeout: Callable[[], None]) -> Any:
        loop, hub_call = self._loop, self._kind.call
        assert loop is not None
        run = SharingRun(call, timeout, lambda: hub_call(on_timeout))
        context = copy_context()
        waiter = Waiter(self._kind.hub)

        def begin() -> None:
            task = loop.begin(run, context)
            task.add_done_callback(lambda task: hub_call(partial(waiter.switch, None)))

        loop.call(begin)
        while True:
            try:
                waiter.get()
                return run.outcome()
            except BaseException as error:
                if run.over:
                    raise
                # Thrown in: its time is up, or it shall stop. The coroutine ends first.
                loop.call(partial(run.stop, type(error)))

    def stop(self, thread: int, error: type[BaseException], wanted: Callable[[], bool]) -> bool:
        return False  # the greenlets are stopped, and stop their coroutines

    def leave(self) -> None:
        if self._loop is not None:
            self._loop.stop()
            self._loop = None
