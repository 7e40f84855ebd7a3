"""One call of a task, as data. No I/O here."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hueycore.calendar.durations import (
    Seconds,
    When,
    check_expires,
    number,
    posix_of,
    posix_when,
    seconds,
    whole,
)
from hueycore.calendar.schedule import fires_in
from hueycore.calendar.zones import default_zone
from hueycore.exceptions import ConfigurationError, TaskTimeout
from hueycore.model.jobs import Claim
from hueycore.model.retry import Backoff
from hueycore.system import clock
from hueycore.system.ids import new_id
from hueycore.tasks.canvas import Link, Pipeline, Stage, extended, handled, stage

if TYPE_CHECKING:
    from hueycore.tasks.result import Result
    from hueycore.tasks.unique import Unique
    from hueycore.tasks.wrapper import TaskWrapper


class Data(tuple[tuple[Any, ...], dict[str, Any]]):
    """The arguments of a call. Hashable by what they look like, lists and dictionaries too:
    Huey's recipe for deduplication hashes it."""

    __slots__ = ()

    def __hash__(self) -> int:
        return hash(repr(self))


class Task(Stage):
    """One call of a task: a signature before it is enqueued, the job while it runs.

    Each task has a class of its own, ``TaskWrapper.task_class``, with the name and module of the
    function. ``task_name`` is the dotted name it is registered under. ``eta`` is a datetime;
    ``retries`` counts the tries that are left. It takes attributes of your own, and those live as
    long as the run: its hooks, its receivers and its body have the same object.

    ``Task(id=…)`` names a job and is no call, as in Huey.
    """

    #: The task that it is a call of; a bare id has none.
    wrapper: TaskWrapper[Any, Any]
    #: Whether the function gets the job as ``task=``.
    context = False
    default_retries = 0
    default_retry_delay: float = 0
    default_retry_backoff: float = 0
    default_priority: float | None = None
    default_expires: When | None = None
    default_timeout: float | None = None

    at_most_once = False
    result_ttl: float | None = None
    unique: Unique | None = None
    scheduled_for: float | None = None
    #: The handler of ``error``.
    on_error: Stage | None = None

    _claim: Claim | None = None
    _deadline: float | None = None
    _enqueued = False
    #: Seconds before it runs, when it was not a time that was given.
    _delay: float | None = None
    #: Whether its arguments are nobody's business before the run.
    _unchecked = False
    _pipeline: Pipeline | None = None
    #: The number of the stage that follows, of a job that is stored.
    _next: int | None = None
    #: When it expires, POSIX seconds, once it is known.
    _expires_at: float | None = None
    _report: Callable[[str], None] | None = None
    _complete: Callable[[Any, Any], None] | None = None
    #: The run that waits for an ``execute`` of the application's own to get to it.
    _run: Callable[[], Any] | None = None

    def __init__(
        self,
        args: tuple[Any, ...] | None = None,
        kwargs: dict[str, Any] | None = None,
        id: str | None = None,
        eta: datetime | None = None,
        retries: int | None = None,
        retry_delay: Seconds | None = None,
        priority: float | None = None,
        expires: When | None = None,
        on_complete: Link | None = None,
        on_error: Link | None = None,
        expires_resolved: datetime | None = None,
        timeout: Seconds | None = None,
        *,
        retry_backoff: float | None = None,
        run_at: float | None = None,
    ) -> None:
        self.args = () if args is None else args
        self.kwargs = {} if kwargs is None else kwargs
        self.id = id or new_id()
        self._generated = id is None
        self.run_at = run_at
        self.retries = self.default_retries if retries is None else whole("retries", retries)
        self.retry_delay = (
            self.default_retry_delay if retry_delay is None else _one_delay(retry_delay)
        )
        self.retry_backoff = (
            self.default_retry_backoff
            if retry_backoff is None
            else number("retry_backoff", retry_backoff, 0)
        )
        self.priority = self.default_priority if priority is None else number("priority", priority)
        check_expires(expires)
        self.expires = self.default_expires if expires is None else expires
        self.timeout = (
            self.default_timeout if timeout is None else number("timeout", seconds(timeout), 0)
        )
        if eta is not None:
            self.eta = eta
        if expires_resolved is not None:
            self.expires_resolved = expires_resolved
        if on_complete is not None:
            self.then(on_complete)
        if on_error is not None:
            self.error(on_error)

    @staticmethod
    def of_claim(
        wrapper: TaskWrapper[Any, Any],
        claim: Claim,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Task:
        """The job as a run sees it."""
        task = wrapper.task_class(args, kwargs, claim.id, run_at=claim.run_at)
        task.retries = claim.retries
        task.retry_delay = claim.retry_delay
        task.retry_backoff = claim.retry_backoff
        task.priority = claim.priority
        task.timeout = claim.timeout
        task.expires = None
        task._expires_at = claim.expires_at
        task.scheduled_for = claim.scheduled_for
        task._claim = claim
        task._next = claim.next
        return task

    def then(self, task: Link, *args: Any, **kwargs: Any) -> Pipeline:
        """Add a stage that is called with the value of this one, see ``Pipeline``. As in Huey the
        signature stays the head of it: enqueueing either is the same."""
        if self._pipeline is None:
            self._pipeline = Pipeline([self])
        return self._pipeline.then(task, *args, **kwargs)

    def error(self, handler: Link, *args: Any, **kwargs: Any) -> Task:
        """Call ``handler`` with the exception, after its own arguments, when this job fails for
        good. With a handler already: when that one fails. Returns the signature."""
        self.on_error = handled(self.on_error, stage(handler, args, kwargs))
        return self

    def extend_data(self, data: Any) -> None:
        """Add arguments, as in Huey: a tuple to the arguments, a dictionary to the keywords that
        are not there, another value as one argument, None not at all."""
        self.args, self.kwargs = extended(self.args, self.kwargs, data)

    def __call__(self) -> Result[Any] | None:
        """Enqueue it."""
        return self.wrapper.huey.enqueue(self)

    def renew_id(self) -> None:
        """A signature that is enqueued once more becomes a job of its own."""
        self.id = new_id()

    def execute(self) -> Any:
        """Call the function here and now, with the arguments of the call: its value, of an
        ``async def`` function its coroutine."""
        if self._home is None:
            raise NotImplementedError(f"{self.id} is the id of a job, and no call")
        kwargs = {**self.kwargs, "task": self} if self.context else self.kwargs
        return self.wrapper.func(*self.args, **kwargs)

    @property
    def name(self) -> str:
        """The function's name, as in Huey."""
        return type(self).__name__

    @property
    def task_name(self) -> str:
        return "" if self._home is None else self._home.name

    @property
    def _home(self) -> TaskWrapper[Any, Any] | None:
        return getattr(self, "wrapper", None)

    @property
    def revoke_id(self) -> str:
        """Huey's key of a revocation of this job."""
        return f"r:{self.id}"

    @property
    def on_complete(self) -> Stage | None:
        """What is called with the value of this one: a signature, or a pipeline of all that
        follows."""
        if self._pipeline is not None:
            return self._pipeline.on_complete
        if self._next is None:
            return None
        huey = self.wrapper.huey
        row = huey.storage.job(str(self._next))
        return None if row is None else huey.task_of(row)

    @on_complete.setter
    def on_complete(self, task: Link | None) -> None:
        self._pipeline = None
        if task is not None:
            self.then(task)

    @property
    def data(self) -> Data:
        """Arguments and keyword arguments, as in Huey."""
        return Data((self.args, self.kwargs))

    @property
    def eta(self) -> datetime | None:
        """When it is to run: naive, in UTC or in local time as ``Huey(utc=…)`` says."""
        return self._datetime(self.run_at)

    @eta.setter
    def eta(self, eta: datetime | None) -> None:
        self.run_at, self._delay = None if eta is None else self._posix(eta), None

    @property
    def expires_resolved(self) -> datetime | None:
        """When it expires, as ``eta`` is given; None before it is enqueued, and when it never
        does."""
        return self._datetime(self._expires_at)

    @expires_resolved.setter
    def expires_resolved(self, moment: datetime | None) -> None:
        self._expires_at = None if moment is None else self._posix(moment)

    def resolve_expires(self, utc: bool = True) -> datetime | None:
        """Reckon ``expires_resolved`` from ``expires``: of seconds, from when it could begin."""
        if self.expires is not None:
            self._expires_at = posix_when(self.expires, "expires", self.run_at)
        return self.expires_resolved

    @property
    def _utc(self) -> bool:
        return self._home is None or self._home.huey.utc

    def _datetime(self, moment: float | None) -> datetime | None:
        if moment is None:
            return None
        if self._utc:
            return datetime.fromtimestamp(moment, UTC).replace(tzinfo=None)
        return datetime.fromtimestamp(moment)

    def _posix(self, moment: datetime) -> float:
        return posix_of(moment, self._utc)

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
            share = f"{current:.0f}" if current % 1 == 0 else f"{current:g}"
            if total:
                share = f"{100 * current / total:.0f}%"
            self._report(f"{share} {message}".strip())

    def complete_in(self, connection: Any, result: Any = None) -> None:
        """End this run as done, in the transaction that is open on ``connection`` (as for
        ``Huey.using``): your rows and the end of the job are committed together, or neither is, so
        the effect happens exactly once. What the function returns is ignored then. After a
        rollback the run ends as if this had not been called.

        Raises ``ClaimLost`` when the job is not this run's any more: let it roll your rows back.
        Raises ``ConfigurationError`` outside of a run."""
        if self._complete is None:
            raise ConfigurationError("complete_in() is for the running job: context=True gives it")
        self._complete(connection, result)

    def __reduce__(self) -> Any:
        """What is copied and pickled: without what ties a run to its worker. The class is its
        task's, which is found by its name."""
        state = {**self.__dict__, "_report": None, "_complete": None, "_run": None}
        return _blank, (self._home,), state

    def __hash__(self) -> int:
        return hash(self.id)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Task) and (self.id, self.run_at) == (other.id, other.run_at)

    def __repr__(self) -> str:
        text = f"{self.task_name or self.name}: {self.id}"
        if self.run_at is not None and self._claim is None:
            text += f" @{self.eta}"
        if self.expires:
            text += f" exp={self.expires}"
            if self._expires_at is not None and self.expires != self.expires_resolved:
                text += f" ({self.expires_resolved})"
        if self.priority:
            text += f" p={self.priority:g}"
        if self.retries:
            text += f" {self.retries} retries"
        if self.timeout:
            text += f" timeout={self.timeout:g}"
        if self._pipeline is not None and self._pipeline.on_complete is not None:
            text += f" -> {self._pipeline.on_complete}"
        if self.on_error:
            text += f", on error {self.on_error}"
        return text


def _one_delay(value: Seconds) -> float:
    if isinstance(value, Backoff):
        raise TypeError("a Backoff is an option of the task: one call can give a number")
    return number("retry_delay", seconds(value), 0)


def _blank(wrapper: TaskWrapper[Any, Any] | None) -> Task:
    """A call without anything, for what is copied or read back."""
    kind: type[Task] = Task if wrapper is None else wrapper.task_class
    return kind.__new__(kind)


class PeriodicTask(Task):
    """A call of a periodic task; ``scheduled_for`` is its planned time, POSIX seconds, if the
    scheduler made it."""

    def validate_datetime(self, timestamp: datetime) -> bool:
        """Whether the task is to run in this minute, a datetime as ``eta`` is given."""
        schedule = self.wrapper.schedule_when
        minute = self._posix(timestamp) // 60 * 60
        return schedule is not None and fires_in(schedule, minute, default_zone(self._utc))
