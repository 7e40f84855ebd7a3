"""Boot, loop, shutdown. Each duty has its own file; this one starts and stops them in order."""

from __future__ import annotations

import logging
import math
import os
import signal
from collections.abc import Callable, Hashable
from functools import partial

from hueycore import signals as S
from hueycore.constants import WORKER_ASYNCIO, WORKER_GREENLET, WORKER_THREAD
from hueycore.consumer import switch
from hueycore.consumer.base import CLEAN_UP, BaseConsumer
from hueycore.consumer.drained import is_drained
from hueycore.consumer.feed import Feed
from hueycore.consumer.health import Health
from hueycore.consumer.notices import send_signals
from hueycore.consumer.service import Service
from hueycore.consumer.trouble import will_pass
from hueycore.consumer.workers import kind_of
from hueycore.consumer.workers.pool import Pool
from hueycore.consumer.workers.timeouts import Timeouts
from hueycore.consumer.workers.worker import Parts, Worker
from hueycore.exceptions import StorageError, StorageMoved, StorageTooNew
from hueycore.model.jobs import Claim, JobRef
from hueycore.system import clock, native
from hueycore.system.mask import masked

logger = logging.getLogger("hueycore.consumer")

#: Seconds between two looks of the main loop when nothing wakes it.
TICK = 1.0


class Consumer(BaseConsumer):
    """Runs the jobs of one queue in this process, with threads, greenlets or coroutines."""

    kinds = (WORKER_THREAD, WORKER_GREENLET, WORKER_ASYNCIO)

    def _set_up(self) -> None:
        self._timeouts = Timeouts(self._on_overdue, lambda: self._stopping is not None)
        self._kind = kind_of(self.worker_type, self.huey, self._timeouts)
        self._pool = Pool(self.workers, self._kind.make, self._on_exhausted)
        self.health = Health(self._pool, self._health_interval)
        self._worker: int | None = None
        self._services: list[Service] = []
        self._shutting_down = False

    @property
    def worker_threads(self) -> list[tuple[Worker, Worker]]:
        """Its workers, as Huey lists them: each with what it runs on, which here is one."""
        return [(worker, worker) for worker in self._pool.members]

    def start(self) -> None:
        if self._worker is not None or self._stopping is not None:
            return
        huey = self.huey
        storage = huey.storage
        self._prepare()
        storage.leave_checkpoints_to_janitor()
        worker = storage.register(
            name=self.name,
            kind=self.worker_type,
            slots=self.workers,
            declares=self.scheduler.declarations(),
        )
        self.scheduler.begin(worker)
        self._signals.open()
        self._feed = Feed(
            storage,
            worker,
            on_commit=self._kind.relay(partial(send_signals, huey)),
            on_news=self._on_news,
            on_fatal=self._on_storage_error,
            on_beat=partial(self.health.beat, "feed"),
            workers=self.workers,
        )
        self._worker = worker
        self._schedule_service = self._service("scheduler", self.scheduler.step)
        self._limits_service = self._service("limits", self._timeouts.step)
        self._timeouts.on_deadline = self._limits_service.poke
        stop_revoked = partial(self._pool.stop_revoked, storage.cancel_requested)
        self._services = [
            self._schedule_service,
            self._service("janitor", self.janitor.step),
            self._service("revoked", stop_revoked),
        ]
        switch.shorten()
        self._feed.start()
        for service in (*self._services, self._limits_service):
            service.start()
        hooks = list(huey.startup_hooks.items()), list(huey.shutdown_hooks.items())
        self._kind.open(
            Parts(self._feed, storage.slots(worker), *hooks, self.max_tasks, self.health.beat)
        )
        self._pool.check()
        self.health.running(self._feed)
        logger.info(
            "consumer %s, process %d: %d %s workers on %s, queue %s, %d tasks",
            self.name,
            os.getpid(),
            self.workers,
            self.worker_type,
            masked(storage.url),
            huey.name,
            len(huey.registry),
        )

    def _service(self, name: str, step: Callable[[], float]) -> Service:
        return Service(f"huey-{name}", self.health.follow(name, step), self._on_storage_error)

    def run(self) -> int:
        self._in_run = True
        self._set_signal_handlers()
        try:
            self.start()
            if self._worker is not None:
                self._loop()
                self._shut_down()
        finally:
            self._signals.uninstall()
            self._stopped.set()
        return self._leave()

    def _loop(self) -> None:
        started = last_check = clock.monotonic()
        end = math.inf if self.max_time is None else started + self.max_time
        while self._stopping is None:
            now = clock.monotonic()
            self.health.beat("main loop", TICK)
            number = self._signals.wait(min(0.05 if self.burst else TICK, max(end - now, 0.001)))
            if number is not None:
                self._act_on(number)
            now = clock.monotonic()
            if self._check_health and now - last_check >= self._health_interval:
                last_check = now
                self._pool.check()
            if now >= end:
                self._ask_to_stop("the time is over")
            if self.burst and self._is_drained():
                self._ask_to_stop("the queue is empty")

    def _is_drained(self) -> bool:
        try:
            return is_drained(self.huey, self._feed)
        except StorageError as error:
            self._on_storage_error(error)
            return False

    def stop(self, graceful: bool = False, timeout: float | None = None) -> int:
        self._stop_for_program(graceful, timeout)
        if self._is_own_thread():
            return self._exit_code  # a thread cannot wait for its own end
        if not self._in_run and self._worker is not None:
            self._shut_down()
        elif self._in_run:
            self._stopped.wait()
        return self._exit_code

    def _is_own_thread(self) -> bool:
        return self._worker is not None and (
            self._kind.is_inside() or self._feed.is_sending(native.get_ident())
        )

    def _shut_down(self) -> None:
        """Done once; later callers wait for the first."""
        with self._stop_lock:
            first, self._shutting_down = not self._shutting_down, True
        if not first:
            self._stopped.wait()
            return
        try:
            self._wind_down()
        finally:
            self._signals.close()
            self._stopped.set()

    def _wind_down(self) -> None:
        """No new claims; unstarted ones are given back at once; running jobs get their time."""
        assert self._worker is not None
        logger.info("stopping: %s", self._stopping)
        self._pool.close()
        self._feed.stop()
        for service in self._services:
            service.stop()
        if self.error is None or isinstance(self.error, StorageTooNew | StorageMoved):
            # A new schema or side file ends this consumer, not the file: no job is to blame.
            try:
                self.huey.storage.stopping(self._worker)
            except StorageError as error:
                self._give_up(error)
        self._feed.close()
        self._pool.wait(self.shutdown_timeout, self._interrupted)
        if self._pool.running() and self._pool.stop_all():
            # Jobs that can be stopped are given back uncounted; they get a moment to clean up.
            self._exit_code = self._exit_of_left()
            self._pool.wait(CLEAN_UP, self._interrupted)
        self._limits_service.stop()
        switch.restore()
        left = self._pool.running()
        if left:
            self._leave_running(left)
        else:
            self._leave_clean()
        self._restart = self._restart and not self._interrupted() and self.error is None

    def _interrupted(self) -> bool:
        """Whether a second signal came: stop now. Called again and again while jobs end."""
        self.health.beat("main loop", TICK)
        number = self._signals.wait(0)
        if number is None or number == signal.SIGHUP:
            return False
        logger.warning("%s again: interrupting", signal.Signals(number).name)
        self._interrupt, self._restart = number, False
        self.health.ending("interrupted", restart=False)
        return True

    def _leave_running(self, left: list[Claim]) -> None:
        """A thread cannot be stopped, so its job is not given back here. The row of this worker
        says ``stopping``, and its jobs come back uncounted when the process is gone."""
        for claim in left:
            logger.warning("job %s of %s is still running", claim.seq, claim.task)
            self._send_interrupted(JobRef(claim.seq, claim.id, claim.task))
        if self.error is None:
            self._feed.flush()  # its helper stays, for endings until the process is gone
        else:
            self._feed.leave()
        self._kind.close()
        self._exit_code = self._exit_of_left()

    def _send_interrupted(self, job: JobRef) -> None:
        try:
            self.huey.send_signals(S.SIGNAL_INTERRUPTED, [job])
        except StorageError as error:
            self._give_up(error)

    def _leave_clean(self) -> None:
        assert self._worker is not None
        if not self._feed.leave():
            # Not unregistered: what has ended must not be taken for given back.
            self._give_up(StorageError(f"{self._feed.unwritten} endings could not be written"))
            return
        self._kind.close()
        try:
            self.huey.storage.unregister(self._worker)
        except StorageError as error:
            self._give_up(error)
        logger.info("stopped")

    def _on_news(self) -> None:
        self._schedule_service.poke()

    def _on_storage_error(self, error: StorageError) -> None:
        """Stop when the storage will not come back; wait out what may pass."""
        if will_pass(error):
            logger.error("%s", error)
        else:
            self._ask_to_stop("the storage is gone", error)

    def _on_overdue(self, owner: Hashable) -> None:
        self._pool.note_overdue(owner)

    def _on_exhausted(self) -> None:
        why = "too many workers hang in jobs that ignore their timeout"
        self._ask_to_stop(why, StorageError(why))
