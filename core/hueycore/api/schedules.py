"""What runs later, once or on a schedule that is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from hueycore.api import script
from hueycore.api.part import Part
from hueycore.calendar.cron import Crontab
from hueycore.calendar.durations import Seconds, When, posix, seconds
from hueycore.calendar.schedule import Schedule, as_schedule, same_when_read_back
from hueycore.calendar.zones import default_zone, default_zone_name
from hueycore.exceptions import ConfigurationError
from hueycore.model.jobs import NewJob
from hueycore.model.schedules import Periodic, repeated
from hueycore.system import clock
from hueycore.tasks.result import Result
from hueycore.tasks.task import Task
from hueycore.tasks.wrapper import TaskWrapper

#: What to do with runs that were missed.
CATCH_UP = ("latest", "skip", "all")
#: Characters of a schedule's name.
LONGEST_NAME = 255


class Schedules(Part):
    """Part of ``Huey``: times and stored schedules."""

    def enqueue_at(self, when: datetime, task: Task) -> Result[Any] | None:
        """Enqueue a signature for a point in time: ``huey.enqueue_at(when, add.s(1, 2))``. A naive
        datetime is local time, as an ``eta`` is. Raises ``TypeError``, ``ValueError`` for what is
        no signature or no datetime, and whatever ``enqueue`` does."""
        if not isinstance(task, Task):
            raise TypeError(f"enqueue_at(when, task.s(…)) takes a signature, not {task!r}")
        if not isinstance(when, datetime):  # None, too: what has no time is not for now
            raise ValueError(f"enqueue_at() takes a datetime, not {when!r}")
        task.run_at, task._delay = posix(when, None), None
        return self._huey.enqueue(task)

    def schedule_periodic(
        self,
        name: str,
        when: Schedule | str | timedelta,
        task: TaskWrapper[Any, Any] | str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        tz: str | None = None,
        catch_up: str = "latest",
        grace: Seconds = 3600.0,
        priority: float | None = None,
        retries: int | None = None,
        retry_delay: Seconds | None = None,
        retry_backoff: float | None = None,
        expires: Seconds | None = None,
        timeout: Seconds | None = None,
    ) -> None:
        """Store a schedule of a call. It is durable when this returns, survives every restart, and
        running consumers follow it at once, whatever process stored it and whatever kind of
        workers they have.

        A schedule of the same name is replaced; if it runs at the same times it goes on as if
        nothing had happened. As with a scheduled job, the call and its options are what they are
        now: after a change of the task's decorator, schedule it again.

        :param when: ``crontab(…)``, ``every("90s")``, or such as text: ``"0 9 * * mon-fri"``,
            ``"@daily"``, ``"90s"``. A function cannot be stored.
        :param task: the task, or the dotted name of one that only the consumer knows.
        :param tz: zone of the schedule, by default UTC or local as the instance's ``utc`` says.
        :param catch_up: as in ``periodic_task``, with ``grace`` in seconds.
        :param priority: and the rest, up to ``timeout``: options of the jobs, by default the
            task's. ``expires`` counts in seconds from the fire time on.

        Raises ``ConfigurationError`` for a function as schedule and for a name that is declared in
        code, ``ValueError`` for a schedule that means nothing, ``TypeError`` for arguments that the
        task does not take, ``PayloadTooLarge``, ``SerializationError``, ``StorageError``.
        """
        if not 0 < len(name) <= LONGEST_NAME:
            raise ValueError(f"a schedule's name is a text of 1 to {LONGEST_NAME} characters")
        if isinstance(expires, datetime):
            raise ValueError("a schedule's expires= is in seconds: each run expires for itself")
        schedule = as_schedule(when, tz, self.utc)
        if not same_when_read_back(schedule):
            raise ConfigurationError(f"{when!r} cannot be stored; @huey.periodic_task takes it")
        given = {
            "priority": priority,
            "retries": retries,
            "retry_delay": seconds(retry_delay),
            "retry_backoff": retry_backoff,
            "timeout": seconds(timeout),
        }
        options: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
        call = (tuple(args), dict(kwargs or {}))
        wrapper = self.registry.get(task) if isinstance(task, str) else task
        task_name = task if isinstance(task, str) else task.name
        if wrapper is not None:
            wrapper.check_call(*call)
        if task_name.partition(".")[0] in script.MAINS:
            script.check_task(self._huey, task_name)
        payload = self._producer.pack(task_name, *call)
        preview = self.serializer.preview(*call)
        if wrapper is None:
            job = NewJob("", task_name, payload, preview, **options)
        else:
            job = wrapper.new_job(wrapper.task_class(**options), payload, preview)
        row = periodic_row(
            name,
            job,
            schedule,
            utc=self.utc,
            expires=wrapper.options.expires if expires is None and wrapper else expires,
            catch_up=catch_up,
            grace=grace,
        )
        if not self.storage.schedule_periodic(row):
            raise ConfigurationError(f'schedule "{name}" is declared in code; take another name')

    def unschedule_periodic(self, name: str) -> bool:
        """Forget a schedule of ``schedule_periodic``; False when there was none of this name. Jobs
        that it has fired already stay."""
        return self.storage.remove_periodic(name)

    def periodic_tasks(self) -> list[Periodic]:
        """Every schedule of the queue, declared or stored, with its next and last run."""
        return self.storage.periodic()


def periodic_row(
    name: str,
    job: NewJob,
    schedule: Schedule,
    *,
    utc: bool,
    expires: When | None,
    catch_up: str,
    grace: Seconds,
    origin: str = "stored",
) -> Periodic:
    """The row of a schedule whose runs are jobs like this one. It names its time zone, so that it
    says when it fires to those who have no application."""
    if catch_up not in CATCH_UP:
        raise ValueError(f"catch_up={catch_up!r}: use one of {', '.join(CATCH_UP)}")
    return Periodic(
        name=name,
        task=job.task,
        schedule=schedule.expression,
        tz=zone_of(schedule, utc),
        next_run=schedule.next_after(clock.now(), default_zone(utc)),
        catch_up=catch_up,
        grace=seconds(grace),
        payload=job.payload,
        preview=job.preview,
        options=repeated(job, None if isinstance(expires, datetime) else seconds(expires)),
        origin=origin,
    )


def zone_of(schedule: Schedule, utc: bool) -> str | None:
    """The zone that a schedule is read in, as its row has it: None for UTC, and where none is."""
    if schedule.tz is None and isinstance(schedule, Crontab):
        return default_zone_name(utc)
    return schedule.tz
