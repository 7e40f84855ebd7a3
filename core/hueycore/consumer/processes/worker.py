"""A worker process. Its main thread runs the jobs one by one, so that signals can interrupt them;
the feed has threads of its own."""

from __future__ import annotations

import logging
import math
import os
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from hueycore.constants import WORKER_PROCESS
from hueycore.consumer import switch
from hueycore.consumer.feed import Feed
from hueycore.consumer.notices import send_signals
from hueycore.consumer.processes.channel import Cell, Channel
from hueycore.consumer.processes.child import FAILED, GAVE_BACK, LEFT, Orders, pass_on
from hueycore.consumer.processes.heartbeat import Heartbeat
from hueycore.consumer.processes.timeouts import MainThreadTimeouts
from hueycore.consumer.service import Service
from hueycore.consumer.unixsignals import Signals
from hueycore.consumer.workers.worker import call_hooks
from hueycore.exceptions import StorageError
from hueycore.model.jobs import Claim
from hueycore.runs.coroutines import LoopPerThread
from hueycore.runs.executor import Executor
from hueycore.system import clock

if TYPE_CHECKING:
    from hueycore.api import Huey

logger = logging.getLogger("hueycore.consumer")

#: Seconds between two looks whether the file is still the same.
VERIFY = 1.0


class ProcessWorker:
    """One process, one slot. ``run`` is its whole life, in the main thread. Orders, the feed and
    the limits have threads of their own.

    Orders are ``stop`` (end the job, take no other) and ``interrupt`` (end it now)."""

    def __init__(
        self,
        huey: Huey,
        name: str,
        cell: Cell,
        heartbeat: Heartbeat,
        *,
        max_tasks: int | None,
        shutdown_timeout: float | None,
    ) -> None:
        self._huey = huey
        self._name = name
        self._cell = cell
        self._heartbeat = heartbeat
        self._max_tasks = max_tasks
        self._shutdown_timeout = shutdown_timeout
        self._stopping = threading.Event()
        #: Held while a stop is noted: until then the storage stays open.
        self._noting = threading.Lock()
        self._interrupting = False
        self._gave_back = False
        #: The storage is gone for good; the supervisor logs it.
        self._broken = False
        self._verify_at = 0.0

    def run(self, channel: Channel, signals: Signals) -> int:
        huey, storage = self._huey, self._huey.storage
        threading.current_thread().name = f"huey-worker-{self._name.rpartition('/')[2]}"
        switch.shorten()
        huey.registry.detach()
        storage.leave_checkpoints_to_janitor()
        self._channel = channel
        self._worker = storage.register(name=self._name, kind=WORKER_PROCESS, slots=1)
        self._feed = Feed(
            storage,
            self._worker,
            on_commit=partial(send_signals, huey),
            on_news=lambda: None,
            on_fatal=self._on_storage_error,
            on_beat=self._on_feed_beat,
        )
        coroutines = LoopPerThread()
        self._timeouts = MainThreadTimeouts(self._cell, coroutines, self._is_to_be_interrupted)
        self._executor = Executor(huey, self._timeouts, coroutines, self._is_stopping)
        self._orders = Orders(channel, signals, self._on_order)
        self._heartbeat.on_trouble = partial(channel.send, "trouble")
        watch = self._heartbeat.follow("limits", self._watch)
        service = Service("huey-limits", watch, self._on_storage_error)
        self._timeouts.on_deadline = service.poke
        self._feed.start()
        service.start()
        self._orders.start()
        logger.debug("worker %s is process %d", self._name, os.getpid())
        call_hooks("startup", huey.startup_hooks.items())
        channel.send("ready")
        self._work()
        self._feed.flush()
        call_hooks("shutdown", huey.shutdown_hooks.items())
        self._executor.leave()
        service.stop()
        self._heartbeat.beat("limits", math.inf)
        return self._leave()

    def _work(self) -> None:
        slots = self._huey.storage.slots(self._worker)
        rest = partial(slots.clear, 0)
        done = 0
        while done != self._max_tasks and (claim := self._feed.next(rest)) is not None:
            slots.start(0, claim.seq, claim.claim)
            self._timeouts.begin(claim)
            if self._interrupting:
                self._timeouts.interrupt()  # the order came just before begin()
            finished = self._executor.run(claim)
            if self._timeouts.end() and self._interrupting:
                self._gave_back = True
            self._feed.hand_in(finished)
            # The slot shows that the job has started. It is left only when the ending is kept.
            if claim.at_most_once and not self._feed.flush_for_sure():
                break
            done += 1

    def _leave(self) -> int:
        with self._noting:
            self._stopping.set()  # an order that comes now finds nothing to stop
        self._feed.close()
        if not self._feed.leave():
            # Not unregistered: what has ended must not be taken for given back.
            if not self._broken:
                logger.error("%d endings could not be written", self._feed.unwritten)
            return FAILED
        try:
            self._huey.storage.unregister(self._worker)
            self._huey.close()
        except StorageError as error:
            self._report(error)
            return FAILED
        return GAVE_BACK if self._gave_back else LEFT

    def _on_order(self, order: str, rest: list[Any]) -> None:
        match order:
            case "stop" | "signal":
                self._stop()
            case "interrupt":
                self._interrupt()
            case "lost":
                logger.warning("worker %s has lost its supervisor and leaves", self._name)
                self._stop()
                if self._shutdown_timeout is not None:
                    timer = threading.Timer(self._shutdown_timeout, self._interrupt)
                    timer.daemon = True
                    timer.start()

    def _stop(self) -> None:
        with self._noting:
            if self._stopping.is_set():
                return
            self._stopping.set()
            self._feed.stop()
            try:
                self._huey.storage.stopping(self._worker)
            except StorageError as error:
                self._report(error)
            self._feed.close()

    def _interrupt(self) -> None:
        self._interrupting = True
        self._stop()
        self._timeouts.interrupt()

    def _on_feed_beat(self, pause: float) -> None:
        self._heartbeat.beat("feed", pause)
        self._cell.feed = (self._feed.held, self._feed.unwritten)
        self._heartbeat.set_trouble("feed", self._feed.trouble)

    def _watch(self) -> float:
        """Enforce the limits of the run; verify that file and side file are those that were opened.
        The maintenance process verifies too, but it may have begun after they were replaced."""
        pause = self._timeouts.step()
        if clock.monotonic() >= self._verify_at:
            self._verify_at = clock.monotonic() + VERIFY
            self._huey.storage.verify()
        return pause

    def _is_stopping(self) -> bool:
        return self._stopping.is_set() or self._timeouts.is_stopping()

    def _is_to_be_interrupted(self, claim: Claim) -> bool:
        return bool(self._huey.storage.cancel_requested([claim.seq], interrupt=True))

    def _on_storage_error(self, error: StorageError) -> None:
        self._report(error)
        if self._broken:
            self._orders.post("stop")

    def _report(self, error: StorageError) -> None:
        if pass_on(error, self._channel):
            self._broken = True
        else:
            logger.error("%s", error)
