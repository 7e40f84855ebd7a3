"""Every exception of the library, in one tree. A class's docstring is its default message.

Exception
├── HueyException
│   ├── ConfigurationError
│   │   └── OtherData
│   ├── TaskLockedException
│   ├── ResultTimeout               (also a TimeoutError)
│   ├── TaskTimeout
│   ├── RateLimitExceeded
│   ├── UnknownTask
│   ├── UnknownJob
│   ├── QueueFull
│   ├── DuplicateJob
│   ├── ClaimLost
│   ├── PayloadTooLarge
│   │   └── ResultTooLarge
│   ├── SerializationError          (also a ValueError)
│   │   └── UnknownClass
│   └── StorageError
│       ├── StorageBusy
│       ├── StorageFull
│       ├── StorageCorrupt
│       ├── StorageMoved
│       ├── StorageReadOnly
│       ├── StorageMissing
│       └── StorageTooNew
├── CancelExecution
├── RetryTask
└── TaskException

``CancelExecution``, ``RetryTask`` and ``TaskException`` stand outside ``HueyException``, as in
Huey: a task that catches ``HueyException`` must not swallow what steers its own run.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any


class HueyException(Exception):
    """The queue could not do what was asked."""

    def __init__(self, *args: object) -> None:
        if not args and self.__doc__:
            args = (self.__doc__.splitlines()[0],)
        super().__init__(*args)


class ConfigurationError(HueyException):
    """The options given do not fit together."""


class OtherData(ConfigurationError):
    """The connection is to data that do not hold the queue."""


class TaskLockedException(HueyException):
    """The lock is held by another job."""


class ResultTimeout(HueyException, TimeoutError):
    """The result was not ready in time."""


class TaskTimeout(HueyException):
    """The task ran longer than its timeout.

    Not a ``TimeoutError``: that is an ``OSError``, and it is thrown into the midst of code (of the
    task, of this library) that waits such errors out.
    """


class RateLimitExceeded(HueyException):
    """The rate limit is used up.

    ``delay`` is the number of seconds until the next call is allowed; ``run_at`` is the moment that
    is kept for the job which was refused (POSIX seconds), None when none is.
    """

    def __init__(
        self, key: str, delay: float, retry: bool = True, run_at: float | None = None
    ) -> None:
        self.key, self.delay, self.retry, self.run_at = key, delay, retry, run_at
        super().__init__(key, delay, retry, run_at)

    def __str__(self) -> str:
        text = f'Rate limit exceeded on "{self.key}"'
        return f"{text}, retry in {self.delay:.1f}s" if self.retry else text


class UnknownTask(HueyException):
    """No task of this name is registered."""


class UnknownJob(HueyException):
    """There is no such job."""


class QueueFull(HueyException):
    """The queue holds as many waiting jobs as it may."""


class DuplicateJob(HueyException):
    """Another job of the task has this unique key.

    ``key`` is the key, ``id`` the job that has it.
    """

    def __init__(self, *args: object, key: str = "", id: str = "") -> None:
        self.key, self.id = key, id
        super().__init__(*args)


class ClaimLost(HueyException):
    """This run does not hold its job any more: it was taken for dead, or the queue was flushed."""


class PayloadTooLarge(HueyException):
    """The arguments of the job are larger than the queue accepts."""


class ResultTooLarge(PayloadTooLarge):
    """The result of the job is larger than the queue accepts. The job is dead: no retry helps."""


class SerializationError(HueyException, ValueError):
    """These bytes cannot be read, or this value cannot be written."""


class UnknownClass(SerializationError):
    """A pickle names a class or function that cannot be imported here."""


class StorageError(HueyException):
    """The storage failed.

    ``hint`` says what to do about it, where the engine knows; "" where there is nothing to say.
    """

    hint: str | None = None


class StorageBusy(StorageError):
    """Another process held the write lock for too long."""


class StorageFull(StorageError):
    """The disk is full."""


class StorageCorrupt(StorageError):
    """The file is not a database, or it is damaged."""


class StorageMoved(StorageError):
    """The file was removed or replaced while it was in use."""


class StorageReadOnly(StorageError):
    """The file or its directory cannot be written."""


class StorageMissing(StorageError):
    """There is no such file."""


class StorageTooNew(StorageError):
    """The file was written by a newer version."""


class CancelExecution(Exception):
    """Raised in a task or a pre-execute hook: do not run, or stop running, this job.

    ``retry``: True retries at least once, False never, None (default) if retries are left.
    """

    def __init__(self, msg: str | None = None, retry: bool | None = None) -> None:
        self.retry = retry
        super().__init__(*(() if msg is None else (msg,)))


class RetryTask(Exception):
    """Raised in a task: run it again, at ``eta``, after ``delay`` seconds, or at once.

    It never uses up one of the job's retries (as in Huey). ``count=False`` does not count the
    attempt either: the run is a snooze.
    """

    def __init__(
        self,
        msg: str | None = None,
        eta: datetime | None = None,
        delay: float | timedelta | None = None,
        *,
        count: bool = True,
    ) -> None:
        self.eta, self.delay, self.count = eta, delay, count
        super().__init__(*(() if msg is None else (msg,)))


class TaskException(Exception):
    """Raised where a result is read: the job did not end well.

    ``metadata`` is the dictionary that ``Huey.build_error_result`` made: ``error``, ``retries``,
    ``traceback``, ``task_id``.
    """

    def __init__(self, metadata: dict[str, Any] | None = None, *args: object) -> None:
        self.metadata = metadata or {}
        super().__init__(*args)

    def __str__(self) -> str:
        return str(self.metadata.get("error") or "unknown error")


#: What ends a run without being a failure, while the job has a retry to come.
RETRYING_EXCEPTIONS = (RetryTask, RateLimitExceeded, TaskLockedException)
