"""What producers take and give, whether they queue through an application or into a file."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from hueyctl.producers.arguments import Call

if TYPE_CHECKING:
    from hueycore.calendar.durations import When
    from hueycore.model.jobs import Job, NewJob
    from hueycore.storage.base import Storage


class Order(NamedTuple):
    """One job that is wanted, in the words of the command line. Times are POSIX seconds; ``delay``
    and ``expires_in`` as in ``NewJob``."""

    task: str
    call: Call
    id: str | None = None
    run_at: float | None = None
    expires_at: float | None = None
    priority: float | None = None
    retries: int | None = None
    retry_delay: float | None = None
    unique_key: str | None = None
    on_conflict: str = "fail"
    delay: float | None = None
    expires_in: float | None = None
    #: The job whose call this is once more; where nobody can read it, its bytes stand for ``call``.
    like: Job | None = None
    payload: bytes | None = None


class Queued(NamedTuple):
    """A job that is in the queue. ``fresh`` is False when one of this id or key was there already;
    ``last`` is the id of the last stage after it."""

    id: str
    seq: int | None
    task: str
    fresh: bool = True
    last: str | None = None


class Producer(Protocol):
    """``prepare`` refuses what cannot be queued; ``commit`` is one transaction."""

    @property
    def queue(self) -> str: ...
    @property
    def utc(self) -> bool: ...
    @property
    def storage(self) -> Storage: ...
    def prepare(self, order: Order) -> Any: ...
    def commit(self, prepared: Sequence[Any]) -> list[Queued]: ...
    def row(self, prepared: Any) -> NewJob: ...
    def expires(self, prepared: Any) -> When | None: ...
    def describe(self, prepared: Any) -> dict[str, Any]: ...


def check_size(payload: bytes, limit: int) -> None:
    """Raise ``PayloadTooLarge`` above ``limit`` bytes."""
    from hueycore.exceptions import PayloadTooLarge

    if len(payload) > limit:
        raise PayloadTooLarge(f"the arguments take {len(payload):,} bytes; the limit is {limit:,}")


def describe(job: NewJob) -> dict[str, Any]:
    """A job that was not queued, for --dry-run."""
    from hueycore.model import rest
    from hueyctl.answers.payloads import decode_arguments
    from hueyctl.units import rfc3339

    arguments = decode_arguments(job.payload)
    expires_at = rest.expiry(job, time.time() if job.run_at is None else job.run_at)
    return {
        "task": job.task,
        "args": arguments.args if arguments else None,
        "kwargs": arguments.kwargs if arguments else None,
        "args_repr": None if arguments else job.preview,
        "priority": job.priority,
        "run_at": None if job.run_at is None else rfc3339(job.run_at),
        "expires_at": None if expires_at is None else rfc3339(expires_at),
        "retries": job.retries,
        "retry_delay": job.retry_delay,
    }
