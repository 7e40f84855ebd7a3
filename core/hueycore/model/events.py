"""What runs tell of themselves, and what the event log tells of the jobs: plain values."""

from collections.abc import Sequence
from typing import NamedTuple


class LogLine(NamedTuple):
    """Something that a run logged. ``line`` is its number within the job, given by the storage."""

    at: float
    level: str
    message: str
    attempt: int = 0
    line: int = 0


class Said(NamedTuple):
    """What a run said of itself since it was last written down."""

    progress: str | None
    lines: Sequence[LogLine] = ()


class Event(NamedTuple):
    """A line of the event log. ``signal`` is one of ``MOVES``, ``VERBS`` or ``WORKERS``; ``worker``
    is the operator of a verb, ``jobs`` how many it changed, or a dead worker left."""

    event: int
    queue: str
    at: float
    signal: str
    seq: int | None
    id: str | None
    task: str | None
    worker: str | None
    run_s: float | None
    error: str | None
    reason: str | None
    jobs: int | None


class EventQuery(NamedTuple):
    """Which events: every field narrows. ``key`` is a job's id or seq, ``task`` a glob; ``after``
    the number of an event. With ``newest`` the limit cuts off the oldest. ``settled``: only those
    that none can come before any more, for who goes on after the last of them."""

    queues: tuple[str, ...] = ()
    signals: tuple[str, ...] = ()
    task: str | None = None
    key: str | None = None
    since: float | None = None
    until: float | None = None
    after: int = 0
    limit: int | None = None
    newest: bool = False
    settled: bool = False
