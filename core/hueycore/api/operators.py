"""Revoking, restoring and looking: the part of ``Huey`` that changes or shows what is queued."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hueycore import signals as S
from hueycore.calendar.durations import When, posix_when
from hueycore.model.jobs import Changed, Job, JobRef, Selector
from hueycore.model.states import State
from hueycore.storage.base import Storage
from hueycore.system import clock
from hueycore.tasks.result import Result
from hueycore.tasks.task import Task
from hueycore.tasks.wrapper import TaskWrapper

if TYPE_CHECKING:
    from hueycore.signals import Signal

AnyTask = TaskWrapper[Any, Any]
Revocable = Task | AnyTask | Result[Any] | str


class Steering:
    """Part of ``Huey``."""

    name: str
    utc: bool
    signals: Signal

    if TYPE_CHECKING:

        @property
        def storage(self) -> Storage: ...
        def read_job(self, seq: int, name: str) -> Task | None: ...

    # --- revoking -----------------------------------------------------------------------------

    def revoke(
        self,
        task: Task,
        revoke_until: When | None = None,
        revoke_once: bool = False,
        reason: str | None = None,
        terminate: bool = False,
    ) -> None:
        """Revoke one job; see ``revoke_by_id``."""
        self.revoke_by_id(task.id, revoke_until, revoke_once, reason, terminate)

    def revoke_by_id(
        self,
        id: str,
        revoke_until: When | None = None,
        revoke_once: bool = False,
        reason: str | None = None,
        terminate: bool = False,
    ) -> None:
        """A waiting job ends revoked now, a running one is asked to stop, and for an id that no
        job has yet a note is left (for a week, or until ``revoke_until``) that revokes it.

        ``terminate``: one that runs in a worker process is interrupted (``KeyboardInterrupt``)
        within a second, and if it goes on for 5 s its process is killed."""
        changed = self.storage.revoke(self._by_id(id), reason, interrupt=terminate)
        if changed.matched == 0:
            until = None if revoke_until is None else posix_when(revoke_until)
            self.storage.set_revocation(
                "revoked-id", id, until=until, once=revoke_once, reason=reason
            )
        row = self.storage.result(id, preserve=True)
        if row is not None and row.state is State.REVOKED:  # a running one was only asked to stop
            self.tell(S.SIGNAL_REVOKED, changed.changed)

    def restore(self, task: Task) -> bool:
        """Undo ``revoke``; False when the job was not revoked."""
        return self.restore_by_id(task.id)

    def restore_by_id(self, id: str) -> bool:
        """A revoked job waits again, a running one that was asked to stop is asked no more; a note
        left for an unknown id is removed. False when there was none of these."""
        revoked = self.storage.clear_revocation("revoked-id", id)
        called_off = self.storage.call_off(self._by_id(id)).changed
        selector = Selector(queues=(self.name,), keys=(id,), states=(State.REVOKED,))
        return bool(called_off or self.storage.requeue(selector).changed) or revoked

    def revoke_all(
        self,
        task_class: AnyTask,
        revoke_until: When | None = None,
        revoke_once: bool = False,
        reason: str | None = None,
    ) -> None:
        """From now on (until a time, or for one job only) jobs of a task end revoked when their
        turn comes."""
        until = None if revoke_until is None else posix_when(revoke_until)
        self.storage.set_revocation(
            "revoked-task", task_class.name, until=until, once=revoke_once, reason=reason
        )

    def restore_all(self, task_class: AnyTask) -> bool:
        """Undo ``revoke_all``; False when the task was not revoked."""
        return self.storage.clear_revocation("revoked-task", task_class.name)

    def is_revoked(
        self, task: Revocable, timestamp: datetime | None = None, peek: bool = True
    ) -> bool:
        """Whether a job (by handle, signature or id) or a task is revoked, at ``timestamp`` if
        given. ``peek=False`` spends a one-time revocation, as in Huey."""
        storage = self.storage
        if isinstance(task, TaskWrapper):
            return self._standing("revoked-task", task.name, timestamp, peek)
        id_ = task if isinstance(task, str) else task.id
        row = storage.result(id_, preserve=True)
        if row is not None and row.state is State.REVOKED:
            return True
        job = storage.job(str(row.seq)) if row is not None else None
        if job is not None and job.state is State.RUNNING and job.cancel_requested:
            return True
        name = job.task if job else task.task_name if isinstance(task, Task) else ""
        return self._standing("revoked-id", id_, timestamp, peek) or (
            bool(name) and self._standing("revoked-task", name, timestamp, peek)
        )

    def _standing(self, kind: str, name: str, timestamp: datetime | None, peek: bool) -> bool:
        found = self.storage.revocation(kind, name)
        if found is None:
            return False
        if timestamp is not None and found.until is not None:
            return found.until > self.posix_of(timestamp)
        if found.once and not peek:
            self.storage.clear_revocation(kind, name)
        return True

    def reschedule(
        self,
        id: str,
        *,
        run_at: float,
        priority: float | None = None,
        expires_at: float | None = None,
    ) -> Changed:
        """Give a waiting job another time (POSIX seconds), priority or expiry."""
        return self.storage.reschedule(
            self._by_id(id), run_at=run_at, priority=priority, expires_at=expires_at
        )

    # --- dead letters -------------------------------------------------------------------------

    def dead(self, limit: int | None = None) -> list[Job]:
        """The jobs that failed for good, newest first, with the errors of their attempts."""
        return self.storage.jobs(
            Selector(queues=(self.name,), states=(State.DEAD,), sort="-finished_at", limit=limit)
        )

    def dead_count(self) -> int:
        return self._count(State.DEAD)

    def retry_dead(self, *ids: str, task: AnyTask | None = None, retries: int | None = None) -> int:
        """Run dead jobs again: these ids, those of a task, or all. ``retries`` gives them new
        tries. Returns how many."""
        selector = Selector(
            queues=(self.name,),
            states=(State.DEAD,),
            keys=ids,
            task=task.name if task else None,
        )
        return len(self.storage.requeue(selector, retries=retries).changed)

    # --- looking ------------------------------------------------------------------------------

    def pending(self, limit: int | None = None) -> list[Task]:
        """The jobs that are ready, in running order. What cannot be read here is left out."""
        return self._tasks(State.PENDING, "running-order", limit)

    def scheduled(self, limit: int | None = None) -> list[Task]:
        """The jobs that wait for their time, soonest first."""
        return self._tasks(State.SCHEDULED, "run_at", limit)

    def running(self, limit: int | None = None) -> list[Task]:
        """The jobs that a consumer holds now."""
        return self._tasks(State.RUNNING, "claimed_at", limit)

    def pending_count(self) -> int:
        return self._count(State.PENDING)

    def scheduled_count(self) -> int:
        return self._count(State.SCHEDULED)

    def running_count(self) -> int:
        return self._count(State.RUNNING)

    def flush(self) -> None:
        """Delete everything of this queue: jobs, results, values, schedules."""
        self.storage.flush()

    # --- inside -------------------------------------------------------------------------------

    def tell(self, signal: str, jobs: Sequence[JobRef], *args: Any) -> None:
        """Send a signal for jobs that changed without a run; read only if somebody listens."""
        if jobs and self.signals.wanted(signal):
            for ref in jobs:
                task = self._of_ref(ref)
                if task is not None:
                    self.signals.send(signal, task, *args)

    def _of_ref(self, ref: JobRef) -> Task | None:
        task = self.read_job(ref.seq, ref.task)
        if task is not None:
            task.id = ref.id
        return task

    def posix_of(self, timestamp: datetime) -> float:
        """POSIX seconds of a datetime; a naive one is read as ``utc`` says, as Huey's are."""
        if timestamp.tzinfo is None and self.utc:
            timestamp = timestamp.replace(tzinfo=UTC)
        return timestamp.timestamp()

    def _by_id(self, id: str) -> Selector:
        return Selector(queues=(self.name,), where=(("id", "=", id),))

    def _count(self, state: State) -> int:
        return self.storage.count(Selector(queues=(self.name,), states=(state,)))

    def _tasks(self, state: State, sort: str, limit: int | None) -> list[Task]:
        rows = self.storage.jobs(
            Selector(queues=(self.name,), states=(state,), sort=sort, limit=limit)
        )
        return [task for task in map(self.task_of, rows) if task is not None]

    def task_of(self, row: Job) -> Task | None:
        """The stored call of a row; None when it cannot be read here."""
        task = self.read_job(row.seq, row.task)
        if task is not None:
            task.id, task.priority, task.retries = row.id, row.priority, row.retries
            task.run_at = row.run_at if row.state is State.SCHEDULED else None
        return task

    def _now(self, timestamp: datetime | None) -> float:
        return clock.now() if timestamp is None else self.posix_of(timestamp)
