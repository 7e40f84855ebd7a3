"""What a consumer knows of itself, for probes: are its loops alive, may it be given work.

Each loop says when it will be back at the latest, in monotonic time. Nothing here looks into the
storage or waits for a lock of the consumer, so that a probe gets its answer whatever hangs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

from hueycore import clock
from hueycore.exceptions import StorageError

if TYPE_CHECKING:
    from hueycore.consumer.feed import Feed

#: The least that a loop may be late, seconds: a step that failed is tried again after one.
LEAST_GRACE = 2.0

STARTING, RUNNING, RESTARTING, STOPPING = "starting", "running", "restarting", "stopping"
#: Loops that are at an end while a stop waits for running jobs.
_ENDED_FIRST = ("scheduler", "janitor", "revoked")


class Figures(NamedTuple):
    """``overdue``: workers whose job ignores its timeout. ``held``: jobs that were claimed and not
    started; ``unwritten``: runs that are over and not committed yet."""

    workers: int
    busy: int
    overdue: int
    held: int
    unwritten: int


class Workers(Protocol):
    """Those of a consumer, of any kind."""

    size: int

    def count(self) -> tuple[int, int]:
        """How many are inside a job, and how many of these are overdue."""
        ...


class Health:
    """Its methods may be called from any thread. A loop that is ``grace`` seconds late hangs."""

    def __init__(self, workers: Workers, grace: float) -> None:
        self._workers = workers
        self._grace = max(grace, LEAST_GRACE)
        self._feed: Feed | None = None
        self._due: dict[str, float] = {}
        self._trouble: dict[str, str] = {}
        self._error: str | None = None
        self._why = ""
        #: starting, running, restarting or stopping.
        self.phase = STARTING
        self.since = clock.now()
        #: Called with each new phase, in the thread that makes it so.
        self.changed: Callable[[str], None] = lambda phase: None

    # --- for the consumer -----------------------------------------------------------------------

    def beat(self, loop: str, pause: float = 0.0) -> None:
        """``loop`` is alive, and will be back in ``pause`` seconds."""
        self._due[loop] = clock.monotonic() + pause

    def follow(self, loop: str, step: Callable[[], float]) -> Callable[[], float]:
        """``step`` of a service, watched."""

        def watched() -> float:
            self.beat(loop)
            try:
                pause = step()
            except StorageError as error:
                self._trouble[loop] = str(error)
                raise
            self._trouble.pop(loop, None)
            self.beat(loop, max(pause, 0.0))
            return pause

        self.beat(loop)
        return watched

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
            self.changed(phase)

    # --- for probes -----------------------------------------------------------------------------

    def ill(self) -> list[str]:
        """Why this process should be replaced; empty when it is healthy."""
        now = clock.monotonic()
        reasons = [self._error] if self._error is not None else []
        for loop, due in sorted(self._due.copy().items()):
            late = now - due
            over = loop in _ENDED_FIRST and self.phase in (RESTARTING, STOPPING)
            if late > self._grace and not over:
                reasons.append(f"the {loop} hangs: {late:.0f} s late")
        return reasons

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
        if figures.overdue >= figures.workers:
            reasons.append(f"{figures.overdue} jobs ignore their timeout: no spare worker is left")
        return reasons

    def figures(self) -> Figures:
        busy, overdue = self._workers.count()
        feed = self._feed
        return Figures(
            self._workers.size,
            busy,
            overdue,
            feed.held if feed else 0,
            feed.unwritten if feed else 0,
        )

    def lateness(self) -> dict[str, float]:
        """Seconds that each loop is late; 0 for one that is in time."""
        now = clock.monotonic()
        return {loop: max(0.0, now - due) for loop, due in sorted(self._due.copy().items())}
