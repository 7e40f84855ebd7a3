"""The limits of a task: how many of its jobs run at once, how fast they start, by which key."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from hueycore.exceptions import ConfigurationError
from hueycore.model.limits import Limit, Rate

#: A name that jobs share, or what makes it from the arguments of a call.
Key = str | Callable[..., Any]

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_RATE = r"(\d+)\s*/\s*(\d+(?:\.\d+)?)?\s*([smhd])"


class TaskLimit(NamedTuple):
    """The limits that a task declares; ``key`` None stands for the task's own name."""

    at_once: int | None
    rate: Rate | None
    key: Key | None

    def key_of(self, task: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """The key of one call."""
        return str(self.key(*args, **kwargs)) if callable(self.key) else self.key or task

    def combined(self, other: TaskLimit) -> TaskLimit:
        """Both together, the stricter number. Raises ``ConfigurationError`` when the keys differ: a
        job has one."""
        if self.key != other.key:
            had = self.key or "its own name"
            raise ConfigurationError(f"a job has one key: {other.key!r} beside {had!r}")
        if self.rate is not None and other.rate is not None:
            raise ConfigurationError("a task has one rate")
        numbers = [one for one in (self.at_once, other.at_once) if one is not None]
        return TaskLimit(min(numbers, default=None), self.rate or other.rate, self.key)

    def for_task(self, task: str) -> Limit:
        """As the storage has it."""
        key = None if callable(self.key) else self.key or task
        return Limit(task, key, self.at_once, self.rate)


def make_limit(
    max_concurrent: int | None, key: Key | None, lock: bool | str, rate: str | None
) -> TaskLimit | None:
    """From the options of ``@huey.task``. Raises ``ConfigurationError``."""
    if lock:
        if max_concurrent not in (None, 1):
            raise ConfigurationError(f"lock= is max_concurrent=1, not {max_concurrent}")
        if isinstance(lock, str) and key is not None:
            raise ConfigurationError("lock='name' and concurrency_key= both name the key")
        max_concurrent, key = 1, lock if isinstance(lock, str) else key
    if max_concurrent is not None and max_concurrent < 1:
        raise ConfigurationError(f"max_concurrent={max_concurrent!r}: a whole number from 1")
    if max_concurrent is None and rate is None:
        if key is not None:
            raise ConfigurationError("concurrency_key= needs max_concurrent=, lock= or rate=")
        return None
    return TaskLimit(max_concurrent, None if rate is None else parse_rate(rate), key)


def parse_rate(text: str) -> Rate:
    """``10/s``, ``10/m``, ``10/h``, ``10/d``, or ``10/30s``. Raises ``ConfigurationError``."""
    found = re.fullmatch(_RATE, text.strip())
    if found is None:
        raise ConfigurationError(f"rate={text!r}: say how many per time, such as 10/s or 100/30m")
    number, times, unit = found.groups()
    return make_rate(int(number), float(times or 1) * _UNITS[unit], 1)


def make_rate(limit: int, per: float, burst: int) -> Rate:
    """Raises ``ConfigurationError`` for numbers that make no rate."""
    if limit < 1 or per <= 0 or not 1 <= burst <= limit:
        raise ConfigurationError(
            f"a rate of {limit} per {per:g} s with a burst of {burst}: limit and burst are whole "
            "numbers from 1, the burst at most the limit, the time more than 0"
        )
    return Rate(limit, per, burst)
