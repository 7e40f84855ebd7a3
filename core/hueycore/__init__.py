"""A durable task queue in one SQLite file.

>>> from hueycore import SqliteHuey
>>> huey = SqliteHuey("app")
>>> @huey.task(retries=2)
... def add(a, b):
...     return a + b

The public names are those of ``__all__``; modules carry Huey's names, so that an application moves
over by replacing ``huey`` by ``hueycore`` in its imports.
"""

from hueycore.api import Huey, MemoryHuey, SqliteHuey
from hueycore.crontab import crontab, every
from hueycore.exceptions import (
    CancelExecution,
    ConfigurationError,
    HueyException,
    PayloadTooLarge,
    QueueFull,
    RateLimitExceeded,
    ResultTimeout,
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
    UnknownJob,
    UnknownTask,
)
from hueycore.result import Result, ResultGroup
from hueycore.serializer import JSONSerializer, Serializer
from hueycore.storage.base import Keeping, State
from hueycore.task import Task, TaskWrapper

__version__ = "0.1.0"

__all__ = [
    "CancelExecution",
    "ConfigurationError",
    "Huey",
    "HueyException",
    "JSONSerializer",
    "Keeping",
    "MemoryHuey",
    "PayloadTooLarge",
    "QueueFull",
    "RateLimitExceeded",
    "Result",
    "ResultGroup",
    "ResultTimeout",
    "RetryTask",
    "SerializationError",
    "Serializer",
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
    "UnknownJob",
    "UnknownTask",
    "crontab",
    "every",
]
