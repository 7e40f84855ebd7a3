"""Timeouts of the run in a process's main thread, and its interruption.

A signal also ends a call that blocks (a sleep, a read, a lock). An exception that is thrown into a
thread does not. The handler runs in the main thread between two of its lines, so it sees whether an
exception may be raised there: in a run, and not in a storage verb.

The signal is SIGURG: it is ignored where it has no handler, and no application uses it (Go's
runtime preempts with it for the same reasons).
"""

from __future__ import annotations

import math
import signal
from collections.abc import Callable
from types import FrameType

from hueycore.consumer.processes.channel import Cell, Limit
from hueycore.consumer.unixsignals import handle
from hueycore.consumer.workers.timeouts import Timeout, Timeouts
from hueycore.exceptions import TaskTimeout
from hueycore.model.jobs import Claim
from hueycore.runs.coroutines import Coroutines
from hueycore.system import clock, native
from hueycore.system.shield import raise_shield, wanted
from hueycore.tasks.options import GRACE

#: Seconds between two looks whether the job is to be interrupted.
LOOK = 0.3
#: How many signals are sent in a row, and seconds after each of them.
ATTEMPTS, PAUSE = 10, 0.001


class MainThreadTimeouts(Timeouts):
    """Made and used in the main thread; ``interrupt`` and ``step`` are called in others.
    ``cancel_requested`` returns whether a job is to be interrupted; ``step``, a service's duty,
    calls it. In ``cell`` the supervisor reads until when a run may go on."""

    every_run = True

    def __init__(
        self, cell: Cell, coroutines: Coroutines, cancel_requested: Callable[[Claim], bool]
    ) -> None:
        # The supervisor sees what is overdue, and kills.
        super().__init__(on_overdue=lambda thread: None, is_stopping=self._is_interrupting)
        self._cell = cell
        self._coroutines = coroutines
        self._cancel_requested = cancel_requested
        self._ident = native.get_ident()
        self._shield = native.Lock()
        self._claim: Claim | None = None
        self._since = 0.0
        self._run: Timeout | None = None
        self._to_interrupt: Claim | None = None
        self._interrupted = False
        raise_shield(self._shield)
        handle(signal.SIGURG, self._on_signal)

    def _is_interrupting(self) -> bool:
        return self._to_interrupt is not None

    def begin(self, claim: Claim) -> None:
        """A run begins. The supervisor kills this process when the run is overdue."""
        self._since, self._interrupted = clock.monotonic(), False
        self._cell.begin()
        self._claim = claim

    def end(self) -> bool:
        """The run is over. Returns whether it was interrupted."""
        self._claim = self._run = None
        self._cell.end()
        if self._runs or self._to_interrupt is not None:
            self._runs.clear()
            self._to_interrupt = None
            self._cell.clear()
        return self._interrupted

    def prepare(self, timeout: float, grace: float) -> Timeout:
        run = super().prepare(timeout, grace)
        run.shield = self._shield
        return run

    def arm(self, run: Timeout) -> None:
        if run.deadline < math.inf:
            assert self._claim is not None
            self._cell.write(Limit(run.deadline + run.grace, *self._claim[:2]))
            self._runs[run.owner] = run
            self.on_deadline()
        self._run = run
        run.armed = True

    def disarm(self, run: Timeout) -> None:
        run.armed = False

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        run = self._run
        if run is None or not run.armed or self._interrupted or self._shield.locked():
            return
        if self._to_interrupt is not None and self._to_interrupt is self._claim:
            self._interrupted = True
            raise KeyboardInterrupt
        if not run.thrown and run.deadline <= clock.monotonic():
            run.thrown = True
            raise TaskTimeout

    def interrupt(self) -> bool:
        """End the run that is under way, as a ^C would; False if there is none. The process is
        killed if the run goes on all the same."""
        claim = self._claim
        if claim is None:
            return False
        if self._to_interrupt is not claim:
            self._to_interrupt = claim
            self._cell.write(Limit(clock.monotonic() + GRACE, *claim[:2]))
            if self._coroutines.stop(self._ident, KeyboardInterrupt, lambda: self._claim is claim):
                self._interrupted = True
            self.on_deadline()
        return True

    def step(self) -> float:
        pause = min(super().step(), LOOK)
        claim = self._claim
        if claim is None:
            return pause
        if self._to_interrupt is claim:
            if self._interrupted:
                return pause
            self._signal(lambda: self._interrupted)
            return 0.0
        if clock.monotonic() - self._since < LOOK:
            return pause
        if self._cancel_requested(claim) and claim is self._claim:
            self.interrupt()
            return 0.0
        return pause

    def _throw(self, run: Timeout) -> bool:
        return self._signal(lambda: run.thrown or not run.armed)

    def _signal(self, done: Callable[[], bool]) -> bool:
        """Send signals until ``done`` returns True. False when none of them helped: the main thread
        was in storage verbs, or in C code."""
        wanted.add(self._shield)  # a run that goes from verb to verb pauses between them
        try:
            for _ in range(ATTEMPTS):
                signal.pthread_kill(self._ident, signal.SIGURG)
                clock.sleep(PAUSE)
                if done():
                    return True
            return False
        finally:
            wanted.discard(self._shield)
