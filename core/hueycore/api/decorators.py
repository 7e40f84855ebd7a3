"""Declaring tasks: the decorators of ``Huey``."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from functools import wraps
from typing import Any, Literal, Protocol, Unpack, overload

from hueycore.api.part import Part
from hueycore.api.schedules import CATCH_UP
from hueycore.calendar.durations import Seconds, When, seconds
from hueycore.calendar.schedule import Schedule, as_schedule
from hueycore.model.retry import Backoff
from hueycore.tasks.options import Settings, TaskOptions, task_options
from hueycore.tasks.wrapper import AsyncTaskWrapper, P, R, TaskWrapper, wrap


class Decorator(Protocol):
    """What makes a task of a function; ``Result`` is of the value, awaited if it is async."""

    @overload
    def __call__(self, func: Callable[P, Coroutine[Any, Any, R]], /) -> AsyncTaskWrapper[P, R]: ...
    @overload
    def __call__(self, func: Callable[P, R], /) -> TaskWrapper[P, R]: ...


class ContextDecorator(Protocol):
    """The same with ``context=True``: its callers do not give the job, so a call may have any
    arguments."""

    @overload
    def __call__(
        self, func: Callable[..., Coroutine[Any, Any, R]], /
    ) -> AsyncTaskWrapper[..., R]: ...
    @overload
    def __call__(self, func: Callable[..., R], /) -> TaskWrapper[..., R]: ...


class Decorators(Part):
    """Part of ``Huey``: what makes functions tasks."""

    @overload
    def task(self, retries: Callable[P, Coroutine[Any, Any, R]]) -> AsyncTaskWrapper[P, R]: ...
    @overload
    def task(self, retries: Callable[P, R]) -> TaskWrapper[P, R]: ...
    @overload
    def task(  # type: ignore[overload-overlap]
        self,
        retries: int = 0,
        retry_delay: Seconds | Backoff = 0,
        retry_backoff: float = 0,
        priority: float | None = None,
        *,
        context: Literal[True],
        name: str | None = None,
        expires: When | None = None,
        **settings: Unpack[Settings],
    ) -> ContextDecorator: ...
    @overload
    def task(
        self,
        retries: int = 0,
        retry_delay: Seconds | Backoff = 0,
        retry_backoff: float = 0,
        priority: float | None = None,
        context: bool | Mapping[str, Any] = False,
        name: str | None = None,
        expires: When | None = None,
        **settings: Unpack[Settings],
    ) -> Decorator: ...
    def task(
        self,
        retries: Any = 0,
        retry_delay: Seconds | Backoff = 0,
        retry_backoff: float = 0,
        priority: float | None = None,
        context: bool | Mapping[str, Any] = False,
        name: str | None = None,
        expires: When | None = None,
        **settings: Unpack[Settings],
    ) -> Any:
        """Make a function, plain or ``async def``, a task; calling it then enqueues a job.

        :param retries: tries after the first one failed.
        :param retry_delay: seconds before a retry; multiplied by ``retry_backoff`` each time. Or a
            ``Backoff(base, factor, cap, jitter)``.
        :param retry_on: which exceptions use up a retry, a class or several; all others end the job
            at once. Or a function ``f(task, exception)``: seconds until the retry, True for the
            usual delay, False or None for no retry. It is not asked when no retries are left.
        :param never_on: the exceptions that are never retried, also if ``retry_on`` says so.
        :param priority: higher runs first.
        :param context: pass the job to the function as ``task=``. A dict is more of the options
            below, and passes nothing.
        :param expires: a job not started by then (a datetime, or seconds after it could begin)
            never starts.
        :param timeout: seconds that a run may take (``TaskTimeout``). A pair is a soft and a hard
            one: a worker process whose run goes on at the hard one (5 s after the soft one, by
            default) is killed; on the other kinds the run is then overdue, and a spare worker takes
            its place.
        :param at_most_once: never run again what had started when a process died.
        :param result_ttl: seconds that an unread result is kept.
        :param max_crashes: deaths of a worker process during a run until the job is dead.
        :param keep_logs: keep what its runs log, for ``hueyctl logs``: True, a level, or False.
        :param unique: one job at a time with the same arguments (True or ``"args"``), one of the
            task (``"task"``), or one per key that a function of the arguments answers.
        :param unique_until: the job's ``end`` (default), or its first ``start``: from then on the
            next one may be enqueued.
        :param on_conflict: when there is one already: ``keep`` it and answer with its handle
            (default), ``replace`` its arguments and time (debounce; one that runs already is
            followed by the new one), or ``fail`` with ``DuplicateJob``.
        :param max_concurrent: how many jobs of one key may run at once, over all consumers; the
            others wait as ``blocked``.
        :param concurrency_key: the key: a name that several tasks may share, or a callable that
            makes it from the arguments of the call; by default the task's name.
        :param lock: one at a time: True, or the name of the key; the same as ``lock_task`` above.
        :param rate: how fast jobs of the key start: ``10/s``, ``10/m``, ``100/30m``, evenly spaced.
        """
        if callable(retries) or isinstance(retries, classmethod):
            return self._register(wrap(self._huey, retries, None, TaskOptions()))
        options = task_options(
            retries=retries,
            retry_delay=retry_delay,
            retry_backoff=retry_backoff,
            priority=priority,
            context=context,
            expires=expires,
            **settings,
        )

        def decorator(func: Callable[P, Any] | TaskWrapper[P, Any]) -> TaskWrapper[P, Any]:
            return self._register(wrap(self._huey, _bare(func), name, options))

        return decorator

    @overload
    def periodic_task(  # type: ignore[overload-overlap]
        self,
        schedule: Schedule | str | Callable[[datetime], bool],
        retries: int = 0,
        retry_delay: Seconds | Backoff = 0,
        retry_backoff: float = 0,
        priority: float | None = None,
        *,
        context: Literal[True],
        name: str | None = None,
        expires: When | None = None,
        tz: str | None = None,
        catch_up: str = "latest",
        grace: Seconds = 3600.0,
        **settings: Unpack[Settings],
    ) -> ContextDecorator: ...
    @overload
    def periodic_task(
        self,
        schedule: Schedule | str | Callable[[datetime], bool],
        retries: int = 0,
        retry_delay: Seconds | Backoff = 0,
        retry_backoff: float = 0,
        priority: float | None = None,
        context: bool | Mapping[str, Any] = False,
        name: str | None = None,
        expires: When | None = None,
        *,
        tz: str | None = None,
        catch_up: str = "latest",
        grace: Seconds = 3600.0,
        **settings: Unpack[Settings],
    ) -> Decorator: ...
    def periodic_task(
        self,
        schedule: Schedule | str | Callable[[datetime], bool],
        retries: int = 0,
        retry_delay: Seconds | Backoff = 0,
        retry_backoff: float = 0,
        priority: float | None = None,
        context: bool | Mapping[str, Any] = False,
        name: str | None = None,
        expires: When | None = None,
        *,
        tz: str | None = None,
        catch_up: str = "latest",
        grace: Seconds = 3600.0,
        **settings: Unpack[Settings],
    ) -> Any:
        """Make a function a task that runs by itself, on ``crontab(…)``, ``every("90s")``, a cron
        line, or Huey's ``callable(datetime) -> bool``. One run per fire time, however many
        consumers there are; the planned time is ``task.scheduled_for``.

        Declared while a consumer runs, in a job of its, the task fires from that process and is
        gone with it (or with ``wrapper.unregister()``); ``schedule_periodic`` is for what has to
        last, and for jobs in worker processes, where this raises ``ConfigurationError``.

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
            context=context,
            expires=expires,
            **settings,
        )

        def decorator(func: Callable[P, Any] | TaskWrapper[P, Any]) -> TaskWrapper[P, Any]:
            wrapper = wrap(self._huey, _bare(func), name, options)
            wrapper.check_call((), {})
            wrapper.fire_on(as_schedule(schedule, tz=tz, utc=self.utc), catch_up, seconds(grace))
            return self._register(wrapper)

        return decorator

    def context_task(
        self, obj: AbstractContextManager[Any], as_argument: bool = False, **options: Any
    ) -> Callable[[Callable[..., R]], TaskWrapper[..., R]]:
        """``task``, with its ``options``, whose runs are inside ``with obj``: a connection, an
        application's context … With ``as_argument`` what it gives is the first argument. As in
        Huey."""

        def decorator(func: Callable[..., R]) -> TaskWrapper[..., R]:
            @wraps(func)
            def inner(*args: Any, **kwargs: Any) -> R:
                with obj as entered:
                    return func(entered, *args, **kwargs) if as_argument else func(*args, **kwargs)

            wrapper: TaskWrapper[..., R] = self.task(**options)(inner)
            return wrapper

        return decorator

    def get_task_wrapper_class(self) -> type[TaskWrapper[Any, Any]]:
        """The class of the tasks that are declared, as in Huey; override it for a subclass."""
        return TaskWrapper

    def _register(self, wrapper: TaskWrapper[P, R]) -> TaskWrapper[P, R]:
        self.registry.register(wrapper)
        return wrapper


def _bare(func: Callable[P, Any] | TaskWrapper[P, Any]) -> Callable[P, Any]:
    return func.func if isinstance(func, TaskWrapper) else func
