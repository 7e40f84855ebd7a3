"""What a run calls, and what it awaits: the function, and whatever its call gave."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable
from typing import Any, NamedTuple

from hueycore.system import clock, forks
from hueycore.tasks.result import ChordResult, Result, ResultGroup
from hueycore.tasks.task import Task


class Invocation(NamedTuple):
    """What is to be called now: the task, or what its call gave, if that has to be awaited."""

    task: Task
    clock0: float
    awaitable: Awaitable[Any] | None = None

    def call(self) -> Any:
        """The value of a plain task; of any other what is to be awaited."""
        if self.awaitable is not None:
            return self.awaitable
        task, generation = self.task, forks.generation
        if task.timeout:
            task._deadline = self.clock0 + task.timeout
        try:
            value = task.execute()
        except BaseException as error:
            forks.end_child(generation, error)
            raise
        forks.end_child(generation)
        return value

    @property
    def is_async(self) -> bool:
        return self.awaitable is not None or self.task.wrapper.is_async

    @property
    def timeout(self) -> float | None:
        """The seconds that it has, None for any number."""
        timeout = self.task.timeout or None
        if timeout is None or self.awaitable is None:
            return timeout
        return max(self.clock0 + timeout - clock.monotonic(), 0.0)


def is_awaitable(value: Any) -> bool:
    """Whether a task's value is to be awaited: anything that can be, but the handles of jobs, which
    may wait for this one."""
    return inspect.isawaitable(value) and not isinstance(value, (Result, ResultGroup, ChordResult))
