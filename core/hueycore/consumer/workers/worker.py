"""One worker, whatever its kind: its slot, the claim that it runs, and how it leaves the pool."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterable
from typing import NamedTuple, Protocol

from hueycore.consumer.feed import Feed
from hueycore.consumer.outbox import OnCommit
from hueycore.model.endings import Dead, Failure
from hueycore.model.jobs import Claim, Ended
from hueycore.runs.finished import Finished
from hueycore.runs.hooks import Hook
from hueycore.storage.protocol.workers import Slots
from hueycore.system import clock, forks
from hueycore.system.deferred import refuse_deferred

logger = logging.getLogger("hueycore.consumer")


class Worker:
    """Each kind defines how a worker waits for jobs, how it runs them and how it is stopped."""

    def __init__(self, number: int, parts: Parts, on_left: Callable[[], None]) -> None:
        self.number = number
        self.parts = parts
        self._on_left = on_left
        self.claim: Claim | None = None
        self.done = 0
        self.overdue = False

    def start(self) -> None:
        raise NotImplementedError

    def alive(self) -> bool:
        raise NotImplementedError

    def join(self, timeout: float) -> None:
        """Wait for at most ``timeout`` seconds until it has left."""
        raise NotImplementedError

    @property
    def owner(self) -> Hashable:
        """What identifies its runs for the time limits."""
        raise NotImplementedError

    def stop(self, claim: Claim, error: type[BaseException]) -> bool:
        """Let the run of ``claim`` raise ``error``; called from another thread. False when the run
        cannot be stopped from outside."""
        raise NotImplementedError

    def log_death(self, error: BaseException | None) -> None:
        """It was ended from outside: an exception was thrown into its thread, its greenlet was
        killed, its coroutine cancelled."""
        what = "was cancelled" if error is None else f"was ended by {type(error).__name__}"
        logger.error(
            "worker %d %s; another one takes its place",
            self.number + 1,
            what,
            exc_info=error if isinstance(error, Exception) else None,
        )

    def clean_up(self) -> None:
        """It is gone. A job that it was running ends as crashed."""
        claim, self.claim = self.claim, None
        if claim is None:
            return
        self.parts.slots.clear(self.number)
        logger.error("worker %d died in job %s of %s", self.number + 1, claim.seq, claim.task)
        failure = Failure("Crashed", "its worker died while it ran this job", "")
        self.parts.feed.end(Finished(Ended(claim, Dead("crashed", failure), clock.now())))

    def rest(self) -> None:
        """It has no job at hand."""
        self.parts.slots.clear(self.number)

    def begin(self, claim: Claim) -> None:
        """The kind is about to run it."""
        self.claim = claim
        self.parts.slots.start(self.number, claim.seq, claim.claim)

    def end(self) -> bool:
        """The ending is in the feed, and kept if it must be. False when the worker has to leave.
        The slot shows the job until the worker has another one, or ``rest``."""
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
    #: Called by the loops on which jobs run, as ``Loops.beat``.
    on_beat: Callable[[str, float], None]


class Kind(Protocol):
    """What the workers of one kind have in common."""

    def open(self, parts: Parts) -> None:
        """The consumer begins to work, in the thread that calls this."""
        ...

    def make(self, number: int, on_left: Callable[[], None]) -> Worker:
        """A worker, not started, that calls ``on_left`` when it leaves by itself."""
        ...

    def is_inside(self) -> bool:
        """Whether the caller runs inside a job of this consumer."""
        ...

    def relay(self, on_commit: OnCommit) -> OnCommit:
        """A callback for the feed that calls ``on_commit`` where these workers run their jobs."""
        ...

    def close(self) -> None:
        """The consumer has ended. Workers that hang keep what they need until they leave."""
        ...


def call_hooks(when: str, hooks: Iterable[tuple[str, Hook]]) -> None:
    """Call the startup or shutdown hooks of a worker. A hook that raises is logged."""
    for name, hook in hooks:
        try:
            refuse_deferred(forks.call(hook), "it")
        except BaseException:
            logger.exception("%s hook %s failed", when, name)
