"""What follows a failed attempt: when it is tried again, and whether."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from zlib import crc32

#: Seconds that a job waits for a process that knows its task (a rolling deploy may be under way).
UNKNOWN_TASK_PATIENCE = 600.0
#: The error that a row keeps of its first look without its task, or without the class of an
#: argument; the last one is ``UnknownTask`` or ``UnknownClass``.
NOT_FOUND = "TaskNotFound"

logger = logging.getLogger("hueycore.execute")

#: One class of exceptions, or several.
Exceptions = type[BaseException] | tuple[type[BaseException], ...]
#: Asked as ``f(task, exception)`` after a failure: seconds until the retry, True for the usual
#: delay, False or None for no retry.
RetryRule = Callable[[Any, BaseException], float | timedelta | bool | None]


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delays that grow: ``base`` seconds before the first retry, ``factor`` times as many before
    each next one, never more than ``cap``.

    ``jitter``, a share from 0 to 1, spreads jobs that failed together: 0.1 makes each delay up to
    10 % shorter or longer. By how much follows from the job's id and attempt, so it is different
    for each and can be told beforehand.

    Raises ValueError for numbers that are no delays.
    """

    base: float
    factor: float = 2.0
    cap: float | None = None
    jitter: float = 0.0

    def __post_init__(self) -> None:
        if not (self.base >= 0 and self.factor > 0 and (self.cap is None or self.cap >= 0)):
            raise ValueError(f"{self}: delays cannot be negative")
        if not 0 <= self.jitter <= 1:
            raise ValueError(f"{self}: jitter is a share from 0 to 1")

    def limit(self, delay: float) -> float:
        """A delay in seconds, at most ``cap``."""
        return delay if self.cap is None else min(delay, self.cap)

    def spread(self, delay: float, id: str, attempt: int) -> float:
        """The delay of one job's attempt, with jitter."""
        share = crc32(f"{id}:{attempt}".encode()) / 0xFFFFFFFF
        return delay * (1 + self.jitter * (2 * share - 1))


def unknown_task_delay(waited: float) -> float:
    """Seconds until the next look, after ``waited`` seconds: 1, 2, 4 … 60."""
    return min(60.0, max(0.0, waited) + 1)


def next_delay(delay: float, backoff: float, policy: Backoff | None = None) -> float:
    """The delay of the retry after the next, seconds (Huey: multiplied, when there is both)."""
    delay = delay * backoff if backoff else delay
    return delay if policy is None else policy.limit(delay)


def verdict(
    task: Any,
    error: BaseException,
    retry_on: Exceptions | RetryRule | None,
    never_on: Exceptions,
) -> float | timedelta | bool:
    """Whether a failed attempt may be tried again, by what the task says of its exceptions: False,
    True, or after so many seconds. ``never_on`` wins."""
    if isinstance(error, never_on):
        return False
    if retry_on is None:
        return True
    if isinstance(retry_on, (tuple, type)):
        return isinstance(error, retry_on)
    try:
        answer = retry_on(task, error)
    except BaseException:
        logger.exception("retry_on of %s failed; it is retried as usual", task.task_name)
        return True
    return False if answer is None else answer
