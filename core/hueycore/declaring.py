"""Declaring tasks: the decorators of ``Huey``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Unpack, overload

from hueycore.options import Settings, TaskOptions, task_options
from hueycore.registry import Registry
from hueycore.schedule import Schedule, as_schedule
from hueycore.times import Seconds, When, seconds
from hueycore.wrapper import P, R, TaskWrapper

if TYPE_CHECKING:
    from hueycore.api import Huey

#: What to do with runs that were missed.
CATCH_UP = ("latest", "skip", "all")


class Declaring:
    """Part of ``Huey``."""

    registry: Registry
    utc: bool

    @overload
    def task(self, retries: Callable[P, R]) -> TaskWrapper[P, R]: ...
    @overload
    def task(
        self,
        retries: int = 0,
        retry_delay: Seconds = 0,
        retry_backoff: float = 0,
        priority: float | None = None,
        context: bool = False,
        name: str | None = None,
        expires: When | None = None,
        **settings: Unpack[Settings],
    ) -> Callable[[Callable[P, R]], TaskWrapper[P, R]]: ...
    def task(
        self,
        retries: Any = 0,
        retry_delay: Seconds = 0,
        retry_backoff: float = 0,
        priority: float | None = None,
        context: bool = False,
        name: str | None = None,
        expires: When | None = None,
        **settings: Unpack[Settings],
    ) -> Any:
        """Make a function a task; calling it then enqueues a job.

        :param retries: tries after the first one failed.
        :param retry_delay: seconds before a retry; multiplied by ``retry_backoff`` each time.
        :param priority: higher runs first.
        :param context: pass the job to the function as ``task=``.
        :param expires: a job not started by then (a datetime, or seconds after the enqueue)
            never starts.
        :param timeout: seconds that a run may take (``TaskTimeout``).
        :param at_most_once: never run again what had started when a process died.
        :param result_ttl: seconds that an unread result is kept.
        :param max_crashes: deaths of a worker process during a run until the job is dead.
        """
        if callable(retries):
            return self._register(TaskWrapper(self._huey(), retries, None, TaskOptions()))
        options = task_options(
            retries=retries,
            retry_delay=retry_delay,
            retry_backoff=retry_backoff,
            priority=priority,
            context=bool(context),
            expires=expires,
            **settings,
        )

        def decorator(func: Callable[P, R] | TaskWrapper[P, R]) -> TaskWrapper[P, R]:
            return self._register(TaskWrapper(self._huey(), _bare(func), name, options))

        return decorator

    def periodic_task(
        self,
        schedule: Schedule | str | Callable[[datetime], bool],
        retries: int = 0,
        retry_delay: Seconds = 0,
        retry_backoff: float = 0,
        priority: float | None = None,
        context: bool = False,
        name: str | None = None,
        expires: When | None = None,
        *,
        tz: str | None = None,
        catch_up: str = "latest",
        grace: Seconds = 3600.0,
        **settings: Unpack[Settings],
    ) -> Callable[[Callable[P, R]], TaskWrapper[P, R]]:
        """Make a function a task that runs by itself, on ``crontab(…)``, ``every("90s")``, a cron
        line, or Huey's ``callable(datetime) -> bool``. One run per fire time, however many
        consumers there are; the planned time is ``task.scheduled_for``.

        :param tz: zone of the schedule, by default UTC or local as the instance's ``utc`` says.
        :param catch_up: what to do with runs missed while no consumer was up: ``latest`` makes up
            for the last one if it is not older than ``grace`` seconds, ``skip`` for none, ``all``
            for each (at most 1,000).
        """
        if catch_up not in CATCH_UP:
            raise ValueError(f"catch_up={catch_up!r}: use one of {', '.join(CATCH_UP)}")
        options = task_options(
            retries=retries,
            retry_delay=retry_delay,
            retry_backoff=retry_backoff,
            priority=priority,
            context=bool(context),
            expires=expires,
            **settings,
        )

        def decorator(func: Callable[P, R] | TaskWrapper[P, R]) -> TaskWrapper[P, R]:
            wrapper: TaskWrapper[P, R] = TaskWrapper(self._huey(), _bare(func), name, options)
            wrapper.schedule_when = as_schedule(schedule, tz=tz, utc=self.utc)
            wrapper.catch_up = catch_up
            wrapper.grace = seconds(grace)
            return self._register(wrapper)

        return decorator

    def _register(self, wrapper: TaskWrapper[P, R]) -> TaskWrapper[P, R]:
        self.registry.register(wrapper)
        return wrapper

    def _huey(self) -> Huey:
        return self  # type: ignore[return-value]


def _bare(func: Callable[P, R] | TaskWrapper[P, R]) -> Callable[P, R]:
    return func.func if isinstance(func, TaskWrapper) else func
