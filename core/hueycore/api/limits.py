"""Limits of tasks, which hold jobs back, and rates, which code asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from hueycore.api.part import Part
from hueycore.calendar.durations import Seconds, seconds
from hueycore.exceptions import RateLimitExceeded
from hueycore.model.limits import Limit, Rate
from hueycore.registry import AnyTask
from hueycore.system import clock
from hueycore.tasks.joblog import run_of_this_context
from hueycore.tasks.limits import TaskLimit, make_rate
from hueycore.tasks.wrapper import TaskWrapper

if TYPE_CHECKING:
    from hueycore.api.huey import Huey

P = ParamSpec("P")
R = TypeVar("R")


class RateLimit:
    """A rate of one name; made by ``Huey.rate_limit``."""

    def __init__(self, huey: Huey, name: str, rate: Rate, retry: bool = True) -> None:
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
            return fn.hold(TaskLimit(None, self._rate, self._name))

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

    def current_usage(self) -> int:
        """How many calls count against the limit now. As time passes they leave one by one, where
        Huey's window ends for all of them."""
        return self._huey.storage.spent(self._name, self._rate)

    def reset(self) -> None:
        """Forget what was spent."""
        self._huey.storage.reset_rate(self._name)


class DeclaredLimits:
    """The limits of tasks, as this process has stored them."""

    def __init__(self, part: Part) -> None:
        self._part = part
        self._stored: dict[str, Limit | None] = {}

    def declare(self, task: AnyTask) -> None:
        """Store the limit of a task, unless it is stored."""
        limit = task.limit
        if limit is not None and self._stored.get(task.name) != limit:
            self._part.storage.declare_limits([limit])
            self._stored[task.name] = limit

    def declare_all(self, tasks: Iterable[AnyTask]) -> None:
        """Store the limits of these tasks, and that the others of them have none."""
        limits = {task.name: task.limit for task in tasks}
        found = [limit for limit in limits.values() if limit is not None]
        self._part.storage.declare_limits(found, limits)
        self._stored.update(limits)

    def forget(self) -> None:
        """The storage is closed; the next one may not have them."""
        self._stored.clear()


class Limits(Part):
    """Part of ``Huey``: limits and rates."""

    _limits: DeclaredLimits

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
        only if it has retries left, after its ``retry_delay`` or when the next slot comes). Above
        ``@huey.task()`` it holds the jobs back before they are run at all, as
        ``@huey.task(rate="10/m")`` does."""
        return RateLimit(
            self._huey,
            name,
            make_rate(limit, seconds(per), limit if burst is None else burst),
            retry,
        )

    def declare_limits(self) -> None:
        """Store how the tasks of this application are held back. Consumers do it when they begin,
        and who enqueues a job of such a task; a change in the code is in force from then on."""
        self._limits.declare_all(self.registry)
