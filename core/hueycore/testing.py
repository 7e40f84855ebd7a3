"""For the tests of applications: a queue in memory, a clock in your hand, jobs run when you say so.

>>> with Sandbox(huey) as box:
...     signup("ann@example.org")
...     box.assert_enqueued(send_mail, args=("ann@example.org",))
...     box.drain(until=timedelta(days=1))

With pytest, ``pytest_plugins = ["hueycore.contrib.pytest"]`` gives the fixture ``huey_sandbox``.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Self

from hueycore.api import Huey
from hueycore.calendar.durations import Seconds, When, seconds
from hueycore.consumer.scheduler import Scheduler
from hueycore.model.jobs import Job, Selector
from hueycore.model.states import WAITING
from hueycore.storage.base import Storage
from hueycore.system import clock
from hueycore.tasks.task import Task
from hueycore.tasks.wrapper import TaskWrapper

__all__ = ["FakeClock", "Sandbox"]

#: Runs of one ``drain`` after which it gives up.
MANY = 100_000


class FakeClock:
    """The wall clock of this process's queues; it stands still until it is told to move.

    Schedules, retries, expiry and periodic tasks go by it. How long a run takes, and so a timeout,
    does not. ``at`` is where it begins: a datetime or POSIX seconds, now by default.
    """

    def __init__(self, at: datetime | float | None = None) -> None:
        self._now = clock.now() if at is None else _posix(at)
        self._real: Callable[[], float] | None = None

    def now(self) -> float:
        """POSIX seconds."""
        return self._now

    def move(self, by: Seconds) -> None:
        """Let so many seconds, or a timedelta, pass."""
        self._now += seconds(by)

    def move_to(self, when: datetime | float) -> None:
        """Go to a moment. A naive datetime is local time."""
        self._now = _posix(when)

    def __enter__(self) -> Self:
        self._real, clock.now = clock.now, self.now
        return self

    def __exit__(self, *exc: object) -> None:
        assert self._real is not None
        clock.now = self._real


class Sandbox:
    """While it is entered, ``huey`` is an empty queue in memory and its clock is ``self.clock``."""

    def __init__(self, huey: Huey, at: datetime | float | None = None) -> None:
        self.huey = huey
        self.clock = FakeClock(at)
        self._scheduler = Scheduler(huey, periodic=True, interval=0.0)
        self._outside: Storage | None = None

    def __enter__(self) -> Self:
        self.clock.__enter__()
        self._outside = self.huey._storage
        self.huey._storage = self.huey._storage_in_memory()
        self._scheduler.declare()
        return self

    def __exit__(self, *exc: object) -> None:
        self.huey.close()
        self.huey._storage = self._outside
        self.clock.__exit__()

    # --- running ------------------------------------------------------------------------------

    def drain(self, until: When | None = None, *, periodic: bool = False) -> list[Task]:
        """Run what is ready, and what becomes ready by that, in running order; returns the jobs
        that ran, a retried one once for each run.

        With ``until`` (a datetime, or seconds from now) the clock goes from one due time to the
        next, at last to that moment, and what comes due on the way runs: scheduled jobs and
        retries, and with ``periodic`` the periodic tasks too."""
        end = self.clock.now() if until is None else self._moment(until)
        ran: list[Task] = []
        while True:
            if periodic:
                self._scheduler.step()
            while (task := self.huey.dequeue()) is not None:
                self.huey.execute(task)
                ran.append(task)
                if len(ran) >= MANY:
                    raise AssertionError(f"still not drained after {MANY} runs, last {task!r}")
            coming = self._next_due(periodic)
            if coming is None or coming > end:
                break
            self.clock.move_to(coming)
        self.clock.move_to(max(end, self.clock.now()))
        return ran

    def _moment(self, until: When) -> float:
        return _posix(until) if isinstance(until, datetime) else self.clock.now() + seconds(until)

    def _next_due(self, periodic: bool) -> float | None:
        """When something is due next. What is due by now and has not run is paused."""
        times = [self.huey.storage.next_run_at()]
        if periodic:
            times += [row.next_run for row in self.huey.storage.periodic() if not row.paused_at]
        now = self.clock.now()
        return min((when for when in times if when is not None and when > now), default=None)

    # --- looking ------------------------------------------------------------------------------

    def enqueued(self, task: TaskWrapper[..., Any] | str | None = None) -> list[Task]:
        """The jobs that wait, of one task or of all, in the order in which they were enqueued."""
        name = task.name if isinstance(task, TaskWrapper) else task
        selector = Selector(queues=(self.huey.name,), states=WAITING, task=name)
        return [self._task(job) for job in self.huey.storage.jobs(selector)]

    def assert_enqueued(
        self,
        task: TaskWrapper[..., Any] | str,
        args: tuple[Any, ...] | None = None,
        kwargs: dict[str, Any] | None = None,
        *,
        times: int | None = None,
    ) -> None:
        """At least one job of the task waits, with just these ``args`` and ``kwargs`` where they
        are given; with ``times`` exactly so many do. The error lists what waits instead."""
        found = [
            job
            for job in self.enqueued(task)
            if (args is None or job.args == args) and (kwargs is None or job.kwargs == kwargs)
        ]
        if len(found) == times or (times is None and found):
            return
        name = task.name if isinstance(task, TaskWrapper) else task
        wanted = "a job" if times is None else f"{times} jobs"
        waiting = "\n".join(f"  {_call(job)}" for job in self.enqueued()) or "  nothing"
        raise AssertionError(
            f"{wanted} of {name} should wait, {len(found)} do. What waits:\n{waiting}"
        )

    def assert_not_enqueued(self, task: TaskWrapper[..., Any] | str) -> None:
        """No job of the task waits."""
        self.assert_enqueued(task, times=0)

    def _task(self, job: Job) -> Task:
        task = self.huey.task_of(job)
        if task is None:
            raise AssertionError(f"job {job.seq} of {job.task} cannot be read here")
        return task


def _posix(when: datetime | float) -> float:
    return when.timestamp() if isinstance(when, datetime) else when


def _call(job: Task) -> str:
    arguments = [repr(value) for value in job.args]
    arguments += [f"{name}={value!r}" for name, value in job.kwargs.items()]
    return f"{job.task_name}({', '.join(arguments)})"
