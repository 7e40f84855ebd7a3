"""Worker processes: a supervisor forks them, watches them, and does nothing else.

It owns no thread and no handle of the storage, so that a fork takes neither along. Scheduler and
janitor are one more child, the steward.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import threading
from collections.abc import Callable, Sequence
from functools import partial
from types import FrameType
from typing import Any

from hueycore import exceptions
from hueycore.constants import WORKER_PROCESS
from hueycore.consumer.base import CLEAN_UP, BaseConsumer
from hueycore.consumer.health import Health
from hueycore.consumer.processes.channel import Board, Channel
from hueycore.consumer.processes.child import LEFT, Work, fork
from hueycore.consumer.processes.heartbeat import Pulse
from hueycore.consumer.processes.maintenance import Steward
from hueycore.consumer.processes.slot import Place
from hueycore.consumer.processes.worker import ProcessWorker
from hueycore.consumer.unixsignals import Signals
from hueycore.exceptions import ConfigurationError, StorageError
from hueycore.system import clock

logger = logging.getLogger("hueycore.consumer")

#: Seconds between two looks at the limits of what runs.
LOOK = 0.25
#: Seconds that the steward gets to leave.
STEWARD_LEAVES = 10.0


class Supervisor(BaseConsumer):
    """A consumer whose workers are processes, one job at a time in each; Linux, or where else a
    process can fork. Options are those of ``BaseConsumer``; what differs:

    A run that goes on after its timeout is interrupted also out of a call that blocks, and its
    process is killed at the hard one. ``shutdown_timeout`` after a stop running jobs are
    interrupted and given back. ``max_tasks`` replaces the process. The hooks of startup and
    shutdown are called in each worker process.

    ``run`` supervises in this process, and has to be in its main thread for that; ``start`` does it
    in one more process, which stops when this one is gone.

    Raises ``ConfigurationError`` for a queue in memory."""

    kinds = (WORKER_PROCESS,)

    def _set_up(self) -> None:
        if not hasattr(os, "fork"):
            raise ConfigurationError("worker processes need fork, which this system has not")
        if not self.huey.storage.shared:
            raise ConfigurationError("worker processes cannot share a queue in memory")
        self._board = Board(self.workers)
        self._places = [
            Place(f"{self.name}/{number + 1}", partial(self._worker_work, number),
                  Pulse("feed", "limits"), self._board.cell(number))
            for number in range(self.workers)
        ]  # fmt: skip
        self._steward = Place(
            f"{self.name}/scheduler", self._steward_work, Pulse("scheduler", "janitor", "steward")
        )
        self.health = Health(
            self._board, self._health_interval, _Household(self._steward, self._places)
        )
        #: The program that started this supervisor, seen from a process of its own, and the other
        #: way round.
        self._program: Channel | None = None
        self._process: int | None = None
        self._own: Channel | None = None
        self._wait_lock = threading.Lock()

    def _worker_work(self, number: int) -> Work:
        return ProcessWorker(
            self.huey,
            self._places[number].name,
            self._board.cell(number),
            self._places[number].pulse,
            max_tasks=self.max_tasks,
            shutdown_timeout=self.shutdown_timeout,
        ).run

    def _steward_work(self) -> Work:
        return Steward(
            self.huey, self._steward.name, self.scheduler, self.janitor, self._steward.pulse,
            burst=self.burst,
        ).run  # fmt: skip

    # --- run, or start and stop -----------------------------------------------------------------

    def run(self) -> int:
        if threading.current_thread() is not threading.main_thread():
            self.start()
            return self._exit_code if self._process is None else self._wait_for_process()
        self._in_run = True
        self._signals.open()
        handling = self._signals.install()
        assert handling
        try:
            self._supervise()
        finally:
            self._signals.close()
            self._stopped.set()
        return self._leave()

    def start(self) -> None:
        if self._process is None and self._stopping is None and not self._in_run:
            self._process, self._own = fork(self._run_apart, [])

    def _run_apart(self, channel: Channel, signals: Signals) -> int:
        os.setpgid(0, 0)  # the ^C that interrupts a notebook's cell is not for its workers
        self._signals, self._program = signals, channel
        self._supervise()
        if self.error is not None:
            channel.send("error", type(self.error).__name__, str(self.error))
        return self._exit_code

    def stop(self, graceful: bool = False, timeout: float | None = None) -> int:
        if self._process is None:
            self._stop_for_program(graceful, timeout)
            if self._in_run:
                self._stopped.wait()
            return self._exit_code
        with self._stop_lock:
            if self._stopping is None:
                self._stopping = "stopped by the program"
                if not graceful:
                    self.shutdown_timeout = 0.0
                elif timeout is not None:
                    self.shutdown_timeout = timeout
                assert self._own is not None
                self._own.send("stop", self.shutdown_timeout)
        return self._wait_for_process()

    def _wait_for_process(self) -> int:
        with self._wait_lock:
            if not self._stopped.is_set():
                assert self._process is not None
                assert self._own is not None
                _, status = os.waitpid(self._process, 0)
                self._exit_code = os.waitstatus_to_exitcode(status)
                for message in self._own.receive() or []:
                    self.error = _exception(*message[1:])
                self._own.close()
                self._stopped.set()
        return self._exit_code

    # --- supervising ----------------------------------------------------------------------------

    def _supervise(self) -> None:
        self._prepare()
        self.huey.close()
        # What is here now the children share, until one of them writes to it: no collector shall.
        gc.collect()
        gc.freeze()
        before = signal.signal(signal.SIGCHLD, self._child_ended)
        try:
            logger.info(
                "consumer %s, process %d: %d worker processes, queue %s, %d tasks",
                self.name, os.getpid(), self.workers, self.huey.name, len(self.huey.registry),
            )  # fmt: skip
            self._loop()
            self._wind_down()
        finally:
            for place in self._all():
                place.close()  # those that are left, after an error here, leave as well
            signal.signal(signal.SIGCHLD, before)

    def _child_ended(self, number: int, frame: FrameType | None) -> None:
        self._signals.wake()

    def _all(self) -> tuple[Place, ...]:
        return (self._steward, *self._places)

    def _loop(self) -> None:
        end = None if self.max_time is None else clock.monotonic() + self.max_time
        while self._stopping is None:
            self._fill()
            number = self._look(LOOK if end is None else min(LOOK, end - clock.monotonic()))
            if number is not None:
                self._act_on(number)
            if end is not None and clock.monotonic() >= end:
                self._ask_to_stop("the time is over")

    def _fill(self) -> None:
        for place in self._all():
            if not place.alive and place.free_at <= clock.monotonic():
                place.fill(self._channels())
                if place is self._steward:
                    for worker in self._places:
                        worker.reported = None  # to the one before

    def _channels(self) -> list[Channel]:
        ours = [place.channel for place in self._all()]
        return [channel for channel in (*ours, self._program) if channel is not None]

    def _look(self, timeout: float) -> int | None:
        """Sleep until something happens and see to it; a signal is the caller's to act on."""
        self.health.beat("main loop", LOOK)
        number = self._signals.wait(max(timeout, 0.0), *self._channels())
        for place in self._all():
            for message in place.hear():
                self._heed(place, *message)
        if self._program is not None:
            self._hear_program(self._program)
        self._reap()
        self._check_limits()
        return number

    def _heed(self, place: Place, what: str, *rest: Any) -> None:
        match what:
            case "ready":
                place.ready()
                if self._stopping is None and all(each.was_ready for each in self._all()):
                    self.health.running()
            case "drained":
                self._ask_to_stop("the queue is empty")
            case "error":
                self._ask_to_stop("the storage is gone", _exception(*rest))
            case "trouble":
                loop, trouble = rest
                self.health.suffers(f"{loop} of {place.name}", trouble)
            case "overdue":
                self._kill_overdue(*rest)

    def _hear_program(self, program: Channel) -> None:
        messages = program.receive()
        if messages is None:
            self._program = None
            self._ask_to_stop("the program is gone")
        for _, timeout in messages or []:
            self.shutdown_timeout = timeout
            self._ask_to_stop("stopped by the program")

    def _reap(self) -> None:
        died = False
        for place in self._all():
            code = place.reap(replaced=self._stopping is None)
            if code is None:
                continue
            for loop in place.pulse.loops:
                self.health.suffers(f"{loop} of {place.name}", None)
            if place is not self._steward:
                died = True
                if self._stopping is not None and code != LEFT:
                    self._exit_code = self._exit_of_left()
        if died:
            self._steward.send("recover")

    # --- limits ---------------------------------------------------------------------------------

    def _check_limits(self) -> None:
        """Have it written down first that a run is over its time, and kill its process then."""
        if not self._steward.alive:
            return
        now = clock.monotonic()
        for place in self._places:
            limit = place.cell.read() if place.cell is not None and place.alive else None
            if limit is not None and limit.end <= now and limit != place.reported:
                place.reported = limit
                self._steward.send("overdue", limit.seq, limit.claim)

    def _kill_overdue(self, seq: int, claim: int, noted: bool | None) -> None:
        for place in self._places:
            limit = place.reported
            if limit is None or limit[1:] != (seq, claim):
                continue
            if noted is None:
                place.reported = None  # again, then
            elif noted and place.cell is not None and place.cell.read() == limit:
                place.kill(f"job {seq} does not end")

    # --- stopping -------------------------------------------------------------------------------

    def _wind_down(self) -> None:
        logger.info("stopping: %s", self._stopping)
        self._steward.send("quiet")
        self._order("stop")
        if not self._all_gone(self.shutdown_timeout):
            self._order("interrupt")
            if not self._all_gone(CLEAN_UP):
                for place in self._places:
                    place.kill("it does not end")
                self._all_gone(None)
        self._steward.send("stop")
        if not self._wait(lambda: not self._steward.alive, STEWARD_LEAVES):
            self._steward.kill("it does not end")
            self._wait(lambda: not self._steward.alive, None)
        self._restart = self._restart and not self._interrupt and self.error is None
        logger.info("stopped")

    def _order(self, order: str) -> None:
        for place in self._places:
            place.send(order)

    def _all_gone(self, timeout: float | None) -> bool:
        return self._wait(lambda: not any(place.alive for place in self._places), timeout)

    def _wait(self, condition: Callable[[], bool], timeout: float | None) -> bool:
        """Until it is so; False when the time is over, or a second signal says: now."""
        end = None if timeout is None else clock.monotonic() + timeout
        while not condition():
            left = LOOK if end is None else min(LOOK, end - clock.monotonic())
            if left <= 0:
                return False
            number = self._look(left)
            if number in (signal.SIGINT, signal.SIGTERM):
                logger.warning("%s again: interrupting", signal.Signals(number).name)
                self._interrupt = number
                self.health.ending("interrupted", restart=False)
                return False
        return True


class _Household:
    """The children as probes see them."""

    def __init__(self, steward: Place, workers: Sequence[Place]) -> None:
        self._steward = steward
        self._workers = workers

    def due(self) -> dict[str, float]:
        dues = self._steward.pulse.due() if self._steward.alive else {}
        for number, place in enumerate(self._workers, 1):
            if place.alive:
                due = place.pulse.due().items()
                dues |= {f"{loop} of worker {number}": at for loop, at in due}
        return dues

    def missing(self, grace: float) -> list[str]:
        found = (place.missing(grace) for place in (self._steward, *self._workers))
        return [reason for reason in found if reason is not None]


def _exception(name: str, text: str) -> StorageError:
    """An exception that came over a channel."""
    kind = getattr(exceptions, name, StorageError)
    return kind(text) if issubclass(kind, StorageError) else StorageError(text)
