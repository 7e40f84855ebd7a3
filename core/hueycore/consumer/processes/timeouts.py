"""Interrupting the run in a process's main thread.

A signal ends also a call that blocks (a sleep, a read, a lock), which an exception that is thrown
into a thread does not. The handler runs in the main thread between two of its lines, so it sees
for itself whether an exception may be raised there: in a run, and not in a storage verb.

The signal is SIGURG: ignored where it has no handler, and in no application's use (Go's runtime
preempts with it for the same reasons).
"""

from __future__ import annotations

import math
import signal
from collections.abc import Callable
from types import FrameType

from hueycore.consumer.processes.channel import Cell, Limit
from hueycore.consumer.workers.timeouts import Limiter, Run
from hueycore.exceptions import TaskTimeout
from hueycore.model.jobs import Claim
from hueycore.runs.coroutines import Coroutines
from hueycore.system import clock, native
from hueycore.system.shield import raise_shield, wanted
from hueycore.tasks.options import GRACE

#: Seconds between two looks whether the job is to be interrupted.
LOOK = 0.3
#: So many strikes in a row, and seconds after each of them.
STRIKES, PAUSE = 10, 0.001


class MainThread(Limiter):
    """Made in the main thread. ``asked`` says whether a job is to be interrupted; it is called by
    ``step``, a service's duty. In ``cell`` the supervisor reads until when a run may go on."""

    every_run = True

    def __init__(self, cell: Cell, coroutines: Coroutines, asked: Callable[[Claim], bool]) -> None:
        super().__init__(overdue=lambda thread: None)  # the supervisor sees it, and kills
        self._cell = cell
        self._coroutines = coroutines
        self._asked = asked
        self._ident = native.get_ident()
        self._shield = native.Lock()
        self._claim: Claim | None = None
        self._since = 0.0
        self._run: Run | None = None
        self._interrupted: Claim | None = None
        self._struck = False
        raise_shield(self._shield)
        signal.signal(signal.SIGURG, self._strike)

    # --- in the main thread ---------------------------------------------------------------------

    def begin(self, claim: Claim) -> None:
        """A run begins. When it is overdue the supervisor kills this process."""
        self._since, self._struck = clock.monotonic(), False
        self._cell.begin()
        self._claim = claim

    def end(self) -> bool:
        """It is over; whether it was interrupted."""
        self._claim = self._run = None
        self._cell.end()
        if self._runs or self._interrupted is not None:
            self._runs.clear()
            self._interrupted = None
            self._cell.clear()
        return self._struck

    def prepare(self, timeout: float, grace: float) -> Run:
        run = super().prepare(timeout, grace)
        run.shield = self._shield
        return run

    def arm(self, run: Run) -> None:
        if run.deadline < math.inf:
            assert self._claim is not None
            self._cell.write(Limit(run.deadline + run.grace, *self._claim[:2]))
            self._runs[run.owner] = run
            self._poke()
        self._run = run
        run.armed = True

    def disarm(self, run: Run) -> None:
        run.armed = False

    def _strike(self, number: int, frame: FrameType | None) -> None:
        run = self._run
        if run is None or not run.armed or self._struck or self._shield.locked():
            return
        if self._interrupted is not None and self._interrupted is self._claim:
            self._struck = True
            raise KeyboardInterrupt
        if not run.thrown and run.deadline <= clock.monotonic():
            run.thrown = True
            raise TaskTimeout

    # --- in other threads -----------------------------------------------------------------------

    def interrupt(self) -> bool:
        """End the run that is under way, as a ^C would; False if there is none. If it goes on all
        the same the process is killed."""
        claim = self._claim
        if claim is None:
            return False
        if self._interrupted is not claim:
            self._interrupted = claim
            self._cell.write(Limit(clock.monotonic() + GRACE, *claim[:2]))
            if self._coroutines.stop(self._ident, KeyboardInterrupt, lambda: self._claim is claim):
                self._struck = True
            self._poke()
        return True

    def step(self) -> float:
        pause = min(super().step(), LOOK)
        claim = self._claim
        if claim is None:
            return pause
        if self._interrupted is claim:
            if self._struck:
                return pause
            self._hit(lambda: self._struck)
            return 0.0
        if clock.monotonic() - self._since >= LOOK and self._asked(claim) and claim is self._claim:
            self.interrupt()
            return 0.0
        return pause

    def _throw(self, run: Run) -> bool:
        return self._hit(lambda: run.thrown or not run.armed)

    def _hit(self, done: Callable[[], bool]) -> bool:
        """Strike for a moment. False when the main thread was in storage verbs, or in C code."""
        wanted.add(self._shield)  # a run that goes from verb to verb pauses between them
        try:
            for _ in range(STRIKES):
                signal.pthread_kill(self._ident, signal.SIGURG)
                clock.sleep(PAUSE)
                if done():
                    return True
            return False
        finally:
            wanted.discard(self._shield)
