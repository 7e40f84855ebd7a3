"""A registered function: calling it enqueues a job."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

from hueycore.calendar.durations import Seconds, When, posix, seconds
from hueycore.calendar.schedule import Schedule
from hueycore.exceptions import ConfigurationError
from hueycore.model.jobs import NewJob
from hueycore.model.limits import Limit
from hueycore.tasks.joblog import kept_level
from hueycore.tasks.limits import TaskLimit
from hueycore.tasks.options import TaskOptions
from hueycore.tasks.parameters import CARRIED, Parameters, own, warn_of_taken
from hueycore.tasks.task import PeriodicTask, Task
from hueycore.tasks.unique import By, OnConflict, Unique, Until, make_unique

if TYPE_CHECKING:
    from hueycore.api import Huey
    from hueycore.tasks.result import Result, ResultGroup

P = ParamSpec("P")
R = TypeVar("R")

#: Keywords of a signature that are the job's, not the function's.
_JOB_OPTIONS = (
    "id",
    "eta",
    "delay",
    "priority",
    "retries",
    "retry_delay",
    "retry_backoff",
    "expires",
    "timeout",
)
#: The same, unless the function has a parameter of this name: Huey does not know them.
_UNIQUE_OPTIONS = frozenset(("unique", "unique_key", "unique_until", "on_conflict"))


class TaskWrapper(Generic[P, R]):
    """A task: the function, its name and options. Calling it enqueues a job."""

    #: Whether the function is ``async def``; its value is then what it returns when awaited.
    is_async = False
    #: The class that the class of its calls is made of.
    task_base: type[Task] = Task

    def __init__(
        self, huey: Huey, func: Callable[P, Any], name: str | None, options: TaskOptions
    ) -> None:
        if not callable(func):
            raise ConfigurationError(
                f"{func!r} cannot be called: a task is a function, and for a class method one "
                "outside of the class, which calls it"
            )
        if name is None and not hasattr(func, "__name__"):
            raise ConfigurationError(f"{func!r} has no name: give the task one with name=")
        if inspect.isasyncgenfunction(func):
            raise ConfigurationError(
                f"{func.__name__} is an async generator: a task returns one value"
            )
        self.huey = huey
        self.func = func
        self.options = options
        #: From which level on the log lines of its runs are kept, None for none.
        self.log_level = kept_level(options.keep_logs, huey.keep_logs)
        #: Whether a run needs nothing but the function and its arguments; asked once per run.
        self.plain = not (options.context or self.is_async or self.log_level is not None)
        self.short_name = name or func.__name__
        self.name = f"{func.__module__}.{self.short_name}"
        update_wrapper(self, func, updated=())
        self.__name__ = self.short_name
        self.judge_by(func)
        self.schedule_when: Schedule | None = None
        self.catch_up = "latest"
        self.grace = 3600.0
        self._make_class()

    def fire_on(self, schedule: Schedule, catch_up: str, grace: float) -> None:
        """Make it a periodic task."""
        self.schedule_when, self.catch_up, self.grace = schedule, catch_up, grace
        self.task_base = PeriodicTask
        self._make_class()

    def _make_class(self) -> None:
        options = self.options
        own = options.attributes or {}
        #: The class of its calls, with the name and module of the function, as in Huey.
        self.task_class = self.create_task(
            self.func,
            options.context,
            self.short_name,
            **{name: value for name, value in own.items() if not hasattr(Task, name)},
            default_retries=options.retries,
            default_retry_delay=options.retry_delay,
            default_retry_backoff=options.retry_backoff,
            default_priority=options.priority,
            default_expires=options.expires,
            default_timeout=options.timeout,
            at_most_once=options.at_most_once,
            result_ttl=self.huey.result_ttl if options.result_ttl is None else options.result_ttl,
            unique=options.unique,
        )
        if self.task_class.execute is not Task.execute:
            self.plain = False

    def create_task(
        self,
        func: Callable[..., Any],
        context: bool = False,
        name: str | None = None,
        **settings: Any,
    ) -> type[Task]:
        """The class of the task's calls, as in Huey: override it to give it more."""
        home = {"__module__": func.__module__, "__doc__": func.__doc__}
        attributes = {**home, **settings, "context": context, "wrapper": self}
        return type(name or func.__name__, (self.task_base,), attributes)

    def judge_by(self, func: Callable[..., Any]) -> None:
        """Let the parameters of ``func`` say which calls fit: a decorator's, that passes on what it
        is given. Raises ``ConfigurationError`` when it has no place for the job that
        ``context=True`` passes."""
        self._parameters = Parameters(func, self.options.context)

    def check_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raises TypeError when the function cannot be called with these arguments."""
        self._parameters.check(self.name, args, kwargs)

    @property
    def retries(self) -> int:
        return self.options.retries

    @property
    def retry_delay(self) -> float:
        return self.options.retry_delay

    @property
    def limit(self) -> Limit | None:
        """How its jobs are held back, None when they are not."""
        return None if self.options.limit is None else self.options.limit.for_task(self.name)

    def hold(self, more: TaskLimit) -> TaskWrapper[P, R]:
        """Hold its jobs back; for decorators above ``@huey.task()``. Raises
        ``ConfigurationError``."""
        had = self.options.limit
        self.options = replace(self.options, limit=more if had is None else had.combined(more))
        return self

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Result[R]:
        return self.huey.enqueue(self._signature(args, kwargs))  # type: ignore[return-value]

    async def aenqueue(self, *args: P.args, **kwargs: P.kwargs) -> Result[R]:
        """The call as ``await``: the loop goes on while the job is written. See
        ``Huey.aenqueue``."""
        return await self.huey.aenqueue(self._signature(args, kwargs))  # type: ignore[return-value]

    def call_local(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function here and now, without the queue."""
        return self.func(*args, **kwargs)  # type: ignore[no-any-return]

    def s(self, *args: Any, **kwargs: Any) -> Task:
        """A signature: the call as data. As in Huey the keywords ``id eta delay priority retries
        retry_delay retry_backoff expires timeout`` are taken as options of the job; so are
        ``unique unique_key unique_until on_conflict`` unless the function has such a parameter."""
        return self._signature(args, kwargs)

    def _signature(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Task:
        if not kwargs:
            return self.task_class(args)
        options = {name: kwargs.pop(name) for name in _JOB_OPTIONS if name in kwargs}
        delay = options.pop("delay", None)
        run_at = posix(options.pop("eta", None), delay)
        task = self.task_class(args, kwargs, run_at=run_at, **options)
        task._delay = seconds(delay)
        if not _UNIQUE_OPTIONS.isdisjoint(kwargs):
            own = _UNIQUE_OPTIONS - inspect.signature(self.func).parameters.keys()
            given = {name: kwargs.pop(name) for name in own if name in kwargs}
            task.unique = self._unique(**given) if given else task.unique
        return task

    def _unique(
        self,
        unique: By | None = None,
        unique_key: str | None = None,
        unique_until: Until | None = None,
        on_conflict: OnConflict | None = None,
    ) -> Unique | None:
        return make_unique(self.options.unique, unique, unique_key, unique_until, on_conflict)

    def schedule(
        self,
        args: Any = None,
        kwargs: dict[str, Any] | None = None,
        eta: datetime | None = None,
        delay: Seconds | None = None,
        priority: float | None = None,
        retries: int | None = None,
        retry_delay: Seconds | None = None,
        retry_backoff: float | None = None,
        expires: When | None = None,
        timeout: Seconds | None = None,
        id: str | None = None,
        unique: By | None = None,
        unique_key: str | None = None,
        unique_until: Until | None = None,
        on_conflict: OnConflict | None = None,
    ) -> Result[R]:
        """Enqueue a call for later: at ``eta``, or after ``delay`` seconds. As in Huey a single
        number, timedelta or datetime is the time. ``unique_key`` is a key of your own among the
        jobs of this task; the rest as in ``Huey.task``."""
        if eta is None and delay is None:
            if isinstance(args, datetime):
                eta = args
            elif isinstance(args, int | float | timedelta):
                delay = args
            else:
                raise ValueError("schedule() needs eta= or delay=")
            args = None
        if kwargs is not None and not isinstance(kwargs, dict):
            raise ValueError("schedule() kwargs must be a dict")
        task = self.task_class(
            tuple(args or ()),
            kwargs or {},
            id=id,
            run_at=posix(eta, delay),
            priority=priority,
            retries=retries,
            retry_delay=retry_delay,
            retry_backoff=retry_backoff,
            expires=expires,
            timeout=timeout,
        )
        task._delay = seconds(delay)
        task.unique = self._unique(unique, unique_key, unique_until, on_conflict)
        return self.huey.enqueue(task)  # type: ignore[return-value]

    def map(self, items: Iterable[Any]) -> ResultGroup:
        """One job per item, in one transaction; a tuple is spread over the parameters. None when
        ``results`` is off, as in Huey."""
        group = self.huey.enqueue_group(
            self._signature(item if isinstance(item, tuple) else (item,), {}) for item in items
        )
        return group if self.huey.results else None  # type: ignore[return-value]

    def revoke(
        self,
        revoke_until: When | None = None,
        revoke_once: bool = False,
        reason: str | None = None,
    ) -> None:
        """From now on, jobs of this task end revoked instead of running."""
        self.huey.revoke_all(self, revoke_until, revoke_once, reason)

    def restore(self) -> bool:
        """Take ``revoke`` back; False when the task was not revoked."""
        return self.huey.restore_all(self)

    def is_revoked(self, timestamp: datetime | None = None, peek: bool = True) -> bool:
        return self.huey.is_revoked(self, timestamp, peek)

    def unregister(self) -> bool:
        """Forget the task; jobs of it that are in the queue wait for a process that knows it."""
        return self.huey.registry.unregister(self)

    def new_job(self, task: Task, payload: bytes, preview: str | None) -> NewJob:
        """The row that a call becomes."""
        expires, limit = task.expires, self.options.limit
        kwargs = own(task.kwargs) if CARRIED in task.kwargs else task.kwargs
        job = NewJob(
            task.id,
            self.name,
            payload,
            preview,
            task.priority or 0,
            task.run_at,
            expires.timestamp() if isinstance(expires, datetime) else None,
            task.scheduled_for,
            task.retries,
            task.retry_delay,
            task.retry_backoff,
            task.timeout,
            self.options.max_crashes,
            task.at_most_once,
            task.result_ttl,
            None if limit is None else limit.key_of(self.name, task.args, kwargs),
            task._delay or 0,
            None if isinstance(expires, datetime) else seconds(expires),
        )
        unique = task.unique
        key = unique and unique.key_of(self.func, task.args, kwargs)
        if unique is None or key is None:
            return job
        return job._replace(
            unique_key=key, unique_until=unique.until, on_conflict=unique.on_conflict
        )

    def __reduce__(self) -> Any:
        """As a function: by its name in its module."""
        return getattr(self, "__qualname__", self.__name__)

    def __repr__(self) -> str:
        return f"<task {self.name}>"


class AsyncTaskWrapper(TaskWrapper[P, R]):
    """A task whose function is ``async def``. It is called, enqueued and run as any other; ``R`` is
    what awaiting the function gives."""

    is_async = True

    def call_local(  # type: ignore[override]
        self, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, R]:
        """The function's coroutine, for the caller to await, without the queue."""
        return self.func(*args, **kwargs)  # type: ignore[no-any-return]


def _async(kind: type[TaskWrapper[Any, Any]]) -> type[TaskWrapper[Any, Any]]:
    """An application's class of tasks, for an ``async def`` function."""
    return type(kind.__name__, (kind, AsyncTaskWrapper), {"__module__": kind.__module__})


def wrap(
    huey: Huey, func: Callable[P, Any], name: str | None, options: TaskOptions
) -> TaskWrapper[P, Any]:
    """The task of a function, async or not. Warns of parameters that no call gives by keyword."""
    kind = huey.get_task_wrapper_class()
    if kind.__init__ is not TaskWrapper.__init__:
        raise ConfigurationError(
            f"{kind.__name__}.__init__() would not be called as in Huey: override create_task() or "
            "the methods that callers use"
        )
    if inspect.iscoroutinefunction(func):
        kind = AsyncTaskWrapper if kind is TaskWrapper else _async(kind)
    task: TaskWrapper[P, Any] = kind(huey, func, name, options)
    warn_of_taken(task.name, func, _JOB_OPTIONS)
    return task
