"""One call of a task, as data. No I/O here."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hueycore.calendar.durations import Seconds, When, check_expires, number, seconds, whole
from hueycore.exceptions import ConfigurationError, TaskTimeout
from hueycore.model.jobs import Claim
from hueycore.model.retry import Backoff
from hueycore.system import clock
from hueycore.system.ids import new_id
from hueycore.tasks.canvas import Link, Pipeline, Stage, extended, handled, stage

if TYPE_CHECKING:
    from hueycore.tasks.result import Result
    from hueycore.tasks.wrapper import TaskWrapper


class Data(tuple[tuple[Any, ...], dict[str, Any]]):
    """The arguments of a call. Hashable by what they look like, lists and dictionaries too:
    Huey's recipe for deduplication hashes it."""

    __slots__ = ()

    def __hash__(self) -> int:
        return hash(repr(self))


class Task(Stage):
    """One call of a task: a signature before it is enqueued, the job while it runs.

    ``name`` is the function's name as in Huey, ``task_name`` the dotted name it is registered
    under. ``eta`` is a datetime; ``retries`` counts the tries that are left.
    """

    __slots__ = (
        "_claim",
        "_complete",
        "_deadline",
        "_delay",
        "_enqueued",
        "_generated",
        "_handler",
        "_pipeline",
        "_report",
        "_unchecked",
        "args",
        "at_most_once",
        "expires",
        "id",
        "kwargs",
        "priority",
        "result_ttl",
        "retries",
        "retry_backoff",
        "retry_delay",
        "run_at",
        "scheduled_for",
        "timeout",
        "unique",
        "wrapper",
    )

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
        self.retries = options.retries if retries is None else whole("retries", retries)
        self.retry_delay = options.retry_delay if retry_delay is None else _one_delay(retry_delay)
        self.retry_backoff = (
            options.retry_backoff
            if retry_backoff is None
            else number("retry_backoff", retry_backoff, 0)
        )
        self.priority = options.priority if priority is None else number("priority", priority)
        check_expires(expires)
        self.expires = options.expires if expires is None else expires
        self.timeout = (
            options.timeout if timeout is None else number("timeout", seconds(timeout), 0)
        )
        self.at_most_once = options.at_most_once
        self.result_ttl = options.result_ttl
        self.unique = options.unique
        self.scheduled_for: float | None = None
        self._claim: Claim | None = None
        self._deadline: float | None = None
        self._enqueued = False
        #: Seconds before it runs, when it was not a time that was given.
        self._delay: float | None = None
        #: Whether its arguments are nobody's business before the run.
        self._unchecked = False
        self._pipeline: Pipeline | None = None
        self._handler: Stage | None = None
        self._report: Callable[[str], None] | None = None
        self._complete: Callable[[Any, Any], None] | None = None

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

    def then(self, task: Link, *args: Any, **kwargs: Any) -> Pipeline:
        """Add a stage that is called with the value of this one, see ``Pipeline``. As in Huey the
        signature stays the head of it: enqueueing either is the same."""
        if self._pipeline is None:
            self._pipeline = Pipeline([self])
        return self._pipeline.then(task, *args, **kwargs)

    def error(self, handler: Link, *args: Any, **kwargs: Any) -> Task:
        """Call ``handler`` with the exception, after its own arguments, when this job fails for
        good. With a handler already: when that one fails. Returns the signature."""
        self._handler = handled(self._handler, stage(handler, args, kwargs))
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

    def __getstate__(self) -> object:
        """What is copied and pickled: without what ties a run to its worker."""
        state = {name: getattr(self, name) for name in Task.__slots__}
        return None, {**state, "_report": None, "_complete": None}

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


def _one_delay(value: Seconds) -> float:
    if isinstance(value, Backoff):
        raise TypeError("a Backoff is an option of the task: one call can give a number")
    return number("retry_delay", seconds(value), 0)


class PeriodicTask(Task):
    """A call made by the scheduler; ``scheduled_for`` is its planned time, POSIX seconds."""

    __slots__ = ()
