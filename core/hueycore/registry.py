"""The tasks of one Huey instance by dotted name."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from hueycore.exceptions import ConfigurationError, UnknownTask
from hueycore.tasks.task import Task
from hueycore.tasks.wrapper import TaskWrapper

AnyTask = TaskWrapper[Any, Any]


class Registry:
    def __init__(self) -> None:
        self._tasks: dict[str, AnyTask] = {}
        self._is_copy = False

    def detach(self) -> None:
        """This registry is now the copy of a worker process, which no scheduler reads."""
        self._is_copy = True

    def register(self, wrapper: AnyTask) -> None:
        """A function that is defined anew, by a cell or module that runs again, replaces its task.
        Raises ValueError when the name is taken by another one. Lambdas share one name, so they are
        numbered in the order of definition: ``<lambda>``, ``<lambda>#2`` … (``name=`` is better).

        Raises ``ConfigurationError`` for a periodic task that is declared in a worker process."""
        name = wrapper.name
        if self._is_copy and wrapper.schedule_when is not None:
            raise ConfigurationError(
                f'periodic task "{name}" is declared in a worker process, where no scheduler sees '
                "it; huey.schedule_periodic(name, when, task) works from everywhere"
            )
        if name in self._tasks and wrapper.short_name == "<lambda>":
            number = 2
            while f"{name}#{number}" in self._tasks:
                number += 1
            wrapper.name = f"{name}#{number}"
        elif name in self._tasks and not _is_anew(wrapper.func, self._tasks[name].func):
            raise ValueError(f'a task named "{name}" exists; give this one another name=')
        self._tasks[wrapper.name] = wrapper

    def unregister(self, wrapper: AnyTask) -> bool:
        if self._tasks.get(wrapper.name) is not wrapper:
            return False
        del self._tasks[wrapper.name]
        return True

    def get(self, name: str) -> AnyTask | None:
        return self._tasks.get(name)

    def names(self) -> list[str]:
        return sorted(self._tasks)

    def periodic(self) -> list[AnyTask]:
        # A copy: tasks may be declared while the consumer runs.
        return [task for task in list(self._tasks.values()) if task.schedule_when is not None]

    def importable(self) -> AnyTask | None:
        """A task that its module has under its name, None when there is none."""
        for task in self:
            home = sys.modules.get(task.__module__)
            found: object = getattr(home, getattr(task, "__qualname__", ""), None)
            if found is task:
                return task
        return None

    def kept_level(self) -> int | None:
        """The lowest level from which any task keeps its log lines."""
        levels = [task.log_level for task in self._tasks.values() if task.log_level is not None]
        return min(levels, default=None)

    # --- by Huey's names ----------------------------------------------------------------------

    @property
    def _registry(self) -> dict[str, AnyTask]:
        """The tasks by dotted name."""
        return self._tasks

    @property
    def periodic_tasks(self) -> list[Task]:
        """A signature of every periodic task."""
        return [task.s() for task in self.periodic()]

    def task_to_string(self, task: AnyTask) -> str:
        """The dotted name of a task."""
        return task.name

    def string_to_task(self, name: str) -> AnyTask:
        """The task of a dotted name. Raises ``UnknownTask``."""
        if name not in self._tasks:
            raise UnknownTask(f"no task {name!r} is registered")
        return self._tasks[name]

    def __iter__(self) -> Iterator[AnyTask]:
        return iter(list(self._tasks.values()))

    def __len__(self) -> int:
        return len(self._tasks)


def _is_anew(func: Callable[..., Any], old: Callable[..., Any]) -> bool:
    """Whether code that ran before runs again, and defines the same function as then.

    What runs again was compiled again. A second function of one name in the same run, and one that
    a factory makes again, come from code that runs now and has the first one's in it."""
    func, old = inspect.unwrap(func), inspect.unwrap(old)
    code, old_code = getattr(func, "__code__", None), getattr(old, "__code__", None)
    if code is None or old_code is None or code is old_code:
        return False
    if (func.__module__, func.__qualname__) != (old.__module__, old.__qualname__):
        return False
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if any(constant is old_code for constant in frame.f_code.co_consts):
            return False
        frame = frame.f_back
    return True


def __getattr__(name: str) -> Any:
    """``Message``: what Huey's serializers were given of a job. Those here get its arguments."""
    if name != "Message":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from hueycore.model.migration import Message

    return Message
