"""For the processes that run jobs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from hueycore.model.events import Said
from hueycore.model.glance import Glance
from hueycore.model.jobs import Claim, Ended, Exchange, JobRef, Recovered, Want
from hueycore.model.plan import Input
from hueycore.model.schedules import Periodic
from hueycore.model.states import State


class Slots(Protocol):
    """A worker's note of what it runs, readable by other processes after its death."""

    def start(self, slot: int, seq: int, claim: int) -> None: ...
    def clear(self, slot: int) -> None: ...


class Workers(Protocol):
    """Jobs are claimed, run and ended; time moves them; those of the dead are taken back."""

    def register(
        self, *, name: str, kind: str, slots: int, declares: Sequence[Periodic] | None = None
    ) -> int:
        """Make this process a worker: from now until ``unregister`` or its death it is alive, and
        has in its code what it ``declares`` (see ``declare_periodic``). Returns its number.

        Nobody ever sees a worker's row without its sign of life."""
        ...

    def stopping(self, worker: int) -> None:
        """From now on, the recovery of this worker's jobs counts no crash."""
        ...

    def unregister(self, worker: int) -> None:
        """The worker is gone; what it still held is pending again, uncounted, or revoked if it was
        asked to stop."""
        ...

    def slots(self, worker: int) -> Slots:
        """Where this worker notes which run each of its slots has started."""
        ...

    def exchange(self, worker: int, endings: Sequence[Ended], want: Want) -> Exchange:
        """Apply the endings whose claim still stands, with all that follows from them, and claim
        what ``want`` allows in running order; both commit together. An ending that cannot be
        written, now or ever, ends its job dead (``unwritable``).

        Synced to disk only when an ``at_most_once`` job is claimed, or one with a key where workers
        outlive a crash of the storage: a power cut may undo any other claim or ending, and the job
        runs again. Without endings and without a pending job nothing is written."""
        ...

    @property
    def overlaps(self) -> bool:
        """Whether a process works on while the storage makes an exchange: it takes
        ``send_exchange``."""
        ...

    def send_exchange(
        self, worker: int, endings: Sequence[Ended], want: Want
    ) -> Callable[[], Exchange]:
        """Begin an ``exchange`` that claims only quick jobs, whoever is free, and go on: what this
        answers waits for it. This worker asks for no other one before. Where nothing ``overlaps``
        the exchange is made by who waits."""
        ...

    def inputs(self, seq: int) -> list[Input]:
        """What the parents of a stage give to its call, in the order of their slots. Fewer than
        ``inputs`` of its row: some of it was purged."""
        ...

    def is_handled(self, seq: int) -> bool:
        """Whether somebody is called when this job fails for good."""
        ...

    def note(self, said: Sequence[tuple[Claim, Said]]) -> None:
        """What running jobs say of themselves; ignored of those whose claim is lost. A job keeps
        its newest lines, a bounded number."""
        ...

    def cancel_requested(self, seqs: Sequence[int], *, interrupt: bool = False) -> list[int]:
        """Which of these running jobs were asked to stop, or are even to be interrupted."""
        ...

    def note_overdue(self, seq: int, claim: int) -> bool:
        """The process of this run is about to be killed because its time is over: recovery then
        ends it as a timeout, or revoked if it was to be interrupted. False when it has ended."""
        ...

    def promote(self, limit: int = 500) -> list[JobRef]:
        """Due scheduled jobs become pending, or blocked when their key has no room. They keep
        ``run_at``, their place in the order. Keys whose time has come let their next job go."""
        ...

    def expire(self, limit: int = 500) -> list[tuple[JobRef, State]]:
        """Waiting jobs past ``expires_at`` become expired, but not before a relative expiry begins
        to count; with the state they were in."""
        ...

    def next_run_at(self) -> float | None:
        """When the next scheduled job of this queue is due, or time lets a blocked one go."""
        ...

    def recover(self) -> list[Recovered]:
        """Take back the jobs of every worker that is dead. Only one caller wins a dead worker."""
        ...

    def glance(self, declared: Collection[str] | None = None) -> Glance:
        """What this process has to do for the queue, as it was a second ago at most, or in a worker
        process of a supervisor longer: another one looks for it; what it was told of since, or has
        written, counts. ``declared``: the schedules of its code, None for
        those of the last time. An engine that answers each question as quickly says that anything
        may be.

        Raises as ``verify`` does."""
        ...

    def wait(self, timeout: float) -> bool:
        """Sleep until somebody enqueued, or ``timeout`` seconds; True when there may be news."""
        ...

    def nudge(self) -> None:
        """End a ``wait`` of this process now."""
        ...
