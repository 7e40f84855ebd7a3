"""A durable task queue in one SQLite file, in a PostgreSQL database, or on a Redis server.

>>> from hueycore import SqliteHuey
>>> huey = SqliteHuey("app")
>>> @huey.task(retries=2)
... def add(a, b):
...     return a + b

The public names are those of ``__all__``; modules carry Huey's names, so that an application moves
over by replacing ``huey`` by ``hueycore`` in its imports.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hueycore.api import (
        Huey,
        MemoryHuey,
        PostgresHuey,
        PriorityRedisExpireHuey,
        PriorityRedisHuey,
        RedisExpireHuey,
        RedisHuey,
        SqliteHuey,
    )
    from hueycore.calendar.cron import crontab
    from hueycore.calendar.schedule import every
    from hueycore.canvas import SKIPPED, Error
    from hueycore.exceptions import (
        CancelExecution,
        ClaimLost,
        ConfigurationError,
        DuplicateJob,
        HueyException,
        OtherData,
        PayloadTooLarge,
        QueueFull,
        RateLimitExceeded,
        ResultTimeout,
        ResultTooLarge,
        RetryTask,
        SerializationError,
        StorageBusy,
        StorageCorrupt,
        StorageError,
        StorageFull,
        StorageMissing,
        StorageMoved,
        StorageReadOnly,
        StorageTooNew,
        TaskException,
        TaskLockedException,
        TaskTimeout,
        UnknownClass,
        UnknownJob,
        UnknownTask,
    )
    from hueycore.model.retention import Keeping
    from hueycore.model.retry import Backoff
    from hueycore.model.states import State
    from hueycore.serializer import JSONSerializer, Serializer
    from hueycore.signatures import SignedSerializer
    from hueycore.tasks.canvas import Pipeline, chord, group
    from hueycore.tasks.joblog import JobFilter
    from hueycore.tasks.result import ChordResult, Result, ResultGroup
    from hueycore.tasks.task import Task
    from hueycore.tasks.wrapper import AsyncTaskWrapper, TaskWrapper

__version__ = "0.1.0"

#: Where the public names live, from the ground up. They are imported at their first use: a command
#: that only looks at the file must not pay for what an application needs.
_HOMES = (
    "exceptions",
    "tasks.joblog",
    "model.states",
    "model.retry",
    "model.retention",
    "calendar.schedule",
    "serializer",
    "canvas",
    "tasks.canvas",
    "tasks.task",
    "tasks.wrapper",
    "tasks.result",
    "api",
)

#: Modules that ``import hueycore`` alone gives, as in Huey.
_ROOMS = (
    "api",
    "constants",
    "consumer",
    "consumer_options",
    "contrib",
    "exceptions",
    "registry",
    "serializer",
    "signals",
    "storage",
    "utils",
)

__all__ = [
    "SKIPPED",
    "AsyncTaskWrapper",
    "Backoff",
    "CancelExecution",
    "ChordResult",
    "ClaimLost",
    "ConfigurationError",
    "DuplicateJob",
    "Error",
    "Huey",
    "HueyException",
    "JSONSerializer",
    "JobFilter",
    "Keeping",
    "MemoryHuey",
    "OtherData",
    "PayloadTooLarge",
    "Pipeline",
    "PostgresHuey",
    "PriorityRedisExpireHuey",
    "PriorityRedisHuey",
    "QueueFull",
    "RateLimitExceeded",
    "RedisExpireHuey",
    "RedisHuey",
    "Result",
    "ResultGroup",
    "ResultTimeout",
    "ResultTooLarge",
    "RetryTask",
    "SerializationError",
    "Serializer",
    "SignedSerializer",
    "SqliteHuey",
    "State",
    "StorageBusy",
    "StorageCorrupt",
    "StorageError",
    "StorageFull",
    "StorageMissing",
    "StorageMoved",
    "StorageReadOnly",
    "StorageTooNew",
    "Task",
    "TaskException",
    "TaskLockedException",
    "TaskTimeout",
    "TaskWrapper",
    "UnknownClass",
    "UnknownJob",
    "UnknownTask",
    "chord",
    "crontab",
    "every",
    "group",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in __all__:
        for home in _HOMES:
            module = import_module(f"hueycore.{home}")
            if hasattr(module, name):
                value = globals()[name] = getattr(module, name)
                return value
    if name in _ROOMS:
        return import_module(f"hueycore.{name}")
    if not name.startswith("_"):
        other = import_module("hueycore.absent")
        return other.absent(__name__, other.HUEYS, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
