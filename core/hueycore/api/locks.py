"""Locks that all processes of a queue share."""

from __future__ import annotations

import os
from collections.abc import Callable
from copy import copy
from functools import wraps
from threading import get_ident
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, overload

from hueycore.api.part import Part
from hueycore.api.registration import Registration
from hueycore.calendar.durations import Seconds, seconds
from hueycore.exceptions import TaskLockedException
from hueycore.system import clock
from hueycore.tasks.limits import TaskLimit
from hueycore.tasks.wrapper import TaskWrapper

if TYPE_CHECKING:
    from hueycore.api.huey import Huey

P = ParamSpec("P")
R = TypeVar("R")

#: First and longest pause between two tries for a lock, seconds.
_PAUSE = (0.002, 0.05)


class TaskLock:
    """A lock of one name; made by ``Huey.lock_task``. Not reentrant, as in Huey: the holder who
    asks again is refused."""

    def __init__(
        self, huey: Huey, name: str, ttl: float | None = None, wait: float | None = None
    ) -> None:
        self._huey = huey
        self._name, self._ttl, self._wait = name, ttl, wait
        #: Huey's key of the lock. A subclass may set another one, and so another lock.
        self._key = f"{huey.name}.lock.{name}"
        #: The token of each thread. Its lease may be over, and the lock another's.
        self._tokens: dict[int, bytes] = {}

    @overload
    def __call__(self, fn: TaskWrapper[P, R]) -> TaskWrapper[P, R]: ...
    @overload
    def __call__(self, fn: Callable[P, R]) -> Callable[P, R]: ...
    def __call__(self, fn: Any) -> Any:
        """Decorate a function that runs under the lock, or a task: its runs take turns then, and
        those whose turn it is not wait as ``blocked``."""
        if isinstance(fn, TaskWrapper):
            return fn.hold(TaskLimit(1, None, self._held))

        @wraps(fn)
        def inner(*args: Any, **kwargs: Any) -> Any:
            with self._anew():
                return fn(*args, **kwargs)

        return inner

    def _anew(self) -> Self:
        """The same lock for one call more, which may be in the midst of another."""
        lock = copy(self)
        lock._tokens = {}
        return lock

    @property
    def _held(self) -> str:
        """The name by which the storage has it."""
        return self._key.removeprefix(f"{self._huey.name}.lock.")

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def acquire(self) -> bool:
        """Take the lock; True. Raises ``TaskLockedException`` when it is not free, or not within
        ``wait`` seconds."""
        token = os.urandom(16)
        try:
            self._take(token)
            self._tokens[get_ident()] = token
            return True
        except BaseException:
            # A timeout may arrive after the lock was taken, or a place reserved.
            self._huey.storage.unlock(self._held, token)
            raise

    def __exit__(self, *_: object) -> None:
        token = self._tokens.pop(get_ident(), None)
        if token is not None:
            self._huey.storage.unlock(self._held, token)

    def _take(self, token: bytes) -> None:
        storage, owner = self._huey.storage, self._huey._lock_holder.number()
        self._huey._lock_holder.names.add(self._held)
        end = clock.monotonic() + (self._wait or 0.0)
        pause, longest = _PAUSE
        while not storage.lock(self._held, owner, token, ttl=self._ttl, reserve=bool(self._wait)):
            left = end - clock.monotonic()
            if left <= 0:
                raise TaskLockedException(f"unable to acquire lock {self._name}")
            clock.sleep(min(left, pause))
            pause = min(pause * 1.5, longest)

    def clear(self) -> bool:
        """Free the lock, whoever holds it; False when nobody did."""
        return self._huey.storage.unlock(self._held)

    release = clear

    def is_locked(self) -> bool:
        """Whether somebody holds the lock, or a job that it holds back runs."""
        return self._huey.storage.is_locked(self._held)

    locked = is_locked


class LockHolder(Registration):
    """This process as a holder of locks."""

    def __init__(self, part: Part) -> None:
        super().__init__(part, "holder", "{host}:{pid}")
        #: The locks that its code has named.
        self.names: set[str] = set()


class Locks(Part):
    """Part of ``Huey``: locks."""

    _lock_holder: LockHolder

    def lock_task(
        self, lock_name: str, ttl: Seconds | None = None, wait: Seconds | None = None
    ) -> TaskLock:
        """A lock that all processes of the queue share.

        In a task, ``with huey.lock_task("name"):`` and as a decorator of the function, it raises
        ``TaskLockedException`` when somebody else has it: the job is retried if it has retries
        left, as in Huey; with ``wait`` it is waited for up to so many seconds. Above
        ``@huey.task()`` it makes the runs of the task take turns: none fails, the others are
        ``blocked``; ``ttl`` and ``wait`` have no meaning there.

        A lock is free again when its process dies, at once. ``ttl`` makes it a lease besides: so
        many seconds later, by the wall clock, it is free although its holder may still be at work.
        """
        self._lock_holder.names.add(lock_name)
        return TaskLock(self._huey, lock_name, seconds(ttl), seconds(wait))

    def is_locked(self, lock_name: str) -> bool:
        """Whether somebody holds a lock, or a job that it holds back runs."""
        return self.storage.is_locked(lock_name)

    def flush_locks(self, *names: str) -> set[str]:
        """Free the locks that this application has named and those of ``names``, whoever holds
        them; the names of those that were held. Needed for no dead process: its locks are free."""
        wanted = self._lock_holder.names | {name.strip() for name in names}
        return {name for name in sorted(wanted) if self.storage.unlock(name)}
