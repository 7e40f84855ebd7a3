"""What is due: scheduled jobs become pending, periodic tasks fire. Any number of consumers may do
this for one queue; the storage lets one win."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from hueycore import clock
from hueycore import signals as S
from hueycore.exceptions import SerializationError
from hueycore.ids import new_id
from hueycore.localzone import default_zone
from hueycore.schedule import Schedule, read_back
from hueycore.storage.base import NewJob, Periodic
from hueycore.task import PeriodicTask
from hueycore.timetable import periodic_row, zone_of

if TYPE_CHECKING:
    from hueycore.api import Huey
    from hueycore.registry import AnyTask

logger = logging.getLogger("hueycore.consumer")

BATCH = 500
#: Runs that ``catch_up="all"`` makes up for.
CATCH_UP_LIMIT = 1000
#: With ``catch_up="skip"`` a fire time this long ago still counts as now, seconds.
SKIP_AFTER = 10.0


class Scheduler:
    """Fires what the rows of the storage say, by their own texts: with an old and a new release
    side by side both follow the schedule that was declared last. Only a schedule that no text
    tells, a function, needs the application's object."""

    def __init__(self, huey: Huey, *, periodic: bool, interval: float) -> None:
        self._huey = huey
        self._periodic = periodic
        self._interval = interval
        self._worker: int | None = None
        self._code: frozenset[str] = frozenset()
        self._declared: set[str] = set()
        self._unreadable: set[tuple[str, str]] = set()

    def declare(self, worker: int | None = None) -> None:
        """Store the schedules of the application's periodic tasks, in the name of a worker. What is
        declared later, while it runs, ends with it."""
        if not self._periodic:
            return
        self._worker = worker
        wrappers = self._huey.registry.periodic()
        self._code = frozenset(wrapper.name for wrapper in wrappers)
        self._store(wrappers)

    def _store(self, wrappers: Sequence[AnyTask]) -> None:
        huey = self._huey
        self._declared = {wrapper.name for wrapper in wrappers}
        huey.storage.declare_periodic([self._row(wrapper) for wrapper in wrappers], self._worker)
        for one in huey.storage.periodic():
            if one.origin == "stored" and one.name in self._declared:
                logger.warning("%s is not declared: a stored schedule has this name", one.name)

    def _row(self, wrapper: AnyTask) -> Periodic:
        payload = self._huey.serializer.serialize(((), {}))
        return periodic_row(
            wrapper.name,
            wrapper.new_job(PeriodicTask(wrapper), payload, ""),
            _schedule(wrapper),
            utc=self._huey.utc,
            expires=wrapper.options.expires,
            catch_up=wrapper.catch_up,
            grace=wrapper.grace,
            origin="code" if wrapper.name in self._code else "process",
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
        huey = self._huey
        stored = huey.storage.periodic()
        wrappers = {wrapper.name: wrapper for wrapper in huey.registry.periodic()}
        # Tasks may be declared while the consumer runs, and rows flushed under it.
        if wrappers.keys() != self._declared or not wrappers.keys() <= {one.name for one in stored}:
            self._store(list(wrappers.values()))
            stored = huey.storage.periodic()
        if not stored or huey.storage.revocation("paused-scheduler", "") is not None:
            return []
        coming = []
        now = clock.now()
        for one in stored:
            schedule = None if one.paused_at is not None else self._schedule_of(one, wrappers)
            if schedule is None:
                continue
            coming.append(self._fire(one, schedule, now) if one.next_run <= now else one.next_run)
        return coming

    def _schedule_of(self, one: Periodic, wrappers: Mapping[str, AnyTask]) -> Schedule | None:
        """What a row's text means; None for a task of code that this process does not have, and for
        a text that it cannot read."""
        if one.origin != "stored":
            if one.name not in wrappers:
                return None
            own = _schedule(wrappers[one.name])
            if (own.expression, zone_of(own, self._huey.utc)) == (one.schedule, one.tz):
                return own
        found = _read_back(one.schedule, one.tz)
        if found is None and (one.name, one.schedule) not in self._unreadable:
            self._unreadable.add((one.name, one.schedule))
            logger.warning("periodic task %s: %r cannot be read here", one.name, one.schedule)
        return found

    def _fire(self, one: Periodic, schedule: Schedule, now: float) -> float:
        upcoming = self._next(schedule, now)
        try:
            times = self._due_times(one, schedule, now)
        except Exception:
            logger.exception("periodic task %s: its schedule failed", one.name)
            times = []
        jobs = [one.job(new_id(), now, when) for when in times]
        if self._huey.storage.fire(one.name, one.next_run, upcoming, jobs):
            for job in jobs:
                logger.info("periodic task %s is due", one.name)
                self._tell(job)
        return upcoming

    def _tell(self, job: NewJob) -> None:
        huey = self._huey
        wrapper = huey.registry.get(job.task)
        if wrapper is None or not huey.signals.wanted(S.SIGNAL_ENQUEUED):
            return
        try:
            args, kwargs = huey.serializer.deserialize(job.payload)
        except SerializationError:
            return  # the run will say so
        task = PeriodicTask(wrapper, tuple(args), kwargs, id=job.id)
        task.scheduled_for = job.scheduled_for
        huey.signals.send(S.SIGNAL_ENQUEUED, task)

    def _due_times(self, one: Periodic, schedule: Schedule, now: float) -> list[float]:
        """The fire times to make up for, oldest first."""
        late = {"latest": one.grace, "skip": SKIP_AFTER}.get(one.catch_up)
        when = one.next_run
        if late is not None and when < now - late:
            when = self._next(schedule, now - late)
        limit = 1 if late is not None else CATCH_UP_LIMIT
        times: deque[float] = deque(maxlen=limit)
        while when <= now:
            if schedule.due(when):
                times.append(when)
            when = self._next(schedule, when)
        return list(times)

    def _next(self, schedule: Schedule, when: float) -> float:
        return schedule.next_after(when, default_zone(self._huey.utc))


def _schedule(wrapper: AnyTask) -> Schedule:
    assert wrapper.schedule_when is not None
    return wrapper.schedule_when


#: A scheduler asks for the same texts every second.
_read_back = lru_cache(1024)(read_back)
