"""The storage protocol: words, states, the transition table, and the verbs.

A storage knows bytes and columns, never tasks or serializers. Each verb is one transaction that
commits whole or not at all; a selector says which jobs a verb is about. No SQL crosses this line,
so that another engine can stand behind it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from hueycore.ending import Ending


class State(StrEnum):
    """Where a job is in its life: the same strings in the database, the CLI, JSON and metrics."""

    SCHEDULED = "scheduled"
    PENDING = "pending"
    BLOCKED = "blocked"
    RUNNING = "running"
    DONE = "done"
    DEAD = "dead"
    REVOKED = "revoked"
    EXPIRED = "expired"


WAITING = (State.SCHEDULED, State.PENDING, State.BLOCKED)
LIVE = (*WAITING, State.RUNNING)
FINAL = (State.DONE, State.DEAD, State.REVOKED, State.EXPIRED)


class Transition(NamedTuple):
    """One row of the state machine. An empty ``before`` is birth, an empty ``after`` the purge."""

    verb: str
    before: tuple[State, ...]
    after: tuple[State, ...]
    fence: str
    counts: str


TRANSITIONS: tuple[Transition, ...] = (
    Transition("enqueue", (), WAITING, "", ""),
    Transition("promote", (State.SCHEDULED, State.BLOCKED), (State.PENDING,), "", ""),
    Transition("claim", (State.PENDING,), (State.RUNNING,), "", "attempt + 1, claim + 1"),
    Transition("end: done", (State.RUNNING,), (State.DONE,), "claim", ""),
    Transition(
        "end: retry", (State.RUNNING,), (State.SCHEDULED, State.PENDING), "claim", "retries - 1"
    ),
    Transition("end: dead", (State.RUNNING,), (State.DEAD,), "claim", ""),
    Transition("end: snooze", (State.RUNNING,), (State.SCHEDULED,), "claim", "attempt - 1"),
    Transition("end: release", (State.RUNNING,), (State.PENDING,), "claim", "attempt - 1"),
    Transition(
        "end: revoked, expired, blocked",
        (State.RUNNING,),
        (State.REVOKED, State.EXPIRED, State.BLOCKED),
        "claim",
        "attempt - 1 unless it had started",
    ),
    Transition(
        "recover",
        (State.RUNNING,),
        (State.PENDING, State.DEAD),
        "lock byte",
        "crashes + 1 only if it had started",
    ),
    Transition("revoke", WAITING, (State.REVOKED,), "", ""),
    Transition("revoke", (State.RUNNING,), (State.RUNNING,), "", "cancel requested"),
    Transition("expire", WAITING, (State.EXPIRED,), "", ""),
    Transition("requeue", FINAL, (State.SCHEDULED, State.PENDING), "", "history kept"),
    Transition("purge", FINAL, (), "", "counted"),
)


class NewJob(NamedTuple):
    """A job to be born. Times are POSIX seconds, durations seconds; ``run_at`` None means now."""

    id: str
    task: str
    payload: bytes
    preview: str | None = None
    priority: float = 0
    run_at: float | None = None
    expires_at: float | None = None
    scheduled_for: float | None = None
    retries: int = 0
    retry_delay: float = 0
    retry_backoff: float = 0
    timeout: float | None = None
    max_crashes: int = 3
    at_most_once: bool = False
    result_ttl: float | None = None


class Enqueued(NamedTuple):
    """The answer to an enqueue. ``fresh`` is False when a live job of this id existed already."""

    seq: int
    id: str
    state: State
    fresh: bool = True


class Claim(NamedTuple):
    """The right of one worker process to end one run of a job."""

    seq: int
    claim: int
    id: str
    task: str
    payload: bytes
    attempt: int
    retries: int
    retry_delay: float
    retry_backoff: float
    priority: float
    run_at: float
    enqueued_at: float
    expires_at: float | None
    scheduled_for: float | None
    timeout: float | None
    crashes: int
    at_most_once: int
    result_ttl: float | None
    key_name: str | None
    next: int | None


class Ended(NamedTuple):
    """One finished run. ``started_at`` is None when the run never began."""

    claim: Claim
    ending: Ending
    started_at: float | None = None
    run_s: float = 0.0


class Want(NamedTuple):
    """How many jobs a worker process can take now.

    ``free`` idle workers bound the jobs of unknown or slow tasks; ``quick`` says how many jobs of a
    task known to be short may be taken into one group. ``suspects``: whether a job that crashed a
    process before may be claimed (it is then claimed alone). ``only`` limits the claim to one seq.
    """

    free: int
    quick: dict[str, int] = {}  # noqa: RUF012  a NamedTuple default that nobody mutates
    suspects: bool = True
    only: int | None = None


class JobRef(NamedTuple):
    """Enough of a job to name it in a log line, a signal or a command's output."""

    seq: int
    id: str
    task: str


class Exchange(NamedTuple):
    """What an exchange brought: claims to run, and what it found on the way."""

    claims: list[Claim]
    lost: list[Ended]
    revoked: list[JobRef]
    expired: list[JobRef]
    held: str | None = None


class Recovered(NamedTuple):
    """A job taken back from a dead worker: ``state`` is where it went, ``started`` if it ran."""

    job: JobRef
    state: State
    started: bool
    worker: str


class Changed(NamedTuple):
    """The result of an operator's verb."""

    matched: int
    changed: list[JobRef]
    failed: list[tuple[JobRef, str]]


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it stands, without its payload and result. Field names are the column names."""

    seq: int
    id: str
    queue: str
    task: str
    state: State
    reason: str | None
    priority: float
    run_at: float
    delay: float
    enqueued_at: float
    started_at: float | None
    finished_at: float | None
    expires_at: float | None
    scheduled_for: float | None
    attempt: int
    retries: int
    retry_delay: float
    retry_backoff: float
    timeout: float | None
    crashes: int
    max_crashes: int
    at_most_once: bool
    result_ttl: float | None
    claim: int
    worker: int | None
    claimed_at: float | None
    cancel_requested: bool
    key_name: str | None
    unique_key: str | None
    next: int | None
    slot: int | None
    waits: int
    delivered: bool
    taken: bool | None
    preview: str | None
    progress: str | None
    errors: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """A consumer process. ``running`` lists (slot, seq) of the runs that have started."""

    id: int
    queue: str
    name: str
    host: str
    pid: int
    boot_id: str
    kind: str
    slots: int
    state: str
    started_at: float
    alive: bool
    running: list[tuple[int, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Periodic:
    """A stored schedule. ``declared`` is False for one made at run time."""

    name: str
    task: str
    schedule: str
    tz: str | None
    next_run: float
    last_run: float | None = None
    last_id: str | None = None
    catch_up: str = "latest"
    grace: float = 3600.0
    paused_at: float | None = None
    payload: bytes | None = None
    declared: bool = True
    queue: str = ""


@dataclass(frozen=True, slots=True)
class Revocation:
    """A standing order not to run: of a task, or of an id that no job has yet."""

    queue: str
    kind: str
    name: str
    until: float | None
    once: bool
    since: float
    reason: str | None


@dataclass(frozen=True, slots=True)
class Selector:
    """Which jobs: every field narrows, an empty one does not.

    ``keys`` are ids or seqs as people type them; ``task`` is a glob; ``older_than`` and
    ``newer_than`` are POSIX seconds compared with the time the job came into its state; ``where``
    holds (column, operator, value) with an operator of ``= != < > <= >= ~``. ``sort`` is a column,
    ``-column`` for descending, or ``running-order``.
    """

    queues: tuple[str, ...] = ()
    states: tuple[State, ...] = ()
    keys: tuple[str, ...] = ()
    task: str | None = None
    older_than: float | None = None
    newer_than: float | None = None
    priority: tuple[float | None, float | None] = (None, None)
    where: tuple[tuple[str, str, Any], ...] = ()
    sort: str = "seq"
    limit: int | None = None
    after: int = 0


class Storage(Protocol):
    """What an engine must do. Times are POSIX seconds. Unless said otherwise every verb may raise
    ``StorageError``; when it raises, nothing has changed."""

    @property
    def queue(self) -> str: ...
    @property
    def url(self) -> str:
        """Where the data is, for people: no secrets."""
        ...

    # --- producing ---------------------------------------------------------------------------
    def enqueue(self, jobs: Sequence[NewJob]) -> list[Enqueued]:
        """All jobs are durable when this returns, or none is. An id that is live already answers
        with that job and inserts nothing; a final row of the same id is replaced.

        Raises ``QueueFull``."""
        ...

    # --- the worker's verbs --------------------------------------------------------------------
    def register(self, *, name: str, kind: str, slots: int) -> int:
        """Make this process a worker: from now until ``unregister`` or its death it is alive.
        Returns the worker's number."""
        ...

    def stopping(self, worker: int) -> None:
        """From now on, the recovery of this worker's jobs counts no crash."""
        ...

    def unregister(self, worker: int) -> None:
        """The worker is gone; what it still held is pending again, uncounted."""
        ...

    def slots(self, worker: int) -> Slots:
        """Where this worker notes which run each of its slots has started."""
        ...

    def exchange(self, worker: int, endings: Sequence[Ended], want: Want) -> Exchange:
        """Apply the endings whose claim still stands, with all that follows from them, and claim
        what ``want`` allows in running order; both commit together."""
        ...

    def promote(self, limit: int = 500) -> list[JobRef]:
        """Due scheduled jobs become pending."""
        ...

    def expire(self, limit: int = 500) -> list[tuple[JobRef, State]]:
        """Waiting jobs past ``expires_at`` become expired."""
        ...

    def recover(self) -> list[Recovered]:
        """Take back the jobs of every worker that is dead. Only one caller wins a dead worker."""
        ...

    def next_run_at(self) -> float | None:
        """When the next scheduled job is due."""
        ...

    def wait(self, timeout: float) -> bool:
        """Sleep until somebody enqueued, or ``timeout`` seconds; True when there may be news."""
        ...

    def nudge(self) -> None:
        """End a ``wait`` of this process now."""
        ...

    # --- periodic tasks ------------------------------------------------------------------------
    def declare_periodic(self, schedules: Sequence[Periodic]) -> None:
        """Store what the application declares; keeps ``next_run`` of what is unchanged, forgets
        declared schedules that are declared no more."""
        ...

    def fire(self, name: str, seen: float, next_run: float, jobs: Sequence[NewJob]) -> bool:
        """If ``next_run`` is still ``seen``: move it on and enqueue ``jobs``. False: another
        scheduler was first."""
        ...

    def periodic(self) -> list[Periodic]: ...
    def remove_periodic(self, name: str) -> bool: ...

    # --- steering ------------------------------------------------------------------------------
    def revoke(self, selector: Selector, reason: str | None = None) -> Changed:
        """Waiting jobs end revoked, running ones are asked to stop."""
        ...

    def requeue(
        self, selector: Selector, *, run_at: float | None = None, retries: int | None = None
    ) -> Changed:
        """Final jobs (revoked, expired, dead, done) wait again; their history is kept."""
        ...

    def reschedule(
        self,
        selector: Selector,
        *,
        run_at: float | None = None,
        priority: float | None = None,
        expires_at: float | None = None,
    ) -> Changed:
        """Waiting jobs get another time, priority or expiry; ids are kept."""
        ...

    def set_revocation(
        self,
        kind: str,
        name: str,
        *,
        until: float | None = None,
        once: bool = False,
        reason: str | None = None,
    ) -> None: ...
    def clear_revocation(self, kind: str, name: str) -> bool: ...
    def revocation(self, kind: str, name: str) -> Revocation | None: ...
    def cancel_requested(self, seqs: Sequence[int]) -> list[int]:
        """Which of these running jobs were asked to stop."""
        ...

    def note_progress(self, seq: int, claim: int, progress: str) -> None: ...
    def pause(
        self,
        *,
        task: str | None = None,
        until: float | None = None,
        by: str | None = None,
        reason: str | None = None,
    ) -> None:
        """Nothing of this queue, or of one task, is claimed from now on."""
        ...

    def resume(self, *, task: str | None = None) -> bool: ...
    def purge(self, selector: Selector, limit: int = 1000) -> int:
        """Delete up to ``limit`` final jobs that no waiting job needs; counted in the queue row."""
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

    def put(self, name: str, value: bytes) -> None: ...
    def put_if_empty(self, name: str, value: bytes, ttl: float | None = None) -> bool: ...
    def get(self, name: str, *, peek: bool) -> bytes | None: ...
    def delete(self, name: str) -> bool: ...
    def incr(self, name: str, amount: int = 1) -> int: ...
    def result_count(self) -> int:
        """Unread results and stored values."""
        ...

    # --- looking: never writes, never creates --------------------------------------------------
    def jobs(self, selector: Selector) -> list[Job]: ...
    def count(self, selector: Selector) -> int: ...
    def job(self, key: str) -> Job | None:
        """By long id, else by seq."""
        ...

    def payload(self, seq: int) -> bytes | None: ...
    def depths(self) -> list[Depth]: ...
    def workers(self) -> list[WorkerRow]: ...
    def queues(self) -> list[QueueRow]: ...

    # --- keeping -------------------------------------------------------------------------------
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


class ResultRow(NamedTuple):
    """``result`` is None when there is none, it was taken, or it may not be read yet."""

    seq: int
    state: State
    reason: str | None
    result: bytes | None
    taken: bool | None


@dataclass(frozen=True, slots=True)
class Depth:
    """How many jobs of a queue are in a state; ``oldest`` is the smallest ``run_at`` of pending."""

    queue: str
    state: State
    count: int
    oldest: float | None = None


class QueueRow(NamedTuple):
    """What is known of a queue besides its jobs."""

    queue: str
    serializer: str | None
    paused_at: float | None
    paused_until: float | None
    paused_by: str | None
    pause_reason: str | None
    purged: int


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long finished jobs are kept; ages in seconds (DESIGN: dead letters by age only)."""

    done_age: float = 86_400.0
    done_count: int = 100_000
    dead_age: float = 30 * 86_400.0
    metric_age: float = 7 * 86_400.0
    flag_age: float = 7 * 86_400.0
    batch: int = 500


def states(names: Iterable[str]) -> tuple[State, ...]:
    """Turn names into states. Raises ValueError naming the wrong one."""
    return tuple(State(name) for name in names)
