"""The hub: what its greenlets share, and how other threads call into it."""

from __future__ import annotations

import logging
import math
import os
import weakref
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import gevent
from gevent.hub import Hub, Waiter, set_hub

from hueycore.consumer.health import BEAT_INTERVAL
from hueycore.consumer.outbox import OnCommit
from hueycore.consumer.workers.greenlet.coroutines import LoopBeside
from hueycore.consumer.workers.greenlet.timeouts import HubTimeouts
from hueycore.consumer.workers.greenlet.worker import GreenletWorker
from hueycore.consumer.workers.handover import Handover
from hueycore.consumer.workers.threads import Threads
from hueycore.consumer.workers.worker import Parts, Worker
from hueycore.exceptions import ConfigurationError
from hueycore.model.jobs import Exchange
from hueycore.runs.executor import Executor
from hueycore.runs.finished import Finished
from hueycore.system import native

if TYPE_CHECKING:
    from hueycore.api import Huey
    from hueycore.consumer.workers.timeouts import Timeouts

T = TypeVar("T")
logger = logging.getLogger("hueycore.consumer")

_kinds: weakref.WeakSet[GreenletKind] = weakref.WeakSet()
#: Those of a parent. Kept, because a hub that is collected runs once more.
_theirs: set[GreenletKind] = set()


class GreenletKind:
    def __init__(self, huey: Huey, timeouts: Timeouts) -> None:
        if not (native.is_patched("threading") and native.is_patched("time")):
            raise ConfigurationError(
                "greenlet workers need gevent.monkey.patch_all() before the application is "
                "imported: `hueyctl consume -k greenlet` does it, a program of yours must begin "
                "with it"
            )
        self.threads = Threads("huey-thread")
        self.executor = Executor(
            huey, HubTimeouts(timeouts), LoopBeside(self), timeouts.is_stopping
        )
        #: The greenlets that run code of the application.
        self.inside: set[gevent.Greenlet] = set()
        self._calls: deque[Callable[[], object]] = deque()

    def open(self, parts: Parts) -> None:
        self._parts = parts
        self.hub = gevent.get_hub()
        self._thread = native.get_ident()
        _kinds.add(self)
        # Not run_callback_threadsafe: it changes a count of the loop that the loop's own thread
        # changes at the same time, without the interpreter's lock. A loop with a wrong count ends
        # too early.
        self._bell = self.hub.loop.async_()
        self._bell.start(self._call_all)
        self._timer = self.hub.loop.timer(0.0, BEAT_INTERVAL)
        self._timer.start(self._beat)
        self.handover = Handover(parts.feed, self.call)
        self.handover.start()

    def _beat(self) -> None:
        self._parts.on_beat("gevent hub", BEAT_INTERVAL)

    def on_loop_beat(self, pause: float) -> None:
        """Called by the loop beside the hub."""
        self._parts.on_beat("event loop", pause)

    def call(self, what: Callable[[], object]) -> None:
        """Have ``what`` called in the hub, from any thread."""
        self._calls.append(what)
        self._bell.send()

    def _call_all(self) -> None:
        for _ in range(len(self._calls)):
            try:
                self._calls.popleft()()
            except Exception:
                logger.exception("a call in the hub failed")
        if self._calls:
            self._bell.send()  # later calls wait until the hub has done its other work

    def make(self, number: int, on_left: Callable[[], None]) -> Worker:
        return GreenletWorker(number, self._parts, on_left, self)

    def is_inside(self) -> bool:
        return gevent.getcurrent() in self.inside

    def relay(self, on_commit: OnCommit) -> OnCommit:
        def in_hub(got: Exchange, finished: list[Finished]) -> None:
            done = native.Event()

            def work() -> None:
                self.inside.add(gevent.getcurrent())
                try:
                    on_commit(got, finished)
                finally:
                    self.inside.discard(gevent.getcurrent())
                    done.set()

            self.call(partial(gevent.spawn, work))
            done.wait()

        return in_hub

    def in_thread(self, call: Callable[[], T]) -> T:
        """Wait for a thread while the other greenlets go on."""
        waiter = Waiter(self.hub)
        self.threads.run(lambda: self.call(partial(waiter.switch, call())))
        value: T = waiter.get()
        return value

    def leave_to_parent(self) -> None:
        """In a child that a greenlet has forked: the other greenlets are its parent's, so what the
        child waits for is waited for in a hub that does not know them."""
        if self._thread == native.get_ident():
            # Not ``hub.destroy``, which would let the main greenlet run.
            self.hub.loop.destroy()
            set_hub(Hub())

    def close(self) -> None:
        _kinds.discard(self)
        self._timer.close()
        self._parts.on_beat("gevent hub", math.inf)
        if not self.inside:
            self.executor.leave()
            self.threads.close()
            self._bell.close()


def _in_child() -> None:
    for kind in list(_kinds):
        kind.leave_to_parent()
    _theirs.update(_kinds)
    _kinds.clear()


os.register_at_fork(after_in_child=_in_child)
