"""Holding back: the part of ``Huey`` that locks, limits and pauses."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from hueycore.api.locks import RateLimit, TaskLock
from hueycore.calendar.durations import Seconds, seconds
from hueycore.model.limits import Limit
from hueycore.storage.base import Storage
from hueycore.system import clock, native
from hueycore.tasks.limits import make_rate
from hueycore.tasks.wrapper import TaskWrapper

if TYPE_CHECKING:
    from hueycore.registry import Registry

AnyTask = TaskWrapper[Any, Any]


class Guarding:
    """Part of ``Huey``."""

    name: str
    registry: Registry

    if TYPE_CHECKING:

        @property
        def storage(self) -> Storage: ...

    def _init_guarding(self) -> None:
        self._lock_names: set[str] = set()
        #: What this process has stored of its tasks.
        self._declared: dict[str, Limit | None] = {}
        self._holder_number: int | None = None
        self._holder_pid = 0
        self._holder_guard = native.Lock()

    # --- locks --------------------------------------------------------------------------------

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
        self._lock_names.add(lock_name)
        return TaskLock(self, lock_name, seconds(ttl), seconds(wait))

    def is_locked(self, lock_name: str) -> bool:
        """Whether somebody holds a lock, or a job that it holds back runs."""
        return self.storage.is_locked(lock_name)

    def flush_locks(self, *names: str) -> set[str]:
        """Free the locks that this application has named and those of ``names``, whoever holds
        them; the names of those that were held. Needed for no dead process: its locks are free."""
        wanted = self._lock_names | {name.strip() for name in names}
        return {name for name in sorted(wanted) if self.storage.unlock(name)}

    def _holder(self) -> int:
        """This process as one that holds locks: they are free when it dies."""
        with self._holder_guard:
            if self._holder_number is None or self._holder_pid != os.getpid():
                name = f"{os.uname().nodename}:{os.getpid()}"
                self._holder_number = self.storage.register(name=name, kind="holder", slots=1)
                self._holder_pid = os.getpid()
            return self._holder_number

    def _leave_guarding(self, storage: Storage) -> None:
        if self._holder_number is not None and self._holder_pid == os.getpid():
            storage.unregister(self._holder_number)
        self._holder_number = None
        self._declared.clear()

    # --- rates and limits ---------------------------------------------------------------------

    def rate_limit(
        self,
        name: str,
        limit: int,
        per: Seconds,
        retry: bool = True,
        *,
        burst: int | None = None,
    ) -> RateLimit:
        """At most ``limit`` calls per ``per`` seconds, over all processes: one each ``per / limit``
        seconds, and up to ``burst`` at once after a pause (by default ``limit``, as in Huey; with 1
        no window of ``per`` seconds sees more than ``limit``).

        In a task, ``with huey.rate_limit(…):``, its ``acquire()`` and as a decorator of the
        function, it raises ``RateLimitExceeded`` when the rate is used up: the job runs again at
        its slot, which is kept for it, and no attempt is counted (``retry=False``: it is retried
        only if it has retries left). Above ``@huey.task()`` it holds the jobs back before they are
        run at all, as ``@huey.task(rate="10/m")`` does."""
        return RateLimit(
            self, name, make_rate(limit, seconds(per), limit if burst is None else burst), retry
        )

    def declare_limits(self) -> None:
        """Store how the tasks of this application are held back. Consumers do it when they begin,
        and who enqueues a job of such a task; a change in the code is in force from then on."""
        limits = {task.name: task.limit for task in self.registry}
        self.storage.declare_limits([one for one in limits.values() if one is not None], limits)
        self._declared.update(limits)

    def _declare_limit(self, task: AnyTask) -> None:
        limit = task.limit
        if limit is not None and self._declared.get(task.name) != limit:
            self.storage.declare_limits([limit])
            self._declared[task.name] = limit

    # --- pausing ------------------------------------------------------------------------------

    def pause(
        self,
        task: AnyTask | str | None = None,
        *,
        for_: Seconds | None = None,
        reason: str | None = None,
    ) -> None:
        """From now on (for ``for_`` seconds) no job of the queue, or of one task, is begun; those
        that run go on, none is dropped. What waits of a paused task holds no slot of a key that it
        shares with other tasks."""
        until = None if for_ is None else clock.now() + seconds(for_)
        self.storage.pause(task=_name(task), until=until, reason=reason)

    def resume(self, task: AnyTask | str | None = None) -> bool:
        """Undo ``pause``; False when nothing was paused."""
        return self.storage.resume(task=_name(task))


def _name(task: AnyTask | str | None) -> str | None:
    return task.name if isinstance(task, TaskWrapper) else task
