"""How a job that is a task of the framework's runs."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from asgiref.sync import async_to_sync, sync_to_async

from hueycore.contrib.djhuey import HUEY, close_db
from hueycore.contrib.djhuey.framework import (
    Task,
    TaskContext,
    TaskResultStatus,
    is_heard,
    normalize_json,
    task_backends,
    task_started,
)
from hueycore.contrib.djhuey.records import declared, without_row
from hueycore.model.jobs import Enqueued
from hueycore.tasks.result import Result
from hueycore.tasks.task import Task as Call
from hueycore.tasks.wrapper import TaskWrapper

if TYPE_CHECKING:
    from hueycore.contrib.djhuey.tasks import HueyBackend


class FrameworkCall(Call):
    """One call of a task of the framework's."""

    wrapper: FrameworkTask
    _unchecked = True  # a call that does not fit fails when it runs
    #: The backend and the task that are enqueued here, until the framework is told of it.
    asked: tuple[HueyBackend, Task] | None = None
    #: What the storage has answered.
    stored: Enqueued | None = None

    def execute(self) -> Any:
        return _arun(self) if self.wrapper.is_async else _run(self)


class Handle(Result[Any]):
    """Hands the answer of the storage on to the call."""

    def found(self, stored: Enqueued) -> None:
        super().found(stored)
        assert isinstance(self.task, FrameworkCall)
        self.task.stored = stored


class FrameworkTask(TaskWrapper[..., Any]):
    """The function of a task of the framework's, by its path: limits and lists see it as any."""

    task_base = FrameworkCall

    def __init__(self, alias: str, func: Callable[..., Any], options: Any) -> None:
        self.alias = alias
        super().__init__(HUEY, func, None, options)

    @property
    def is_async(self) -> bool:  # type: ignore[override]
        """In immediate mode a coroutine runs as the framework calls it: its caller may be one that
        waits for this thread."""
        return inspect.iscoroutinefunction(self.func) and not HUEY.immediate

    @property
    def backend(self) -> HueyBackend:
        found: HueyBackend = task_backends[self.alias]
        return found


def wrapper_of(backend: HueyBackend, func: Callable[..., Any]) -> FrameworkTask:
    """The task of a function, registered now if it was not."""
    known = HUEY.registry.get(f"{func.__module__}.{func.__qualname__}")
    if isinstance(known, FrameworkTask):
        if known.func is func:
            return known
        known.unregister()  # its module was loaded anew
    task = FrameworkTask(backend.alias, func, backend.task_options)
    HUEY.registry.register(task)
    return task


def _begin(call: FrameworkCall) -> tuple[Any, ...]:
    """Tell that the task has started; what comes before its arguments."""
    backend, task = call.wrapper.backend, declared(call.task_name)
    if task is None or task.takes_context or is_heard(task_started):
        result = backend.result_of(call)
    else:
        result = without_row(backend, task, call, TaskResultStatus.RUNNING)
    task_started.send(type(backend), task_result=result)
    return (TaskContext(task_result=result),) if result.task.takes_context else ()


@close_db
def _run(call: FrameworkCall) -> Any:
    before, func = _begin(call), call.wrapper.func
    if inspect.iscoroutinefunction(func):
        func = async_to_sync(func)
    return normalize_json(func(*before, *call.args, **call.kwargs))


@close_db
async def _arun(call: FrameworkCall) -> Any:
    before = await sync_to_async(_begin)(call)
    return normalize_json(await call.wrapper.func(*before, *call.args, **call.kwargs))
