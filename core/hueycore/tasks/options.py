"""The options of a task: those of its jobs, unless a call has its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

from hueycore.calendar.durations import Seconds, When, check_expires, number, seconds, whole
from hueycore.exceptions import ConfigurationError
from hueycore.model.retry import Backoff, Exceptions, RetryRule
from hueycore.tasks.joblog import KeepLogs
from hueycore.tasks.limits import Key, TaskLimit, make_limit
from hueycore.tasks.unique import By, OnConflict, Unique, Until, make_unique

#: Seconds from the soft timeout to the hard one, unless a task has its own.
GRACE = 5.0


class Settings(TypedDict, total=False):
    """What ``@huey.task`` takes by keyword only; described there."""

    timeout: Seconds | tuple[Seconds, Seconds] | None
    at_most_once: bool
    result_ttl: Seconds | None
    max_crashes: int
    keep_logs: KeepLogs
    retry_on: Exceptions | RetryRule | None
    never_on: Exceptions
    unique: By
    unique_until: Until
    on_conflict: OnConflict
    max_concurrent: int | None
    concurrency_key: Key | None
    lock: bool | str
    rate: str | None


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
    timeout_grace: float = GRACE
    at_most_once: bool = False
    result_ttl: float | None = None
    max_crashes: int = 3
    keep_logs: KeepLogs = None
    backoff: Backoff | None = None
    retry_on: Exceptions | RetryRule | None = None
    never_on: Exceptions = ()
    unique: Unique | None = None
    limit: TaskLimit | None = None
    #: Attributes of the application's own, which its jobs have.
    attributes: Mapping[str, Any] | None = None


#: The others, which ``@huey.task`` takes by position too.
_PLACED = ("retries", "retry_delay", "retry_backoff", "priority", "expires")


def task_options(*, context: bool | Mapping[str, Any] = False, **given: Any) -> TaskOptions:
    """Options as callers give them. A mapping as ``context`` is more of them, and no job is passed
    to the function. One that does not exist is an attribute of the jobs, as in Huey, with a warning
    when it looks misspelt. Raises ``ConfigurationError`` for such a one in ``context``, ValueError
    for a value that cannot be."""
    known = {*_PLACED, *Settings.__annotations__}
    if isinstance(context, Mapping):
        unknown = context.keys() - known
        if unknown:
            names = ", ".join(sorted(map(repr, unknown)))
            raise ConfigurationError(f"context={dict(context)!r}: there is no option {names}")
        given, context = {**given, **context}, False
    own = {name: given.pop(name) for name in given.keys() - known}
    if own:
        _warn_of_misspelt(own, known)
        given["attributes"] = own
    return _converted(context=bool(context), **given)


def _converted(
    *,
    retries: int = 0,
    retry_delay: Seconds | Backoff = 0,
    retry_backoff: float = 0,
    priority: float | None = None,
    expires: When | None = None,
    timeout: Seconds | tuple[Seconds, Seconds] | None = None,
    result_ttl: Seconds | None = None,
    unique: By | None = None,
    unique_until: Until | None = None,
    on_conflict: OnConflict | None = None,
    max_concurrent: int | None = None,
    concurrency_key: Key | None = None,
    lock: bool | str = False,
    rate: str | None = None,
    **others: Any,
) -> TaskOptions:
    if isinstance(retry_delay, Backoff):
        if retry_backoff:
            raise ValueError("retry_delay=Backoff(…) has a factor of its own: no retry_backoff=")
        others["backoff"], retry_backoff = retry_delay, retry_delay.factor
        retry_delay = retry_delay.limit(retry_delay.base)
    soft, grace = _soft_and_grace(timeout)
    check_expires(expires)
    return TaskOptions(
        retries=whole("retries", retries),
        retry_delay=number("retry_delay", seconds(retry_delay), 0),
        retry_backoff=number("retry_backoff", retry_backoff, 0),
        priority=None if priority is None else number("priority", priority),
        expires=expires,
        timeout=soft,
        timeout_grace=grace,
        result_ttl=None if result_ttl is None else number("result_ttl", seconds(result_ttl)),
        unique=make_unique(None, unique, None, unique_until, on_conflict),
        limit=make_limit(max_concurrent, concurrency_key, lock, rate),
        **others,
    )


def _warn_of_misspelt(own: Mapping[str, Any], known: set[str]) -> None:
    # Imported here: few tasks have attributes of their own.
    from difflib import get_close_matches

    from hueycore.system.caller import warn_caller

    for name in sorted(own):
        meant = get_close_matches(name, known, 1, 0.75)
        if meant:
            warn_caller(
                f"{name}= is no option of a task, but an attribute of its jobs: is it {meant[0]}=?"
            )


def _soft_and_grace(
    timeout: Seconds | tuple[Seconds, Seconds] | None,
) -> tuple[float | None, float]:
    """``timeout=`` as one number, or as the pair of a soft and a hard one."""
    if not isinstance(timeout, tuple):
        return None if timeout is None else number("timeout", seconds(timeout), 0), GRACE
    try:
        soft, hard = map(seconds, timeout)
        if 0 < soft <= hard:
            return soft, hard - soft
    except (TypeError, ValueError):
        pass
    raise ConfigurationError(f"timeout={timeout!r}: use seconds, or (soft, hard)")
