"""Tasks as data: a registered function, and one call of it. No I/O here."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

from hueycore import clock
from hueycore.exceptions import ConfigurationError, TaskTimeout
from hueycore.ids import new_id
from hueycore.schedule import Schedule
from hueycore.storage.base import Claim, NewJob

if TYPE_CHECKING:
    from hueycore.api import Huey
    from hueycore.result import Result, ResultGroup

P = ParamSpec("P")
R = TypeVar("R")

Seconds = float | int | timedelta
When = datetime | Seconds

__all__ = ["PeriodicTask", "Task", "TaskOptions", "TaskWrapper", "new_id"]


@dataclass(frozen=True, slots=True)
class TaskOptions:
    """What a task says of its jobs unless the call says otherwise. Durations in seconds."""

    retries: int = 0
    retry_delay: float = 0
    retry_backoff: float = 0
    priority: float | None = None
    context: bool = False
    expires: When | None = None
    timeout: float | None = None
    at_most_once: bool = False
    result_ttl: float | None = None
    max_crashes: int = 3


class Data(tuple[tuple[Any, ...], dict[str, Any]]):
    """The arguments of a call. Hashable by what they look like, lists and dictionaries too:
    Huey's recipe for deduplication hashes it."""

    __slots__ = ()

    def __hash__(self) -> int:
        return hash(repr(self))


class Task:
    """One call of a task: a signature before it is enqueued, the job while it runs.

    ``name`` is the function's name as in Huey, ``task_name`` the dotted name it is registered
    under. ``eta`` is a datetime; ``retries`` counts the tries that are left.
    """

    __slots__ = (
        "_claim", "_deadline", "_enqueued", "_generated", "_report", "args", "at_most_once",
        "expires", "id", "kwargs", "priority", "result_ttl", "retries", "retry_backoff",
        "retry_delay", "run_at", "scheduled_for", "timeout", "wrapper",
    )  # fmt: skip

    def __init__(
        self,
        wrapper: TaskWrapper[Any, Any],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
        *,
        id: str | None = None,
        run_at: float | None = None,
        retries: int | None = None,
        retry_delay: Seconds | None = None,
        retry_backoff: float | None = None,
        priority: float | None = None,
        expires: When | None = None,
        timeout: Seconds | None = None,
    ) -> None:
        options = wrapper.options
        self.wrapper = wrapper
        self.args = args
        self.kwargs = {} if kwargs is None else kwargs
        self.id = id or new_id()
        self._generated = id is None
        self.run_at = run_at
        self.retries = options.retries if retries is None else retries
        self.retry_delay = options.retry_delay if retry_delay is None else seconds(retry_delay)
        self.retry_backoff = options.retry_backoff if retry_backoff is None else retry_backoff
        self.priority = options.priority if priority is None else priority
        self.expires = options.expires if expires is None else expires
        self.timeout = options.timeout if timeout is None else seconds(timeout)
        self.at_most_once = options.at_most_once
        self.result_ttl = options.result_ttl
        self.scheduled_for: float | None = None
        self._claim: Claim | None = None
        self._deadline: float | None = None
        self._enqueued = False
        self._report: Callable[[str], None] | None = None

    @classmethod
    def of_claim(
        cls,
        wrapper: TaskWrapper[Any, Any],
        claim: Claim,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Task:
        """The job as a run sees it."""
        task = cls(wrapper, args, kwargs, id=claim.id, run_at=claim.run_at)
        task.retries = claim.retries
        task.retry_delay = claim.retry_delay
        task.retry_backoff = claim.retry_backoff
        task.priority = claim.priority
        task.timeout = claim.timeout
        task.expires = None
        task.scheduled_for = claim.scheduled_for
        task._claim = claim
        return task

    def renew_id(self) -> None:
        """A signature that is enqueued once more becomes a job of its own."""
        self.id = new_id()

    @property
    def name(self) -> str:
        return self.wrapper.short_name

    @property
    def task_name(self) -> str:
        return self.wrapper.name

    @property
    def data(self) -> Data:
        """Arguments and keyword arguments, as in Huey."""
        return Data((self.args, self.kwargs))

    @property
    def eta(self) -> datetime | None:
        """When it is to run: naive, in UTC or in local time as ``Huey(utc=…)`` says."""
        if self.run_at is None:
            return None
        if self.wrapper.huey.utc:
            return datetime.fromtimestamp(self.run_at, UTC).replace(tzinfo=None)
        return datetime.fromtimestamp(self.run_at)

    @property
    def attempt(self) -> int:
        """Which run this is, from 1; 0 before the first."""
        return self._claim.attempt if self._claim else 0

    @property
    def seq(self) -> int | None:
        """The job's short number, once it runs."""
        return self._claim.seq if self._claim else None

    @property
    def time_remaining(self) -> float:
        """Seconds until the timeout, infinite without one."""
        if self._deadline is None:
            return float("inf")
        return max(0.0, self._deadline - clock.monotonic())

    @property
    def is_timed_out(self) -> bool:
        return self._deadline is not None and clock.monotonic() >= self._deadline

    def check_timeout(self) -> None:
        """Raise ``TaskTimeout`` when the time is up (Huey's cooperative timeout)."""
        if self.is_timed_out:
            raise TaskTimeout(f"timeout {self.timeout}s")

    def progress(self, current: float, total: float | None = None, message: str = "") -> None:
        """Say how far this run is; shown by ``hueyctl show`` and ``hueyctl wait``."""
        if self._report is not None:
            share = f"{100 * current / total:.0f}%" if total else f"{current:g}"
            self._report(f"{share} {message}".strip())

    def __hash__(self) -> int:
        return hash(self.id)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Task) and (self.id, self.run_at) == (other.id, other.run_at)

    def __str__(self) -> str:
        return self.id

    def __repr__(self) -> str:
        text = f"{self.task_name}: {self.id}"
        if self.run_at is not None and self._claim is None:
            text += f" @{self.eta}"
        if self.priority:
            text += f" p={self.priority:g}"
        if self.retries:
            text += f" {self.retries} retries"
        return text


class PeriodicTask(Task):
    """A call made by the scheduler; ``scheduled_for`` is its planned time, POSIX seconds."""

    __slots__ = ()


class TaskWrapper(Generic[P, R]):
    """A task: the function, its name and options. Calling it enqueues a job."""

    def __init__(
        self, huey: Huey, func: Callable[P, R], name: str | None, options: TaskOptions
    ) -> None:
        if inspect.iscoroutinefunction(func):
            raise ConfigurationError(
                f"{func.__name__} is async: wrap it with asyncio.run() in a plain function"
            )
        self.huey = huey
        self.func = func
        self.options = options
        self.short_name = name or func.__name__
        self.name = f"{func.__module__}.{self.short_name}"
        self.__doc__ = func.__doc__
        self.__name__ = self.short_name
        self.__module__ = func.__module__
        self.schedule_when: Schedule | None = None
        self.catch_up = "latest"
        self.grace = 3600.0

    @property
    def retries(self) -> int:
        return self.options.retries

    @property
    def retry_delay(self) -> float:
        return self.options.retry_delay

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Result[R]:
        return self.huey.enqueue(self._signature(args, kwargs))  # type: ignore[return-value]

    def call_local(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function here and now, without the queue."""
        return self.func(*args, **kwargs)

    def s(self, *args: Any, **kwargs: Any) -> Task:
        """A signature: the call as data. As in Huey the keywords ``id eta delay priority retries
        retry_delay retry_backoff expires timeout`` are taken as options of the job."""
        return self._signature(args, kwargs)

    def _signature(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Task:
        if not kwargs:
            return Task(self, args)
        options = {name: kwargs.pop(name) for name in _OPTIONS if name in kwargs}
        run_at = posix(options.pop("eta", None), options.pop("delay", None))
        return Task(self, args, kwargs, run_at=run_at, **options)

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
    ) -> Result[R]:
        """Enqueue a call for later: at ``eta``, or after ``delay`` seconds. As in Huey a single
        number, timedelta or datetime is the time."""
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
        task = Task(
            self,
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
        return self.huey.enqueue(task)  # type: ignore[return-value]

    def map(self, items: Iterable[Any]) -> ResultGroup:
        """One job per item, in one transaction; a tuple is spread over the parameters."""
        return self.huey.enqueue_group(
            self._signature(item if isinstance(item, tuple) else (item,), {}) for item in items
        )

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
        expires = task.expires
        return NewJob(
            task.id,
            self.name,
            payload,
            preview,
            task.priority or 0,
            task.run_at,
            None if expires is None else posix_when(expires),
            task.scheduled_for,
            task.retries,
            task.retry_delay,
            task.retry_backoff,
            task.timeout,
            self.options.max_crashes,
            task.at_most_once,
            task.result_ttl,
        )

    def __repr__(self) -> str:
        return f"<task {self.name}>"


_OPTIONS = (
    "id", "eta", "delay", "priority", "retries", "retry_delay", "retry_backoff", "expires",
    "timeout",
)  # fmt: skip


@overload
def seconds(value: Seconds) -> float: ...
@overload
def seconds(value: None) -> None: ...
def seconds(value: Seconds | None) -> float | None:
    """A duration in seconds."""
    return value.total_seconds() if isinstance(value, timedelta) else value


def posix(eta: datetime | None, delay: Seconds | None) -> float | None:
    """POSIX seconds of an eta or a delay. A naive datetime is local time, as in Huey, whatever
    ``utc`` says; an aware one is itself. Raises ValueError for both, and for an eta that is no
    datetime."""
    if eta is None:
        return None if delay is None else clock.now() + seconds(delay)
    if delay is not None:
        raise ValueError("give eta= or delay=, not both")
    if not isinstance(eta, datetime):
        raise ValueError(f"eta must be a datetime, not {eta!r}")
    return eta.timestamp()


def posix_when(when: When) -> float:
    """POSIX seconds of a datetime, or of a duration from now."""
    return when.timestamp() if isinstance(when, datetime) else clock.now() + seconds(when)
