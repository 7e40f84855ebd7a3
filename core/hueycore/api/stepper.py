"""Working through a queue by hand, one job at a time, as in Huey: for tests and own loops."""

from __future__ import annotations

import logging
import os
from datetime import datetime
from typing import TYPE_CHECKING, Any

from hueycore import signals as S
from hueycore.calendar.zones import default_zone
from hueycore.exceptions import UnknownJob
from hueycore.model.endings import Completed, Done
from hueycore.model.jobs import Changed, Claim, JobRef, Selector, Want
from hueycore.model.states import State
from hueycore.runs.executor import Executor, Finished
from hueycore.storage.base import Storage
from hueycore.system import clock
from hueycore.tasks.task import PeriodicTask, Task

if TYPE_CHECKING:
    from hueycore.registry import Registry
    from hueycore.signals import Signal
    from hueycore.tasks.result import Result
    from hueycore.tasks.wrapper import TaskWrapper

logger = logging.getLogger("hueycore")


#: Signals that say that the job will run again.
_ANOTHER_RUN = (S.SIGNAL_RETRYING, S.SIGNAL_SCHEDULED, S.SIGNAL_ENQUEUED)


class Stepping:
    """Part of ``Huey``."""

    name: str
    utc: bool
    registry: Registry
    signals: Signal

    if TYPE_CHECKING:

        @property
        def storage(self) -> Storage: ...
        def enqueue(self, task: Task) -> Result[Any] | None: ...
        def reschedule(self, id: str, *, run_at: float) -> Changed: ...
        def tell(self, signal: str, jobs: list[JobRef]) -> None: ...
        def task_to_run(self, name: str) -> TaskWrapper[Any, Any]: ...
        def _now(self, timestamp: datetime | None) -> float: ...
        def _of_ref(self, ref: JobRef) -> Task | None: ...

    def _init_stepping(self) -> None:
        self._stepper: int | None = None
        self._stepper_pid = 0
        self._executor = Executor(self)  # type: ignore[arg-type]

    def _leave_stepping(self, storage: Storage) -> None:
        if self._stepper is not None and self._stepper_pid == os.getpid():
            storage.unregister(self._stepper)
        self._stepper = None

    def _worker(self) -> int:
        """This process as a worker of one slot: what it holds comes back when it dies."""
        if self._stepper is None or self._stepper_pid != os.getpid():
            name = f"stepper-{os.getpid()}"
            self._stepper = self.storage.register(name=name, kind="stepper", slots=1)
            self._stepper_pid = os.getpid()
        return self._stepper

    def dequeue(self) -> Task | None:
        """Claim the next job and hand it out; None when nothing is ready. Run it with ``execute``;
        if this process dies before, the job is pending again."""
        self.storage.promote()
        return self._claim_one(None)

    def _claim_one(self, only: int | None) -> Task | None:
        while True:
            got = self.storage.exchange(self._worker(), [], Want(free=1, only=only))
            self.tell(S.SIGNAL_REVOKED, got.revoked)
            self.tell(S.SIGNAL_EXPIRED, got.expired)
            if not got.claims:
                return None
            claim = got.claims[0]
            try:
                wrapper = self.task_to_run(claim.task)
                return Task.of_claim(wrapper, claim, *self._executor.arguments(claim))
            except Exception as error:
                logger.debug("job %s cannot be handed out: %s", claim.seq, error)
            # Nothing to hand out: the run itself says why, and ends the job.
            self._commit(self._executor.run(claim))

    def execute(self, task: Task, timestamp: datetime | None = None) -> Any:
        """Run a job and commit its ending; returns the task's value, None if it failed. A task
        that was not dequeued is enqueued first; one that is not due is only scheduled.

        ^C during the run gives the job back and then goes on its way."""
        claim = task._claim
        if claim is None:
            if not self.ready_to_run(task, timestamp):
                self.add_schedule(task)
                return None
            claim = self._claim_now(task)
            if claim is None:
                return None
        slots = self.storage.slots(self._worker())
        slots.start(0, claim.seq, claim.claim)
        finished = self._executor.run(claim)
        self._commit(finished)
        slots.clear(0)
        if any(notice.signal == S.SIGNAL_INTERRUPTED for notice in finished.notices):
            raise KeyboardInterrupt
        return finished.value

    def _claim_now(self, task: Task) -> Claim | None:
        """Enqueue a task and claim it, also when it is due only by the caller's clock."""
        self.enqueue(task)
        if not self.ready_to_run(task):
            self.reschedule(task.id, run_at=clock.now())
        row = self.storage.result(task.id, preserve=True)
        if row is None:
            raise UnknownJob(f"there is no job {task.id}")
        claimed = self._claim_one(row.seq)
        return None if claimed is None else claimed._claim

    def _commit(self, finished: Finished) -> None:
        got = self.storage.exchange(self._worker(), [finished.ended], Want(free=0))
        self.tell_finished(finished, lost=bool(got.lost), stopped=bool(got.stopped))

    def tell_finished(self, finished: Finished, *, lost: bool, stopped: bool) -> None:
        """Send the signals of an ending that is committed, or tell that its claim was lost.
        ``stopped``: the job had been asked to stop, so that no run follows; it is revoked."""
        claim: Claim = finished.ended.claim
        ref = JobRef(claim.seq, claim.id, claim.task)
        if lost:
            self.tell(S.SIGNAL_CLAIM_LOST, [ref])
            return
        ending = finished.ended.ending
        if isinstance(ending, Completed) and not isinstance(ending.otherwise, Done):
            # It failed after it had completed itself: which of the two counts, the row knows.
            row = self.storage.result(claim.id, preserve=True)
            if row is not None and row.state is State.DONE:
                self.signals.send(S.SIGNAL_COMPLETE, finished.notices[0].task)
                return
        for notice in finished.notices:
            if not (stopped and notice.signal in _ANOTHER_RUN):
                args = () if notice.error is None else (notice.error,)
                self.signals.send(notice.signal, notice.task, *args)
        if stopped:
            self.tell(S.SIGNAL_REVOKED, [ref])

    def ready_to_run(self, task: Task, timestamp: datetime | None = None) -> bool:
        """Whether a task's time has come."""
        return task.run_at is None or task.run_at <= self._now(timestamp)

    def add_schedule(self, task: Task) -> None:
        """Store a task for its eta; without one it is ready at once."""
        self.enqueue(task)

    def read_schedule(self, timestamp: datetime | None = None) -> list[Task]:
        """The scheduled jobs that are due, now or at ``timestamp``. They are pending from now on;
        enqueueing one again, as Huey's loops do, changes nothing."""
        if timestamp is None:
            due = self.storage.promote()
        else:
            by_then = (("run_at", "<=", self._now(timestamp)),)
            waiting = Selector(queues=(self.name,), states=(State.SCHEDULED,), where=by_then)
            due = self.storage.reschedule(waiting, run_at=clock.now()).changed
        self.tell(S.SIGNAL_ENQUEUED, due)
        return [task for task in map(self._of_ref, due) if task is not None]

    def read_periodic(self, timestamp: datetime | None = None) -> list[Task]:
        """A fresh task for each periodic task whose schedule matches this minute."""
        minute = self._now(timestamp) // 60 * 60
        due: list[Task] = []
        for wrapper in self.registry.periodic():
            schedule = wrapper.schedule_when
            assert schedule is not None
            coming = schedule.next_after(minute - 0.001, default_zone(self.utc))
            if coming < minute + 60 and schedule.due(minute):
                due.append(PeriodicTask(wrapper))
        return due
