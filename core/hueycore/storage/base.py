"""The storage protocol: the verbs that an engine must have, on the words and rows beside it.

A storage knows bytes and columns, never tasks or serializers. Each verb is one transaction that
commits whole or not at all; a selector says which jobs a verb is about. No SQL crosses this line,
so that another engine can stand behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from hueycore.model.events import Event, EventQuery, LogLine, Said
from hueycore.model.flags import Revocation
from hueycore.model.jobs import (
    Cargo,
    Changed,
    Claim,
    Ended,
    Enqueued,
    Exchange,
    Job,
    JobRef,
    Loaded,
    NewJob,
    Recovered,
    ResultRow,
    Selector,
    Want,
)
from hueycore.model.limits import Limit, Lock, Rate
from hueycore.model.plan import Edge, Input, Plan
from hueycore.model.reports import DeadGroup, Depth, Finding, Metric, QueueRow, SeenTask, WorkerRow
from hueycore.model.retention import Keeping
from hueycore.model.schedules import Coming, Fire, Periodic, repeated
from hueycore.model.states import (
    FINAL,
    LIVE,
    MOVES,
    TRANSITIONS,
    VERBS,
    WAITING,
    State,
    Transition,
    states,
)
from hueycore.storage.protocol.guest import Guest
from hueycore.storage.protocol.huey import HueyNames
from hueycore.storage.protocol.limits import Guards
from hueycore.storage.protocol.queries import Looks

__all__ = [
    "FINAL", "LIVE", "MOVES", "TRANSITIONS", "VERBS", "WAITING", "Cargo", "Changed", "Claim",
    "Coming", "DeadGroup", "Depth", "Edge", "Ended", "Enqueued", "Event", "EventQuery",
    "Exchange", "Finding", "Fire", "Guest", "Input", "Job", "JobRef", "Keeping", "Limit",
    "Loaded", "Lock", "LogLine", "Metric", "NewJob", "Periodic", "Plan", "QueueRow", "Rate",
    "Recovered", "ResultRow", "Revocation", "Said", "SeenTask", "Selector", "Slots", "State",
    "Storage", "Transition", "Want", "WorkerRow", "repeated", "states",
]  # fmt: skip


class Storage(Looks, HueyNames, Guards, Protocol):
    """What an engine must do. Times are POSIX seconds. Unless said otherwise every verb may raise
    ``StorageError``; when it raises, nothing has changed."""

    @property
    def queue(self) -> str: ...
    @property
    def url(self) -> str:
        """Where the data is, for people: no secrets."""
        ...

    @property
    def shared(self) -> bool:
        """Whether other processes see it."""
        ...

    # --- producing ---------------------------------------------------------------------------
    def enqueue(self, jobs: Sequence[NewJob], plan: Plan | None = None) -> list[Enqueued]:
        """All jobs are durable when this returns, or none is. An id that is live already, or whose
        result a waiting job needs, answers with that job and inserts nothing; another final row of
        the same id is replaced. A unique key that is taken answers as ``on_conflict`` says. With a
        ``plan`` they are stages: those that have parents wait for them.

        Raises ``QueueFull``, ``DuplicateJob``; ``ConfigurationError`` when some jobs of a plan
        exist and others do not."""
        ...

    def on(self, connection: Any) -> Guest:
        """Write in the transaction of a connection of the caller's own to the same data.

        Raises ``ConfigurationError`` when it is not one."""
        ...

    # --- the worker's verbs --------------------------------------------------------------------
    def register(
        self, *, name: str, kind: str, slots: int, declares: Sequence[Periodic] | None = None
    ) -> int:
        """Make this process a worker: from now until ``unregister`` or its death it is alive, and
        has in its code what it ``declares`` (see ``declare_periodic``). Returns its number."""
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
        what ``want`` allows in running order; both commit together."""
        ...

    def promote(self, limit: int = 500) -> list[JobRef]:
        """Due scheduled jobs become pending, or blocked by their key."""
        ...

    def expire(self, limit: int = 500) -> list[tuple[JobRef, State]]:
        """Waiting jobs past ``expires_at`` become expired."""
        ...

    def recover(self) -> list[Recovered]:
        """Take back the jobs of every worker that is dead. Only one caller wins a dead worker."""
        ...

    def next_run_at(self) -> float | None:
        """When the next scheduled job is due, or time lets a blocked one go."""
        ...

    def wait(self, timeout: float) -> bool:
        """Sleep until somebody enqueued, or ``timeout`` seconds; True when there may be news."""
        ...

    def nudge(self) -> None:
        """End a ``wait`` of this process now."""
        ...

    # --- periodic tasks ------------------------------------------------------------------------
    def declare_periodic(self, schedules: Sequence[Periodic], worker: int | None = None) -> None:
        """These, and no others, are what a worker has in its code from now on. What is new to it is
        stored, and keeps ``next_run`` if it is unchanged; what no worker has any more is forgotten.
        Stored schedules are left alone."""
        ...

    def schedule_periodic(self, one: Periodic) -> bool:
        """Store a schedule, or replace the stored one of this name. False when the name is declared
        in code."""
        ...

    def remove_periodic(self, name: str) -> bool:
        """Forget a stored schedule; False when there was none of this name."""
        ...

    def pause_periodic(
        self, names: Sequence[str], *, by: str | None = None, reason: str | None = None
    ) -> list[str]:
        """These schedules do not fire from now on; the names of those that exist."""
        ...

    def resume_periodic(self, names: Sequence[str]) -> list[str]:
        """Undo ``pause_periodic``; the names of those that were paused."""
        ...

    def coming_periodic(self, now: float, declared: Sequence[str]) -> Coming:
        """What a worker that declares these names has to do: schedules that are due and not paused,
        stored or declared by it."""
        ...

    def fire(self, fires: Sequence[Fire]) -> list[str]:
        """Where ``next_run`` is still ``seen``: move it on and enqueue the jobs. The names of
        those; with the others another scheduler was first, or they were removed or paused."""
        ...

    def periodic(self, *, whole: bool = False) -> list[Periodic]:
        """The schedules of this queue, or of the ``whole`` storage, by queue and name."""
        ...

    # --- steering ------------------------------------------------------------------------------
    def revoke(
        self, selector: Selector, reason: str | None = None, *, interrupt: bool = False
    ) -> Changed:
        """Waiting jobs end revoked, running ones are asked to stop: by their worker's force if
        ``interrupt``, where its kind can."""
        ...

    def note_overdue(self, seq: int, claim: int) -> bool:
        """The process of this run is about to be killed because its time is over: recovery then
        ends it as a timeout, or revoked if it was to be interrupted. False when it has ended."""
        ...

    def call_off(self, selector: Selector) -> Changed:
        """Running jobs that were asked to stop are asked no more."""
        ...

    def requeue(
        self,
        selector: Selector,
        *,
        run_at: float | None = None,
        retries: int | None = None,
        reset: bool = False,
        apart: float = 0.0,
        reason: str | None = None,
    ) -> Changed:
        """Final jobs (revoked, expired, dead, done) wait again; their history is kept, and
        ``reason`` stays on their rows until they end. Stages that were revoked because of their
        end wait for them again; what had delivered before delivers nothing more. Each runs
        ``apart`` seconds after the one before; ``reset`` gives back the attempts and the retries
        that they have used up."""
        ...

    def reschedule(
        self,
        selector: Selector,
        *,
        run_at: float | None = None,
        priority: float | None = None,
        expires_at: float | None = None,
        reason: str | None = None,
    ) -> Changed:
        """Waiting jobs get another time, priority or expiry; ids are kept, and ``reason`` stays on
        their rows until they end."""
        ...

    def set_revocation(
        self,
        kind: str,
        name: str,
        *,
        until: float | None = None,
        once: bool = False,
        reason: str | None = None,
        by: str | None = None,
    ) -> None: ...
    def clear_revocation(self, kind: str, name: str) -> bool: ...
    def revocation(self, kind: str, name: str) -> Revocation | None: ...
    def cancel_requested(self, seqs: Sequence[int], *, interrupt: bool = False) -> list[int]:
        """Which of these running jobs were asked to stop, or are even to be interrupted."""
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

    def pause(
        self,
        *,
        task: str | None = None,
        scheduler: bool = False,
        until: float | None = None,
        by: str | None = None,
        reason: str | None = None,
    ) -> None:
        """Nothing of this queue, or of one task, is claimed from now on; ``scheduler``: jobs are,
        but periodic tasks do not fire."""
        ...

    def resume(self, *, task: str | None = None, scheduler: bool = False) -> bool: ...
    def purge(self, selector: Selector, limit: int = 1000) -> int:
        """Delete up to ``limit`` final jobs that no waiting job needs; counted in the queue row."""
        ...

    def holding(self, kind: str, older_than: float | None = None) -> int:
        """How many things of a kind this queue holds besides its jobs: ``results`` that no waiting
        job needs, ``values``, ``counters``, ``locks``, ``events``."""
        ...

    def clear(self, kind: str, older_than: float | None = None, limit: int = 1000) -> int:
        """Delete up to ``limit`` of what ``holding`` counts. A result that is deleted counts as
        taken."""
        ...

    def flush(self) -> None:
        """Delete everything of this queue (Huey's ``flush``)."""
        ...

    # --- results and values --------------------------------------------------------------------
    def result(self, id: str, *, preserve: bool) -> ResultRow | None:
        """The state and result of a job, None when there is no such job. Unless ``preserve``, the
        bytes are handed out once."""
        ...

    def wait_for(self, id: str, timeout: float | None) -> bool:
        """Sleep until the job is final; False when ``timeout`` seconds passed first. Raises
        ``UnknownJob``."""
        ...

    def version(self) -> int:
        """A number that is another one whenever somebody has committed. It is cheap to ask."""
        ...

    def over(self, ids: Sequence[str]) -> list[str]:
        """Those of these jobs that are final, or of which there is no row."""
        ...

    def put(self, name: str, value: bytes) -> None: ...
    def put_if_empty(self, name: str, value: bytes, ttl: float | None = None) -> bool: ...
    def get(self, name: str, *, peek: bool) -> bytes | None: ...
    def delete(self, name: str) -> bool: ...
    def incr(self, name: str, amount: int = 1) -> int: ...
    def result_count(self) -> int:
        """Unread results and stored values."""
        ...

    # --- moving --------------------------------------------------------------------------------
    def export(self, selector: Selector) -> list[Cargo]:
        """The selected jobs with payload and result, in the order of their numbers."""
        ...

    def load(
        self, cargo: Sequence[Cargo], *, if_exists: str = "keep", pending: bool = False
    ) -> list[Loaded]:
        """Bring jobs in, all or none. An id that exists is kept, replaced unless it is running
        (``replace``) or refused (``fail``)."""
        ...

    def discard(self, jobs: Sequence[Job]) -> list[JobRef]:
        """Delete final jobs that are still as they were seen, unless a waiting job needs them;
        counted in the queue row."""
        ...

    # --- keeping -------------------------------------------------------------------------------
    def record_events(self, on: bool) -> bool:
        """From now on what becomes of this queue's jobs is recorded, whoever does it, in the
        transaction that does it; or no more. False when that was so already."""
        ...

    def keep(self, rules: Keeping) -> dict[str, int]:
        """Purge by rule, a small batch per call: {rule: rows}. All zero when there is no more."""
        ...

    def verify(self) -> None:
        """Raise ``StorageMoved`` or ``StorageTooNew`` when this process must stop taking jobs."""
        ...

    def leave_checkpoints_to_janitor(self) -> None:
        """Called by a consumer: from now on only ``checkpoint`` does such work."""
        ...

    def checkpoint(self) -> None: ...
    def close(self) -> None: ...


class Slots(Protocol):
    """A worker's note of what it runs, readable by other processes after its death."""

    def start(self, slot: int, seq: int, claim: int) -> None: ...
    def clear(self, slot: int) -> None: ...
