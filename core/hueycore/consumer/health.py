"""The health of a consumer, for probes: whether its loops are alive and it may be given work.

Each loop reports when it will be back at the latest, in monotonic time. Nothing here reads the
storage or waits for a lock of the consumer, so that a probe gets its answer whatever hangs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple, Protocol

from hueycore.exceptions import StorageError
from hueycore.system import clock, native

if TYPE_CHECKING:
    from hueycore.consumer.feed import Feed
    from hueycore.consumer.processes.children import Children

#: Seconds that any loop may be late: a step that failed is tried again after one second.
LEAST_GRACE = 2.0

STARTING, RUNNING, RESTARTING, STOPPING = "starting", "running", "restarting", "stopping"
#: Seconds between two beats of a loop on which jobs run.
BEAT_INTERVAL = 1.0

#: Loops that have ended while a stop waits for running jobs.
_ENDED_FIRST = ("scheduler", "janitor", "revoked")


class Figures(NamedTuple):
    """``overdue``: workers whose job ignores its timeout. ``held``: jobs that were claimed and not
    started. ``unwritten``: runs that are over and not committed."""

    workers: int
    busy: int
    overdue: int
    held: int
    unwritten: int


class Workers(Protocol):
    """The workers of a consumer, of any kind."""

    size: int

    def count(self) -> tuple[int, int]:
        """How many are inside a job, and how many of these are overdue."""
        ...


class Loops:
    """The loops of one process. Its methods may be called from any thread."""

    def beat(self, loop: str, pause: float = 0.0) -> None:
        """``loop`` is alive, and will be back in ``pause`` seconds; ``math.inf`` if it is over."""
        raise NotImplementedError

    def set_trouble(self, loop: str, trouble: str | None) -> None:
        """The error that the storage raised in ``loop``, None when it works."""
        raise NotImplementedError

    def follow(self, loop: str, step: Callable[[], float]) -> Callable[[], float]:
        """``step`` of a service, that reports for ``loop``."""

        def watched() -> float:
            self.beat(loop)
            try:
                pause = step()
            except StorageError as error:
                self.set_trouble(loop, str(error))
                raise
            self.set_trouble(loop, None)
            self.beat(loop, max(pause, 0.0))
            return pause

        self.beat(loop)
        return watched


class Health(Loops):
    """Its methods may be called from any thread. A loop that is ``grace`` seconds late hangs."""

    def __init__(self, workers: Workers, grace: float, children: Children | None = None) -> None:
        self._workers = workers
        self._grace = max(grace, LEAST_GRACE)
        self._children = children
        self._feed: Feed | None = None
        self._due: dict[str, float] = {}
        self._threads: dict[str, int] = {}
        self._trouble: dict[str, str] = {}
        self._error: str | None = None
        self._why = ""
        #: starting, running, restarting or stopping.
        self.phase = STARTING
        self.since = clock.now()
        #: Called with each new phase, in the thread that entered it.
        self.on_phase: Callable[[str], None] = lambda phase: None

    def beat(self, loop: str, pause: float = 0.0) -> None:
        self._due[loop] = clock.monotonic() + pause
        self._threads[loop] = native.get_ident()

    def set_trouble(self, loop: str, trouble: str | None) -> None:
        if trouble is None:
            self._trouble.pop(loop, None)
        else:
            self._trouble[loop] = trouble

    def running(self, feed: Feed | None = None) -> None:
        self._feed = feed
        self._enter(RUNNING)

    def ending(self, why: str, *, restart: bool) -> None:
        self._why = why
        self._enter(RESTARTING if restart else STOPPING)

    def failed(self, error: Exception) -> None:
        """The consumer gives up."""
        self._error = str(error)

    def _enter(self, phase: str) -> None:
        if phase != self.phase:
            self.phase = phase
            self.on_phase(phase)

    def ill(self) -> list[str]:
        """Why this process should be replaced; empty when it is healthy."""
        reasons = [self._error] if self._error is not None else []
        for loop, late in self.lateness().items():
            over = loop in _ENDED_FIRST and self.phase in (RESTARTING, STOPPING)
            if late > self._grace and not over:
                reasons.append(f"the {loop} hangs: {late:.0f} s late{self._where(loop)}")
        return reasons

    def _where(self, loop: str) -> str:
        """The line that a loop of this process is at, which mostly is the cause."""
        frame = sys._current_frames().get(self._threads.get(loop, 0))
        if frame is None:
            return ""
        code = frame.f_code
        return f", at {PurePath(code.co_filename).name}:{frame.f_lineno} in {code.co_qualname}"

    def unready(self) -> list[str]:
        """Why it should be given no work, or does none; empty when it is ready."""
        reasons = self.ill()
        if self.phase != RUNNING:
            reasons.append(f"{self.phase}: {self._why}" if self._why else self.phase)
        trouble = set(self._trouble.copy().values())
        if self._feed is not None and self._feed.trouble is not None:
            trouble.add(self._feed.trouble)
        reasons += [f"the storage fails: {each}" for each in sorted(trouble)]
        figures = self.figures()
        if 0 < figures.workers <= figures.overdue:
            reasons.append(f"{figures.overdue} jobs ignore their timeout: no spare worker is left")
        if self._children is not None and self.phase == RUNNING:
            reasons += self._children.missing(self._grace)
        return reasons

    def figures(self) -> Figures:
        busy, overdue = self._workers.count()
        held = unwritten = 0
        if self._feed is not None:
            held, unwritten = self._feed.held, self._feed.unwritten
        elif self._children is not None:
            held, unwritten = self._children.feeds()
        return Figures(self._workers.size, busy, overdue, held, unwritten)

    def lateness(self) -> dict[str, float]:
        """Seconds that each loop is late; 0 for a loop that is in time."""
        dues = self._due.copy()
        if self._children is not None:
            dues |= self._children.due()
        now = clock.monotonic()
        return {loop: max(0.0, now - due) for loop, due in sorted(dues.items())}
