"""What a task says of its jobs unless a call says otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypedDict

from hueycore.times import Seconds, When, seconds


class Settings(TypedDict, total=False):
    """What ``@huey.task`` takes by keyword only; described there."""

    timeout: Seconds | None
    at_most_once: bool
    result_ttl: Seconds | None
    max_crashes: int


@dataclass(frozen=True, slots=True)
class TaskOptions:
    """All options of a task, durations in seconds."""

    retries: int = 0
    retry_delay: float = 0
    retry_backoff: float = 0
    priority: float | None = None
    context: bool = False
    expires: When | None = None
    timeout: float | None = None
    at_most_once: bool = False
    result_ttl: float | None = None
    max_crashes: int = 3


def task_options(
    *,
    retry_delay: Seconds = 0,
    timeout: Seconds | None = None,
    result_ttl: Seconds | None = None,
    **others: Any,
) -> TaskOptions:
    """Options as callers give them. Raises TypeError for one that does not exist."""
    return TaskOptions(
        retry_delay=seconds(retry_delay),
        timeout=seconds(timeout),
        result_ttl=seconds(result_ttl),
        **others,
    )
