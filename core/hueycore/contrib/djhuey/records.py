"""A job's row as the Tasks framework sees it: a ``TaskResult``."""

from __future__ import annotations

import builtins
from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.utils import timezone
from django.utils.module_loading import import_string

from hueycore import exceptions
from hueycore.contrib.djhuey.framework import Task, TaskError, TaskResult, TaskResultStatus
from hueycore.contrib.djhuey.queues import huey_of
from hueycore.model.jobs import Job
from hueycore.model.states import State

if TYPE_CHECKING:
    from hueycore.contrib.djhuey.tasks import HueyBackend
    from hueycore.tasks.task import Task as Call

_STATUS = {
    State.SCHEDULED: TaskResultStatus.READY,
    State.PENDING: TaskResultStatus.READY,
    State.BLOCKED: TaskResultStatus.READY,
    State.RUNNING: TaskResultStatus.RUNNING,
    State.DONE: TaskResultStatus.SUCCESSFUL,
    State.DEAD: TaskResultStatus.FAILED,
    State.REVOKED: TaskResultStatus.FAILED,
    State.EXPIRED: TaskResultStatus.FAILED,
}
#: Who ran a try, when nothing tells it any more.
UNKNOWN = "unknown"


def declared(path: str) -> Task | None:
    """The task of a function's path as its module declares it; None when it is none of the
    framework's. Raises ImportError."""
    found = import_string(path)
    return found if isinstance(found, Task) else None


def rebuilt(task: Task, **changes: Any) -> Task:
    """A declared task as it was enqueued. It is not validated: the settings may have changed."""
    kind = type(task)
    found = object.__new__(kind)
    for field in fields(kind):
        value = changes.get(field.name, getattr(task, field.name))
        object.__setattr__(found, field.name, value)
    return found


def result_of(
    backend: HueyBackend, job: Job, task: Task, queue_name: str, call: Call | None = None
) -> TaskResult:
    """What the framework is told of a row. ``task``: as it is declared; ``call``: what it is called
    with, if that is known."""
    huey = huey_of(queue_name)
    if call is None:
        payload = huey.storage.payload(job.seq)
        args, kwargs = ((), {}) if payload is None else huey.serializer.deserialize(payload)
    else:
        args, kwargs = call.args, call.kwargs
    running = job.state is State.RUNNING
    tried = [entry for entry in job.errors if entry.get("counted", True)]
    last = job.claimed_at if running else job.started_at
    first = tried[0]["at"] - tried[0].get("run_s", 0) if tried else last
    result = TaskResult(
        task=rebuilt(
            task,
            priority=int(job.priority),
            queue_name=queue_name,
            backend=backend.alias,
            run_after=_run_after(job),
        ),
        id=job.id,
        status=_STATUS[job.state],
        enqueued_at=moment(job.enqueued_at),
        started_at=moment(first),
        finished_at=moment(job.finished_at),
        last_attempted_at=moment(last),
        args=list(args),
        kwargs=kwargs,
        backend=backend.alias,
        errors=[_error(entry) for entry in tried],
        worker_ids=_workers(job, tried),
    )
    if job.state is State.DONE:
        row = huey.storage.result(job.id, preserve=True)
        if row is not None and row.result is not None:
            object.__setattr__(result, "_return_value", huey.serializer.deserialize(row.result))
    return result


def without_row(
    backend: HueyBackend,
    task: Task,
    call: Call,
    status: TaskResultStatus = TaskResultStatus.READY,
    enqueued_at: datetime | None = None,
) -> TaskResult:
    """Of a job whose row is not there yet, or that nobody looks at."""
    return TaskResult(
        task=task,
        id=call.id,
        status=status,
        enqueued_at=enqueued_at,
        started_at=None,
        finished_at=None,
        last_attempted_at=None,
        args=list(call.args),
        kwargs=call.kwargs,
        backend=backend.alias,
        errors=[],
        worker_ids=[],
    )


def moment(at: float | None) -> datetime | None:
    """POSIX seconds as Django's settings want a time."""
    if at is None:
        return None
    found = datetime.fromtimestamp(at, UTC)
    return found if settings.USE_TZ else timezone.make_naive(found)


def _run_after(job: Job) -> datetime | None:
    """What was asked for, until the first try; then when the next one is due."""
    waits = job.state is State.SCHEDULED or not job.errors
    return moment(job.run_at) if waits and job.run_at != job.enqueued_at else None


def _error(entry: dict[str, Any]) -> TaskError:
    return TaskError(exception_class_path=_path(entry), traceback=entry.get("traceback") or "")


def _path(entry: dict[str, Any]) -> str:
    """Where the class of an exception is. A row of an older release has its name alone, as have the
    failures that no exception was raised for."""
    name = entry.get("type") or ""
    for module in (builtins, exceptions):
        if isinstance(getattr(module, name, None), type):
            return str(entry.get("class") or f"{module.__name__}.{name}")
    return str(entry.get("class") or f"{exceptions.__name__}.TaskException")


def _workers(job: Job, tried: list[dict[str, Any]]) -> list[str]:
    """Who ran each try, the oldest first."""
    found = [entry.get("worker") or UNKNOWN for entry in tried]
    if job.state in (State.RUNNING, State.DONE):
        found.append(job.ran_by or UNKNOWN)
    return [UNKNOWN] * (job.attempt - len(found)) + found
