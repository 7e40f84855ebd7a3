"""Working through a queue by hand, one job at a time, as in Huey: for tests and own loops."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hueycore import signals as S
from hueycore.api.part import Part
from hueycore.calendar.schedule import fires_in
from hueycore.calendar.zones import default_zone
from hueycore.model.jobs import Selector
from hueycore.model.states import State
from hueycore.system import clock
from hueycore.tasks.task import Task


def _go(task: Task) -> Any:
    """Go on with the run that is within an ``execute`` of the application's own."""
    run, task._run = task._run, None
    assert run is not None
    return run()


class Steps(Part):
    """Part of ``Huey``: one job at a time, and immediate mode."""

    @property
    def immediate(self) -> bool:
        """Whether a call runs the job at once and answers with a handle that is ready. What lies
        in the future is stored and waits, an exception is kept for whoever reads the result: both
        as in Huey. Unless ``immediate_use_memory`` is off the jobs go to a queue in memory; setting
        this changes over to it, and back."""
        return self._immediate

    @immediate.setter
    def immediate(self, value: bool) -> None:
        if value == self._immediate:
            return
        if self.immediate_use_memory:
            self._huey.close()
        self._immediate = value

    def dequeue(self) -> Task | None:
        """Claim the next job and hand it out; None when nothing is ready. Run it with ``execute``;
        if this process dies before, the job is pending again."""
        self.storage.promote()
        return self._stepper.hand_out()

    def execute(self, task: Task, timestamp: datetime | None = None) -> Any:
        """Run a job and commit its ending; returns the task's value, None if it failed. A task
        that was not dequeued is enqueued first; one that is not due is only scheduled.

        ^C during the run gives the job back and then goes on its way."""
        if task._run is not None:
            return _go(task)
        claim = task._claim
        if claim is None:
            if not self.ready_to_run(task, timestamp):
                self.add_schedule(task)
                return None
            claim = self._stepper.enqueue_and_claim(task)
            if claim is None:
                return None
            task._claim = claim
            try:
                return self._stepper.run(claim, task)
            finally:
                task._claim = None  # a signature again, which may be enqueued once more
        return self._stepper.run(claim, task)

    def _execute(self, task: Task, timestamp: datetime | None = None) -> Any:
        """The run itself, which ``execute`` calls, as in Huey, for a subclass that overrides it."""
        return self._huey.execute(task, timestamp) if task._run is None else _go(task)

    @property
    def wraps_runs(self) -> bool:
        """Whether a subclass has code around the runs of its jobs."""
        kind = type(self)
        return kind.execute is not Steps.execute or kind._execute is not Steps._execute

    def ready_to_run(self, task: Task, timestamp: datetime | None = None) -> bool:
        """Whether a task's time has come."""
        return task.run_at is None or task.run_at <= self._now(timestamp)

    def add_schedule(self, task: Task) -> None:
        """Store a task for its eta; without one it is ready at once."""
        self._huey.enqueue(task)

    def read_schedule(self, timestamp: datetime | None = None) -> list[Task]:
        """The scheduled jobs that are due, now or at ``timestamp``, soonest first. They are pending
        from now on; enqueueing one again, as Huey's loops do, changes nothing."""
        huey = self._huey
        by_then = (("run_at", "<=", self._now(timestamp)),)
        waiting = Selector(
            queues=(self.name,), states=(State.SCHEDULED,), where=by_then, sort="run_at"
        )
        rows = self.storage.jobs(waiting)
        if timestamp is None:
            due = self.storage.promote()
        else:
            due = self.storage.reschedule(waiting, run_at=clock.now()).changed
        huey.send_signals(S.SIGNAL_ENQUEUED, due)
        promoted = {ref.seq for ref in due}
        tasks = (huey.task_of(row) for row in rows if row.seq in promoted)
        return [task for task in tasks if task is not None]

    def read_periodic(self, timestamp: datetime | None = None) -> list[Task]:
        """A fresh task for each periodic task whose schedule matches this minute."""
        minute = self._now(timestamp) // 60 * 60
        zone, due = default_zone(self.utc), []
        for wrapper in self.registry.periodic():
            assert wrapper.schedule_when is not None
            if fires_in(wrapper.schedule_when, minute, zone):
                due.append(wrapper.task_class())
        return due
