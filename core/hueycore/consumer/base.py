"""What every consumer has: its options, and how it is asked to stop."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from typing import TYPE_CHECKING

from hueycore.constants import MAX_WORKERS, WORKER_THREAD, WORKER_TYPES
from hueycore.consumer.health import Health
from hueycore.consumer.janitor import Janitor
from hueycore.consumer.scheduler import Scheduler
from hueycore.consumer.unixsignals import Signals
from hueycore.exceptions import ConfigurationError, StorageError
from hueycore.system import native
from hueycore.system.mask import masked

if TYPE_CHECKING:
    from hueycore.api import Huey

logger = logging.getLogger("hueycore.consumer")

#: Seconds that a job which was interrupted gets to clean up.
CLEAN_UP = 1.0


class BaseConsumer:
    """Runs the jobs of one queue.

    :param workers: how many jobs run at once; 0 only schedules.
    :param worker_type: ``thread``; ``greenlet``, for plain tasks that wait, in the gevent hub of
        the thread that starts the consumer (patch first); ``asyncio``, for async ones, on one loop;
        ``process``, see ``Supervisor``.
    :param scheduler_interval: the longest pause between two looks for due jobs, seconds.
    :param periodic: whether this consumer fires periodic tasks. Any number of consumers may; each
        time is fired once.
    :param check_worker_health: replace workers that died, every ``health_check_interval`` seconds.
        For ``health`` a loop of the consumer hangs when it is later than that.
    :param max_tasks: a worker is replaced after so many jobs; None or 0 is never.
    :param shutdown_timeout: seconds that running jobs get after a stop; None waits for them. Then
        greenlets and async jobs are stopped and given back, and plain jobs in threads run on until
        the process is gone.
    :param graceful_signal: ``INT`` or ``TERM``: that signal is graceful and the other one
        interrupts at once. By default both are graceful, and a second signal interrupts.
    :param name: its name in ``hueyctl workers``.
    :param burst: stop when nothing is pending, blocked, running or due.
    :param max_time: stop after so many seconds.

    ``initial_delay``, ``backoff`` and ``max_delay`` are accepted as in Huey and have no effect: an
    idle worker is woken, it does not poll. ``flush_locks`` and ``extra_locks`` (names with commas
    between) free locks at the start, as in Huey. A crash needs neither, because a lock ends with
    its owner.

    Raises ``ConfigurationError`` for options that cannot be.
    """

    #: The ``worker_type`` that this class is for.
    kinds: tuple[str, ...]
    #: For probes: ``health.ill()``, ``health.unready()``.
    health: Health

    def __init__(
        self,
        huey: Huey,
        workers: int = 1,
        worker_type: str = WORKER_THREAD,
        initial_delay: float = 0.1,
        backoff: float = 1.15,
        max_delay: float = 10.0,
        scheduler_interval: float = 1,
        periodic: bool = True,
        check_worker_health: bool = True,
        health_check_interval: float = 10,
        flush_locks: bool = False,
        extra_locks: str | None = None,
        max_tasks: int | None = None,
        shutdown_timeout: float | None = None,
        graceful_signal: str | None = None,
        *,
        name: str | None = None,
        burst: bool = False,
        max_time: float | None = None,
    ) -> None:
        _check(workers, worker_type, scheduler_interval, graceful_signal)
        if worker_type not in self.kinds:
            raise ConfigurationError(f"worker_type={worker_type!r}: use huey.create_consumer()")
        self.huey = huey
        huey.works_here = True
        self.workers = workers
        self.worker_type = worker_type
        self.name = masked(name or f"{socket.gethostname()}:{os.getpid()}")
        self.max_tasks = max_tasks or None
        self.shutdown_timeout = shutdown_timeout
        self.burst = burst
        self.max_time = max_time
        self._flush = flush_locks or bool(extra_locks)
        self._extra_locks = (extra_locks or "").split(",") if extra_locks else []
        self._check_health = check_worker_health
        self._health_interval = health_check_interval
        self._interrupting = _interrupting(graceful_signal)
        self.scheduler = Scheduler(huey, periodic=periodic, interval=scheduler_interval)
        self.janitor = Janitor(huey)
        self._signals = Signals()
        #: Why the consumer stopped by itself, if it did.
        self.error: Exception | None = None
        self._stopping: str | None = None
        self._stopped = threading.Event()
        self._stop_lock = native.Lock()
        self._in_run = False
        self._exit_code = 0
        self._interrupt = 0
        self._restart = False
        self._set_up()

    def _set_signal_handlers(self) -> None:
        """Handle INT, TERM and HUP; called when ``run`` begins, as in Huey. A subclass may override
        it to leave them to the program."""
        self._signals.install()

    def _set_up(self) -> None:
        """Make the parts of this class of consumers, ``health`` among them. Nothing runs yet."""
        raise NotImplementedError

    def run(self) -> int:
        """Work until a signal, ``stop`` or an error. Returns the exit code: 0 when all jobs ended,
        1 when jobs were left running or the consumer failed, 130 or 143 when interrupted."""
        raise NotImplementedError

    def start(self) -> None:
        """Begin to work beside the program. A consumer that was stopped does not start again.
        Raises ``StorageError``."""
        raise NotImplementedError

    def stop(self, graceful: bool = False, timeout: float | None = None) -> int:
        """Stop from another thread and wait for the end; a job or a receiver does not wait.
        ``graceful`` lets running jobs finish, within ``timeout`` seconds or else the consumer's
        ``shutdown_timeout``. Returns the exit code."""
        raise NotImplementedError

    def _prepare(self) -> None:
        """Put the queue in order before the first job."""
        self.janitor.recover()
        self.huey.declare_limits()
        if self._flush:
            freed = self.huey.flush_locks(*self._extra_locks)
            if freed:
                logger.warning("freed locks: %s", ", ".join(sorted(freed)))

    def _act_on(self, number: int) -> None:
        name = signal.Signals(number).name
        if number == signal.SIGHUP:
            self._restart = True
            self._ask_to_stop(f"{name}: restart")
        elif number in self._interrupting:
            self._interrupt = number
            self.shutdown_timeout = 0.0
            self._ask_to_stop(f"{name}: interrupting")
        else:
            self._ask_to_stop(name)

    def _ask_to_stop(self, why: str, error: StorageError | None = None) -> None:
        """Only the first call counts. With an ``error`` running jobs get no time by default."""
        with self._stop_lock:
            if self._stopping is not None:
                return
            if error is not None:
                self._give_up(error)
                if self.shutdown_timeout is None:
                    self.shutdown_timeout = 0.0
            self._stopping = why
        self.health.ending(why, restart=self._restart)
        self._signals.wake()

    def _stop_for_program(self, graceful: bool, timeout: float | None) -> None:
        if not graceful:
            self.shutdown_timeout = 0.0
        elif timeout is not None:
            self.shutdown_timeout = timeout
        self._ask_to_stop("stopped by the program")

    def _give_up(self, error: StorageError) -> None:
        if self.error is None:
            logger.error("%s", error)
            self.error = error
            self.health.failed(error)
        self._exit_code = 1

    def _exit_of_left(self) -> int:
        return 128 + self._interrupt if self._interrupt else 1

    def _leave(self) -> int:
        if self._restart:
            logger.info("restarting")
            logging.shutdown()  # no exit writes what handlers hold
            os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606
        return self._exit_code


def _check(
    workers: int, worker_type: str, scheduler_interval: float, graceful_signal: str | None
) -> None:
    if not 0 <= workers <= MAX_WORKERS:
        raise ConfigurationError(f"workers={workers}: use 0 to {MAX_WORKERS}")
    if worker_type not in WORKER_TYPES:
        raise ConfigurationError(
            f"worker_type={worker_type!r}: use one of {', '.join(WORKER_TYPES)}"
        )
    if scheduler_interval <= 0:
        raise ConfigurationError("scheduler_interval must be more than 0 seconds")
    if graceful_signal not in (None, "INT", "TERM"):
        raise ConfigurationError(f"graceful_signal={graceful_signal!r}: use INT or TERM")


def _interrupting(graceful_signal: str | None) -> tuple[int, ...]:
    """The signals that interrupt at once."""
    if graceful_signal is None:
        return ()
    return (signal.SIGTERM,) if graceful_signal == "INT" else (signal.SIGINT,)
