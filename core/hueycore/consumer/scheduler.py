"""What is due: scheduled jobs become pending, periodic tasks fire. Any number of consumers may do
this for one queue; the storage lets one win."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Any

from hueycore import clock
from hueycore import signals as S
from hueycore.localzone import default_zone
from hueycore.schedule import Schedule
from hueycore.storage.base import Periodic
from hueycore.task import PeriodicTask
from hueycore.wrapper import TaskWrapper

if TYPE_CHECKING:
    from hueycore.api import Huey

logger = logging.getLogger("hueycore.consumer")

BATCH = 500
#: Runs that ``catch_up="all"`` makes up for.
CATCH_UP_LIMIT = 1000
#: With ``catch_up="skip"`` a fire time this long ago still counts as now, seconds.
SKIP_AFTER = 10.0


class Scheduler:
    def __init__(self, huey: Huey, *, periodic: bool, interval: float) -> None:
        self._huey = huey
        self._periodic = periodic
        self._interval = interval
        self._declared: set[str] = set()

    def declare(self) -> None:
        """Store the schedules of the application's periodic tasks."""
        if not self._periodic:
            return
        now = clock.now()
        self._declared = {wrapper.name for wrapper in self._huey.registry.periodic()}
        self._huey.storage.declare_periodic(
            [
                Periodic(
                    name=wrapper.name,
                    task=wrapper.name,
                    schedule=_schedule(wrapper).expression,
                    tz=_schedule(wrapper).tz,
                    next_run=self._next(wrapper, now),
                    catch_up=wrapper.catch_up,
                    grace=wrapper.grace,
                )
                for wrapper in self._huey.registry.periodic()
            ]
        )

    def step(self) -> float:
        """Do what is due; seconds until the next thing is."""
        storage = self._huey.storage
        while True:
            promoted = storage.promote(BATCH)
            self._huey.tell(S.SIGNAL_ENQUEUED, promoted)
            if len(promoted) < BATCH:
                break
        times = [clock.now() + self._interval]
        if self._periodic:
            times += self._fire_due()
        due = storage.next_run_at()
        if due is not None:
            times.append(due)
        return min(times) - clock.now()

    def _fire_due(self) -> list[float]:
        """Fire what is due; when the others will be."""
        declared = {wrapper.name for wrapper in self._huey.registry.periodic()}
        if declared != self._declared:
            self.declare()  # tasks may be declared while the consumer runs
        if not declared or self._huey.storage.revocation("paused-scheduler", "") is not None:
            return []
        coming = []
        now = clock.now()
        for stored in self._huey.storage.periodic():
            wrapper = self._huey.registry.get(stored.task)
            if wrapper is None or wrapper.schedule_when is None or stored.paused_at is not None:
                continue
            if stored.next_run <= now:
                coming.append(self._fire(wrapper, stored, now))
            else:
                coming.append(stored.next_run)
        return coming

    def _fire(self, wrapper: TaskWrapper[Any, Any], stored: Periodic, now: float) -> float:
        upcoming = self._next(wrapper, now)
        huey = self._huey
        tasks = []
        try:
            times = self._due_times(wrapper, stored, now)
        except Exception:
            logger.exception("periodic task %s: its schedule failed", wrapper.name)
            times = []
        for when in times:
            task = PeriodicTask(wrapper)
            task.scheduled_for = when
            tasks.append(task)
        jobs = [wrapper.new_job(task, huey.serializer.serialize(((), {})), "") for task in tasks]
        if huey.storage.fire(stored.name, stored.next_run, upcoming, jobs):
            for task in tasks:
                logger.info("periodic task %s is due", wrapper.name)
                huey.signals.send(S.SIGNAL_ENQUEUED, task)
        return upcoming

    def _due_times(
        self, wrapper: TaskWrapper[Any, Any], stored: Periodic, now: float
    ) -> list[float]:
        """The fire times to make up for, oldest first."""
        schedule = _schedule(wrapper)
        late = {"latest": stored.grace, "skip": SKIP_AFTER}.get(stored.catch_up)
        when = stored.next_run
        if late is not None and when < now - late:
            when = self._next(wrapper, now - late)
        limit = 1 if late is not None else CATCH_UP_LIMIT
        times: deque[float] = deque(maxlen=limit)
        while when <= now:
            if schedule.due(when):
                times.append(when)
            when = self._next(wrapper, when)
        return list(times)

    def _next(self, wrapper: TaskWrapper[Any, Any], when: float) -> float:
        return _schedule(wrapper).next_after(when, default_zone(self._huey.utc))


def _schedule(wrapper: TaskWrapper[Any, Any]) -> Schedule:
    assert wrapper.schedule_when is not None
    return wrapper.schedule_when
