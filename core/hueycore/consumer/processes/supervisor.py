"""Worker processes: a supervisor forks them, watches them, and does nothing else.

It owns no thread and no handle of the storage, so that a fork takes neither along. Scheduler and
janitor run in one more child, the maintenance process.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import threading
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

from hueycore import exceptions
from hueycore.constants import WORKER_PROCESS
from hueycore.consumer.base import CLEAN_UP, BaseConsumer
from hueycore.consumer.health import Health
from hueycore.consumer.processes.channel import Board, Channel
from hueycore.consumer.processes.child import LEFT, Work, fork
from hueycore.consumer.processes.children import Children
from hueycore.consumer.processes.heartbeat import Heartbeat
from hueycore.consumer.processes.maintenance import Maintenance
from hueycore.consumer.processes.slot import Slot
from hueycore.consumer.processes.worker import ProcessWorker
from hueycore.consumer.unixsignals import Signals, handle, unhandle
from hueycore.exceptions import ConfigurationError, StorageError
from hueycore.system import clock

logger = logging.getLogger("hueycore.consumer")

#: Seconds between two looks at the limits of the runs.
LOOK = 0.25
#: Seconds that the maintenance process gets to leave.
MAINTENANCE_TIMEOUT = 10.0


class Supervisor(BaseConsumer):
    """A consumer whose workers are processes, one job at a time in each; Linux, or where else a
    process can fork. Options are those of ``BaseConsumer``; what differs:

    A run that goes on after its timeout is interrupted also out of a call that blocks, and its
    process is killed at the hard one. ``shutdown_timeout`` after a stop running jobs are
    interrupted and given back. ``max_tasks`` replaces the process. The hooks of startup and
    shutdown are called in each worker process.

    ``run`` supervises in this process, and has to be in its main thread for that; ``start`` does it
    in one more process, which stops when this one is gone. ``health`` is that of the process that
    supervises: after ``start`` it stays ``starting`` here.

    Raises ``ConfigurationError`` for a queue in memory."""

    kinds = (WORKER_PROCESS,)

    def _set_up(self) -> None:
        if not hasattr(os, "fork"):
            raise ConfigurationError("worker processes need fork, which this system has not")
        if not self.huey.storage.shared:
            raise ConfigurationError("worker processes cannot share a queue in memory")
        self._board = Board(self.workers)
        workers = [
            Slot(
                f"{self.name}/{number + 1}",
                partial(self._worker_work, number),
                Heartbeat("feed", "limits"),
                self._board.cell(number),
            )
            for number in range(self.workers)
        ]
        # Probes and metrics show the loop of the maintenance process as "steward".
        maintenance = Slot(
            f"{self.name}/scheduler",
            self._maintenance_work,
            Heartbeat("scheduler", "janitor", "steward"),
        )
        self._children = Children(maintenance, workers)
        self.health = Health(self._board, self._health_interval, self._children)
        #: In a supervisor that ``start`` has forked: the program.
        self._program: Channel | None = None
        #: In the program: that supervisor's process, and the channel to it.
        self._process: int | None = None
        self._own: Channel | None = None
        self._wait_lock = threading.Lock()

    def _worker_work(self, number: int) -> Work:
        slot = self._children.workers[number]
        return ProcessWorker(
            self.huey,
            slot.name,
            self._board.cell(number),
            slot.heartbeat,
            max_tasks=self.max_tasks,
            shutdown_timeout=self.shutdown_timeout,
        ).run

    def _maintenance_work(self) -> Work:
        slot = self._children.maintenance
        return Maintenance(
            self.huey,
            slot.name,
            self.scheduler,
            self.janitor,
            slot.heartbeat,
            burst=self.burst,
        ).run

    def run(self) -> int:
        if threading.current_thread() is not threading.main_thread():
            self.start()
            return self._exit_code if self._process is None else self._wait_for_process()
        self._in_run = True
        self._signals.open()
        self._set_signal_handlers()
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

    def _supervise(self) -> None:
        self._prepare()
        self.huey.close()
        # The children share what is in memory now, until one of them writes to it. The collector
        # would write to all of it.
        gc.collect()
        gc.freeze()
        handle(signal.SIGCHLD, self._on_child_end)
        try:
            logger.info(
                "consumer %s, process %d: %d worker processes, queue %s, %d tasks",
                self.name,
                os.getpid(),
                self.workers,
                self.huey.name,
                len(self.huey.registry),
            )
            self._loop()
            self._wind_down()
        finally:
            self._children.close()
            unhandle(signal.SIGCHLD, self._on_child_end)

    def _on_child_end(self, number: int, frame: FrameType | None) -> None:
        self._signals.wake()

    def _loop(self) -> None:
        end = None if self.max_time is None else clock.monotonic() + self.max_time
        while self._stopping is None:
            self._children.fill(self._program_channel())
            number = self._look(LOOK if end is None else min(LOOK, end - clock.monotonic()))
            if number is not None:
                self._act_on(number)
            if end is not None and clock.monotonic() >= end:
                self._ask_to_stop("the time is over")

    def _program_channel(self) -> list[Channel]:
        return [] if self._program is None else [self._program]

    def _look(self, timeout: float) -> int | None:
        """Sleep until something happens, and handle it. A signal is returned to the caller."""
        self.health.beat("main loop", LOOK)
        channels = [*self._children.channels(), *self._program_channel()]
        number = self._signals.wait(max(timeout, 0.0), *channels)
        for slot in self._children.all:
            for message in slot.receive():
                self._handle(slot, *message)
        if self._program is not None:
            self._handle_program(self._program)
        self._reap()
        self._children.report_overdue()
        return number

    def _handle(self, slot: Slot, what: str, *rest: Any) -> None:
        match what:
            case "ready":
                slot.set_ready()
                if self._stopping is None and all(each.was_ready for each in self._children.all):
                    self.health.running()
            case "drained":
                self._ask_to_stop("the queue is empty")
            case "error":
                self._ask_to_stop("the storage is gone", _exception(*rest))
            case "trouble":
                loop, trouble = rest
                self.health.set_trouble(f"{loop} of {slot.name}", trouble)
            case "overdue":
                self._children.kill_overdue(*rest)

    def _handle_program(self, program: Channel) -> None:
        messages = program.receive()
        if messages is None:
            self._program = None
            self._ask_to_stop("the program is gone")
        for _, timeout in messages or []:
            self.shutdown_timeout = timeout
            self._ask_to_stop("stopped by the program")

    def _reap(self) -> None:
        died = False
        for slot in self._children.all:
            code = slot.reap(replaced=self._stopping is None)
            if code is None:
                continue
            for loop in slot.heartbeat.loops:
                self.health.set_trouble(f"{loop} of {slot.name}", None)
            if slot is not self._children.maintenance:
                died = True
                if self._stopping is not None and code != LEFT:
                    self._exit_code = self._exit_of_left()
        if died:
            self._children.maintenance.send("recover")

    def _wind_down(self) -> None:
        children, maintenance = self._children, self._children.maintenance
        logger.info("stopping: %s", self._stopping)
        maintenance.send("quiet")
        children.send("stop")
        if not self._wait(children.are_gone, self.shutdown_timeout):
            children.send("interrupt")
            if not self._wait(children.are_gone, CLEAN_UP):
                for slot in children.workers:
                    slot.kill("it does not end")
                self._wait(children.are_gone, None)
        maintenance.send("stop")
        end = clock.monotonic() + MAINTENANCE_TIMEOUT
        # A second signal interrupts jobs. Nothing of maintenance is to be interrupted.
        while maintenance.alive and (left := end - clock.monotonic()) > 0:
            self._wait(lambda: not maintenance.alive, left)
        if maintenance.alive:
            maintenance.kill("it does not end")
            self._wait(lambda: not maintenance.alive, None)
        self._restart = self._restart and not self._interrupt and self.error is None
        logger.info("stopped")

    def _wait(self, condition: Callable[[], bool], timeout: float | None) -> bool:
        """Until ``condition`` holds; False when the time is over or a second signal came."""
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


def _exception(name: str, text: str) -> StorageError:
    """An exception that came over a channel."""
    kind = getattr(exceptions, name, StorageError)
    return kind(text) if issubclass(kind, StorageError) else StorageError(text)
