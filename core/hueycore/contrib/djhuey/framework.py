"""Django's Tasks framework by the names of Django 6, whichever there is: that of Django itself, or
the backport ``django-tasks`` on Django 5.2.

Raises ImportError where there is neither."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.dispatch import Signal

try:
    from django.tasks import signals, task_backends
    from django.tasks.backends.base import BaseTaskBackend
    from django.tasks.base import Task, TaskContext, TaskError, TaskResult, TaskResultStatus
    from django.tasks.exceptions import InvalidTask, TaskResultDoesNotExist
    from django.tasks.signals import task_enqueued, task_finished, task_started
    from django.utils.json import normalize_json
except ImportError:
    from django_tasks import exceptions as _exceptions
    from django_tasks import signals, task_backends
    from django_tasks.backends.base import BaseTaskBackend
    from django_tasks.base import Task, TaskContext, TaskError, TaskResult, TaskResultStatus
    from django_tasks.exceptions import TaskResultDoesNotExist
    from django_tasks.signals import task_enqueued, task_finished, task_started
    from django_tasks.utils import normalize_json

    #: Up to 0.12 it is called InvalidTaskError there.
    InvalidTask = getattr(_exceptions, "InvalidTask", None) or _exceptions.InvalidTaskError

__all__ = [
    "BaseTaskBackend",
    "InvalidTask",
    "Task",
    "TaskContext",
    "TaskError",
    "TaskResult",
    "TaskResultDoesNotExist",
    "TaskResultStatus",
    "is_heard",
    "normalize_json",
    "task_backends",
    "task_enqueued",
    "task_finished",
    "task_started",
]

#: Receivers of the framework's own, each a line for its log: they look at the id of a task, its
#: path and its status.
_LOG_LINES = [
    id(getattr(signals, f"log_task_{when}", None)) for when in ("enqueued", "started", "finished")
]


def is_heard(signal: Signal) -> bool:
    """Whether anybody but the framework's log wants to know. (The first word about a receiver is
    its identity, and that of a sender.)"""
    return any(about[0][0] not in _LOG_LINES for about in signal.receivers)
