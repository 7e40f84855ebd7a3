"""What code asks for while it runs: locks and rates. Both decorate, both are context managers."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from threading import get_ident
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from hueycore.exceptions import RateLimitExceeded, TaskLockedException
from hueycore.model.limits import Rate
from hueycore.system import clock
from hueycore.tasks.joblog import run_of_this_context
from hueycore.tasks.limits import Hold
from hueycore.tasks.wrapper import TaskWrapper

if TYPE_CHECKING:
    from hueycore.api.guards_part import Guarding

P = ParamSpec("P")
R = TypeVar("R")

#: First and longest pause between two tries for a lock, seconds.
_PAUSE = (0.002, 0.05)


class TaskLock:
    """A lock of one name; made by ``Huey.lock_task``. Not reentrant, as in Huey: whoever asks again
    for what he holds is refused."""

    def __init__(
        self, huey: Guarding, name: str, ttl: float | None = None, wait: float | None = None
    ) -> None:
        self._huey = huey
        self._name, self._ttl, self._wait = name, ttl, wait
        #: What each thread was given; its lease may be over by now, and the lock another's.
        self._tokens: dict[int, bytes] = {}

    @overload
    def __call__(self, fn: TaskWrapper[P, R]) -> TaskWrapper[P, R]: ...
    @overload
    def __call__(self, fn: Callable[P, R]) -> Callable[P, R]: ...
    def __call__(self, fn: Any) -> Any:
        """Decorate a function that runs under the lock, or a task: its runs take turns then, and
        those whose turn it is not wait as ``blocked``."""
        if isinstance(fn, TaskWrapper):
            return fn.hold(Hold(1, None, self._name))

        @wraps(fn)
        def inner(*args: Any, **kwargs: Any) -> Any:
            with TaskLock(self._huey, self._name, self._ttl, self._wait):
                return fn(*args, **kwargs)

        return inner

    def __enter__(self) -> TaskLock:
        token = os.urandom(16)
        try:
            self._take(token)
            self._tokens[get_ident()] = token
            return self
        except BaseException:
            # A timeout may strike when the lock is taken already; or a place was reserved.
            self._huey.storage.unlock(self._name, token)
            raise

    def __exit__(self, *_: object) -> None:
        token = self._tokens.pop(get_ident(), None)
        if token is not None:
            self._huey.storage.unlock(self._name, token)

    def _take(self, token: bytes) -> None:
        storage, owner = self._huey.storage, self._huey._holder()
        end = clock.monotonic() + (self._wait or 0.0)
        pause, longest = _PAUSE
        while not storage.lock(self._name, owner, token, ttl=self._ttl, reserve=bool(self._wait)):
            left = end - clock.monotonic()
            if left <= 0:
                raise TaskLockedException(f"unable to acquire lock {self._name}")
            clock.sleep(min(left, pause))
            pause = min(pause * 1.5, longest)

    def acquire(self) -> bool:
        """Take the lock; True. Raises ``TaskLockedException`` when it is not free, or not within
        ``wait`` seconds."""
        self.__enter__()
        return True

    def clear(self) -> bool:
        """Free the lock, whoever holds it; False when nobody did."""
        return self._huey.storage.unlock(self._name)

    release = clear

    def is_locked(self) -> bool:
        """Whether somebody holds the lock, or a job that it holds back runs."""
        return self._huey.storage.is_locked(self._name)

    locked = is_locked


class RateLimit:
    """A rate of one name; made by ``Huey.rate_limit``."""

    def __init__(self, huey: Guarding, name: str, rate: Rate, retry: bool = True) -> None:
        self._huey = huey
        self._name, self._rate, self._retry = name, rate, retry

    @overload
    def __call__(self, fn: TaskWrapper[P, R]) -> TaskWrapper[P, R]: ...
    @overload
    def __call__(self, fn: Callable[P, R]) -> Callable[P, R]: ...
    def __call__(self, fn: Any) -> Any:
        """Decorate a function, each call of which takes a slot, or a task: its jobs wait as
        ``blocked`` until their slot then."""
        if isinstance(fn, TaskWrapper):
            return fn.hold(Hold(None, self._rate, self._name))

        @wraps(fn)
        def inner(*args: Any, **kwargs: Any) -> Any:
            self.acquire()
            return fn(*args, **kwargs)

        return inner

    def __enter__(self) -> RateLimit:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def acquire(self) -> None:
        """Take a slot. Raises ``RateLimitExceeded`` when the next one is yet to come; a job that is
        to be retried is promised it, runs again at that moment, and no attempt is counted."""
        claim = run_of_this_context.get()
        job = None if claim is None or not self._retry else (claim.seq, claim.claim)
        slot = self._huey.storage.spend(self._name, self._rate, job)
        if slot is not None:
            delay = max(0.0, slot - clock.now())
            raise RateLimitExceeded(self._name, delay, self._retry, None if job is None else slot)

    def reset(self) -> None:
        """Forget what was spent."""
        self._huey.storage.reset_rate(self._name)
