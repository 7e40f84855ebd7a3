"""The words of the state machine: the states a job can be in, and the moves between them."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum, StrEnum
from typing import NamedTuple


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


class Asked(IntEnum):
    """What is wanted of a running job: the values of ``cancel_requested``, 0 for nothing."""

    STOP = 1  #: to end by itself
    INTERRUPT = 2  #: to be interrupted where its kind of worker can
    OVERDUE = 3  #: its time is over, and its process is about to be killed for it


class Transition(NamedTuple):
    """One row of the state machine. An empty ``before`` is birth, an empty ``after`` the purge."""

    verb: str
    before: tuple[State, ...]
    after: tuple[State, ...]
    fence: str
    counts: str


#: What the event log says of a job: Huey's signals, and four moves that Huey has no word for.
MOVES = (
    "enqueued", "scheduled", "claimed", "complete", "retrying", "error", "timeout", "locked",
    "rate-limited", "canceled", "revoked", "expired", "interrupted", "released", "blocked",
    "loaded",
)  # fmt: skip
#: What it says of operators: the verbs that they used.
VERBS = (
    "revoke", "call-off", "requeue", "reschedule", "pause", "resume", "purge", "clear", "flush",
    "load", "schedule", "unschedule", "unlock", "events-on", "events-off",
)  # fmt: skip
#: What it says of worker processes.
WORKERS = ("worker-started", "worker-stopped", "worker-died")

TRANSITIONS: tuple[Transition, ...] = (
    Transition("enqueue", (), WAITING, "", ""),
    Transition("promote", (State.SCHEDULED,), (State.PENDING, State.BLOCKED), "", ""),
    Transition("promote", (State.BLOCKED,), (State.SCHEDULED, State.PENDING), "", ""),
    Transition("park", (State.PENDING,), (State.BLOCKED,), "", ""),
    Transition("claim", (State.PENDING,), (State.RUNNING,), "", "attempt + 1, claim + 1"),
    Transition("end: done", (State.RUNNING,), (State.DONE,), "claim", ""),
    Transition("end: retry", (State.RUNNING,), WAITING, "claim", "retries - 1"),
    Transition("end: dead", (State.RUNNING,), (State.DEAD,), "claim", ""),
    Transition("end: snooze", (State.RUNNING,), (State.SCHEDULED,), "claim", "attempt - 1"),
    Transition(
        "end: release", (State.RUNNING,), (State.PENDING, State.BLOCKED), "claim", "attempt - 1"
    ),
    Transition(
        "end: revoked, expired",
        (State.RUNNING,),
        (State.REVOKED, State.EXPIRED),
        "claim",
        "attempt - 1 unless it had started",
    ),
    Transition("end: blocked", (State.RUNNING,), (State.BLOCKED,), "claim", "attempt - 1"),
    Transition(
        "recover",
        (State.RUNNING,),
        (State.PENDING, State.BLOCKED, State.DEAD, State.REVOKED),
        "lock byte",
        "crashes + 1 only if it had started",
    ),
    Transition(
        "recover: killed as overdue",
        (State.RUNNING,),
        (State.SCHEDULED, State.PENDING, State.DEAD),
        "lock byte",
        "retries - 1",
    ),
    Transition("revoke", WAITING, (State.REVOKED,), "", ""),
    Transition("revoke", (State.RUNNING,), (State.RUNNING,), "", "cancel requested"),
    Transition("expire", WAITING, (State.EXPIRED,), "", ""),
    Transition("reschedule", WAITING, WAITING, "", ""),
    # By an enqueue with the same unique key: another call in the same row.
    Transition("replace", WAITING, WAITING, "", "from the start"),
    Transition("requeue", FINAL, WAITING, "", "history kept"),
    Transition("purge", FINAL, (), "", "counted"),
    Transition("flush", (*LIVE, *FINAL), (), "", ""),
)


def states(names: Iterable[str]) -> tuple[State, ...]:
    """Turn names into states. Raises ValueError naming the wrong one."""
    return tuple(State(name) for name in names)
