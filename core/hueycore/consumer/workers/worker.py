"""One worker, whatever its kind: a slot, what it runs, and its place in the crew."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterable
from typing import TYPE_CHECKING, NamedTuple, Protocol

from hueycore.consumer.feed import Feed, Teller
from hueycore.model.endings import Dead, Failure
from hueycore.model.jobs import Claim, Ended
from hueycore.runs.executor import Finished, Hook
from hueycore.storage.protocol.workers import Slots
from hueycore.system import clock

if TYPE_CHECKING:
    pass

logger = logging.getLogger("hueycore.consumer")


class Worker:
    """A kind of workers says how one waits for jobs, how it runs them and how it is stopped."""

    def __init__(self, number: int, parts: Parts, left: Callable[[], None]) -> None:
        self.number = number
        self.parts = parts
        self._left = left
        self.claim: Claim | None = None
        self.done = 0
        self.overdue = False

    def start(self) -> None:
        raise NotImplementedError

    def alive(self) -> bool:
        raise NotImplementedError

    def join(self, timeout: float) -> None:
        """Wait until it has left, ``timeout`` seconds at most."""
        raise NotImplementedError

    @property
    def owner(self) -> Hashable:
        """What the time limits know its runs by."""
        raise NotImplementedError

    def stop(self, claim: Claim, error: type[BaseException]) -> bool:
        """From another thread: let the run of ``claim`` raise ``error``. False when it cannot be
        stopped from outside."""
        raise NotImplementedError

    def died_of(self, error: BaseException | None) -> None:
        """Somebody has ended it: thrown something into its thread, killed its greenlet, cancelled
        its coroutine."""
        what = "was cancelled" if error is None else f"was ended by {type(error).__name__}"
        logger.error(
            "worker %d %s; another one takes its place", self.number + 1, what,
            exc_info=error if isinstance(error, Exception) else None,
        )  # fmt: skip

    def bury(self) -> None:
        """It is gone. What it was running has died of something that no run survives."""
        claim, self.claim = self.claim, None
        if claim is None:
            return
        self.parts.slots.clear(self.number)
        logger.error("worker %d died in job %s of %s", self.number + 1, claim.seq, claim.task)
        failure = Failure("Crashed", "its worker died while it ran this job", "")
        self.parts.feed.end(Finished(Ended(claim, Dead("crashed", failure), clock.now())))

    # --- the life of a run, for the kinds -----------------------------------------------------

    def begins(self, claim: Claim) -> None:
        self.claim = claim
        self.parts.slots.start(self.number, claim.seq, claim.claim)

    def ended(self) -> bool:
        """The ending is in the feed, and kept if it must be. False when the worker shall leave."""
        self.parts.slots.clear(self.number)
        self.claim = None
        self.done += 1
        return not (self.overdue or self.done == self.parts.max_tasks)


class Parts(NamedTuple):
    """What the workers of one consumer share."""

    feed: Feed
    slots: Slots
    startup: list[tuple[str, Hook]]
    shutdown: list[tuple[str, Hook]]
    max_tasks: int | None
    #: ``Loops.beat``, for the loops on which jobs run.
    beat: Callable[[str, float], None]


class Kind(Protocol):
    """What the workers of one kind have in common."""

    def open(self, parts: Parts) -> None:
        """The consumer begins, in the thread that calls this."""
        ...

    def make(self, number: int, left: Callable[[], None]) -> Worker:
        """A worker, not started, that calls ``left`` when it leaves by itself."""
        ...

    def is_inside(self) -> bool:
        """Whether the caller is in a job of this consumer."""
        ...

    def telling(self, tell: Teller) -> Teller:
        """The teller as it reaches receivers where these workers run."""
        ...

    def close(self) -> None:
        """The consumer is at its end. Workers that hang keep what they need until they leave."""
        ...


def call_hooks(when: str, hooks: Iterable[tuple[str, Hook]]) -> None:
    """Call the hooks of a worker's begin or end; one that raises stops nobody."""
    for name, hook in hooks:
        try:
            hook()
        except BaseException:
            logger.exception("%s hook %s failed", when, name)
