"""Scheduled jobs that are due become pending, periodic tasks that are due fire. Any number of
consumers may do this for one queue; the storage lets one win."""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from functools import lru_cache
from typing import TYPE_CHECKING

from hueycore import signals as S
from hueycore.api.schedules import periodic_row, zone_of
from hueycore.calendar.schedule import Every, Schedule, read_back
from hueycore.calendar.zones import default_zone
from hueycore.exceptions import SerializationError
from hueycore.model.jobs import JobRef, NewJob
from hueycore.model.schedules import Fire, Periodic
from hueycore.signals import DUE, EVERY
from hueycore.system import clock
from hueycore.system.ids import new_id

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
    """Fires the periodic tasks of the storage by the text of their rows: an old and a new release
    side by side both follow the schedule that was declared last. Only a schedule that has no text,
    a function, needs the application's object."""

    def __init__(self, huey: Huey, *, periodic: bool, interval: float) -> None:
        self._huey = huey
        self._periodic = periodic
        self._interval = interval
        self._worker: int | None = None
        self._code: frozenset[str] = frozenset()
        self._declared: set[str] = set()
        self._warned: set[tuple[str, str]] = set()
        #: The wall time of the last look; before the first nobody knows what it was.
        self._seen = math.inf

    def declarations(self) -> list[Periodic] | None:
        """The periodic tasks of the application's code, to be declared by its worker; None if this
        consumer leaves them to others. Tasks that are declared later end with the worker."""
        if not self._periodic:
            return None
        wrappers = self._huey.registry.periodic()
        self._code = frozenset(wrapper.name for wrapper in wrappers)
        self._declared = set(self._code)
        return [self._row(wrapper) for wrapper in wrappers]

    def begin(self, worker: int) -> None:
        """The worker is registered."""
        self._worker = worker

    def declare(self) -> None:
        """Store the application's schedules where no worker is registered."""
        schedules = self.declarations()
        if schedules is not None:
            self._huey.storage.declare_periodic(schedules)

    def _declare_again(self, wrappers: Collection[AnyTask]) -> None:
        self._huey.declare_limits()
        rows = [self._row(wrapper) for wrapper in wrappers]
        self._huey.storage.declare_periodic(rows, self._worker)
        self._declared = {row.name for row in rows}

    def _row(self, wrapper: AnyTask) -> Periodic:
        payload = self._huey.serializer.serialize(((), {}))
        return periodic_row(
            wrapper.name,
            wrapper.new_job(wrapper.task_class(), payload, ""),
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
        now = clock.now()
        coming = self._glance(now)
        if coming > now:
            self._seen = now
            return min(coming - now, self._interval)
        while True:
            promoted = self._promote()
            if len(promoted) < BATCH:
                break
        times = [clock.now() + self._interval]
        if self._periodic:
            times += self._fire_due()
        due = storage.next_run_at()
        if due is not None:
            times.append(due)
        return min(times) - clock.now()

    def _glance(self, now: float) -> float:
        """When the next thing is due, as far as a glance shows it."""
        glance = self._huey.storage.glance(self._declared)
        if not self._periodic:
            return glance.due
        names = {wrapper.name for wrapper in self._huey.registry.periodic()}
        if now < self._seen or names != self._declared:
            return now
        return min(glance.due, glance.fires)

    def _fire_due(self) -> list[float]:
        """Fire what is due; the times at which the next fires are due."""
        storage = self._huey.storage
        wrappers = {wrapper.name: wrapper for wrapper in self._huey.registry.periodic()}
        now = clock.now()
        if now < self._seen:
            self._bring_back(wrappers, now)
        self._seen = now
        coming = storage.coming_periodic(now, list(wrappers))
        # Tasks may be declared while the consumer runs, and rows flushed under it.
        if wrappers.keys() != self._declared or coming.lost:
            self._declare_again(wrappers.values())
            coming = storage.coming_periodic(now, list(wrappers))
        if coming.due and storage.revocation("paused-scheduler", "") is not None:
            return []
        fires = []
        for one in coming.due:
            schedule = self._schedule_of(one, wrappers)
            if schedule is not None:
                fires.append(self._fire(one, schedule, now))
        for start in range(0, len(fires), BATCH):
            self._commit(fires[start : start + BATCH])
        times = [one.next_run for one in fires]
        return times if coming.next_run is None else [*times, coming.next_run]

    def _bring_back(self, wrappers: Mapping[str, AnyTask], now: float) -> None:
        """The clock may have been set back: a period is elapsed time, and goes on. A cron line
        names times of the clock, each of which runs once."""
        fires = []
        for one in self._huey.storage.periodic():
            if one.origin == "stored" or one.name in wrappers:
                schedule = self._schedule_of(one, wrappers)
                if isinstance(schedule, Every) and one.next_run > (last := schedule.furthest(now)):
                    fires.append(Fire(one.name, one.next_run, last, []))
        if fires:
            self._huey.storage.fire(fires)

    def _promote(self) -> list[JobRef]:
        """What is due is pending now."""
        huey, signals = self._huey, self._huey.signals
        if not self._huey.wants(S.SIGNAL_ENQUEUED):
            return huey.storage.promote(BATCH)
        with ExitStack() as held:
            with signals.ahead_of(EVERY):
                promoted = huey.storage.promote(BATCH)
                held.enter_context(signals.ahead_of(*(DUE + job.id for job in promoted)))
            for job in promoted:
                signals.wait_for(job.id)
                huey.send_signals(S.SIGNAL_ENQUEUED, [job])
        return promoted

    def _commit(self, fires: Sequence[Fire]) -> None:
        with self._huey.signals.ahead_of(*(job.id for one in fires for job in one.jobs)):
            moved = set(self._huey.storage.fire(fires))
            for one in fires:
                if one.name in moved:
                    for job in one.jobs:
                        logger.info("periodic task %s is due", one.name)
                        self._send_enqueued(job)

    def _schedule_of(self, one: Periodic, wrappers: Mapping[str, AnyTask]) -> Schedule | None:
        """The schedule of a row; None when its text cannot be read here."""
        if one.origin == "stored" and one.name in wrappers:
            self._warn(one, "is not declared: a stored schedule has its name")
        elif one.origin != "stored":
            own = _schedule(wrappers[one.name])
            if (own.expression, zone_of(own, self._huey.utc)) == (one.schedule, one.tz):
                return own
        found = _read_back(one.schedule, one.tz)
        if found is None:
            self._warn(one, f"has a schedule that cannot be read here: {one.schedule!r}")
        return found

    def _warn(self, one: Periodic, text: str) -> None:
        """Log it once, not in each step."""
        if (one.name, text) not in self._warned:
            self._warned.add((one.name, text))
            logger.warning("periodic task %s %s", one.name, text)

    def _fire(self, one: Periodic, schedule: Schedule, now: float) -> Fire:
        upcoming = self._next(schedule, now)
        try:
            times = self._due_times(one, schedule, now)
        except Exception:
            logger.exception("periodic task %s: its schedule failed", one.name)
            times = []
        jobs = [one.job(new_id(), when) for when in times]
        return Fire(one.name, one.next_run, upcoming, jobs)

    def _send_enqueued(self, job: NewJob) -> None:
        huey = self._huey
        wrapper = huey.registry.get(job.task)
        if wrapper is None or not huey.wants(S.SIGNAL_ENQUEUED):
            return
        if job.unique_key is not None and huey.storage.result(job.id, preserve=True) is None:
            return  # not enqueued: another job has its unique key
        try:
            args, kwargs = huey.serializer.deserialize(job.payload)
        except SerializationError:
            return  # the run logs it
        task = wrapper.task_class(tuple(args), kwargs, id=job.id)
        task.scheduled_for = job.scheduled_for
        huey._emit(S.SIGNAL_ENQUEUED, task)

    def _due_times(self, one: Periodic, schedule: Schedule, now: float) -> list[float]:
        """The fire times that are due and not skipped, oldest first."""
        late = {"latest": one.grace, "skip": SKIP_AFTER}.get(one.catch_up)
        first = one.next_run
        if late is not None and first < now - late:
            first = self._next(schedule, now - late)
        limit = 1 if late is not None else CATCH_UP_LIMIT
        # Only the last times count, and there may be millions: look back further and further.
        span = float(limit)
        while True:
            start = first if first >= now - span else self._next(schedule, now - span)
            times: deque[float] = deque(maxlen=limit)
            when = start
            while when <= now:
                if schedule.due(when):
                    times.append(when)
                when = self._next(schedule, when)
            if start <= first or len(times) == limit:
                return list(times)
            span *= 10

    def _next(self, schedule: Schedule, when: float) -> float:
        return schedule.next_after(when, default_zone(self._huey.utc))


def _schedule(wrapper: AnyTask) -> Schedule:
    assert wrapper.schedule_when is not None
    return wrapper.schedule_when


#: A scheduler reads the same texts every second.
_read_back = lru_cache(1024)(read_back)
