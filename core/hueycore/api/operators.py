"""Operating a queue from code: revoke, restore, reschedule, retry, pause."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hueycore import signals as S
from hueycore.api.part import Part
from hueycore.calendar.durations import Seconds, When, posix_when, seconds
from hueycore.exceptions import UnknownJob
from hueycore.model.jobs import Changed, Selector
from hueycore.model.states import FINAL, State
from hueycore.registry import AnyTask
from hueycore.runs.inputs import call_of
from hueycore.system import clock
from hueycore.tasks.result import Result
from hueycore.tasks.task import Task
from hueycore.tasks.wrapper import TaskWrapper

Revocable = Task | AnyTask | Result[Any] | str


class Operators(Part):
    """Part of ``Huey``: the verbs that change what is queued."""

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
        job has yet a note is left (for a week, or until ``revoke_until``) that revokes it. With
        ``revoke_until`` a waiting job has such a note too: it ends revoked when its turn comes
        before then, and runs when it comes later.

        ``terminate``: one that runs in a worker process is interrupted (``KeyboardInterrupt``)
        within a second, and if it goes on for 5 s its process is killed."""
        selector = self._by_id(id)
        until = None if revoke_until is None else posix_when(revoke_until, "revoke_until")
        if until is not None:
            selector = selector._replace(states=(State.RUNNING, *FINAL))
        changed = self.storage.revoke(selector, reason, interrupt=terminate)
        if changed.matched == 0:
            self.storage.set_revocation(
                "revoked-id", id, until=until, once=revoke_once, reason=reason
            )
        row = self.storage.result(id, preserve=True)
        if row is not None and row.state is State.REVOKED:  # a running one was only asked to stop
            self._huey.send_signals(S.SIGNAL_REVOKED, changed.changed)

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
        until = None if revoke_until is None else posix_when(revoke_until, "revoke_until")
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
            return self._is_revoked_by("revoked-task", task.name, timestamp, peek)
        id_ = task if isinstance(task, str) else task.id
        row = storage.result(id_, preserve=True)
        if row is not None and row.state is State.REVOKED:
            return True
        job = storage.job(str(row.seq)) if row is not None else None
        if job is not None and job.state is State.RUNNING and job.cancel_requested:
            return True
        name = job.task if job else task.task_name if isinstance(task, Task) else ""
        return self._is_revoked_by("revoked-id", id_, timestamp, peek) or (
            bool(name) and self._is_revoked_by("revoked-task", name, timestamp, peek)
        )

    def _is_revoked_by(self, kind: str, name: str, timestamp: datetime | None, peek: bool) -> bool:
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
        expires_in: float | None = None,
    ) -> Changed:
        """Give a waiting job another time (POSIX seconds), priority or expiry (POSIX seconds, or
        seconds from the moment when it could begin)."""
        return self.storage.reschedule(
            self._by_id(id),
            run_at=run_at,
            priority=priority,
            expires_at=expires_at,
            expires_in=expires_in,
        )

    def enqueue_again(
        self,
        handle: Result[Any],
        *,
        run_at: float | None,
        expires: When | None = None,
        priority: float | None = None,
    ) -> Result[Any]:
        """Enqueue a copy of a job that is over, as a job of its own: the same call, with what the
        stages before it gave. The options of an expiry and a priority are the job's, unless given;
        its retries are those of the signature.

        Raises ``UnknownJob`` when it was purged, ``SerializationError`` when its call cannot be
        read."""
        storage, like = self.storage, handle.task
        job = storage.job(str(handle.seq))
        if job is None:
            raise UnknownJob(f"there is no job {handle.id} in queue {self.name}")
        args, kwargs = call_of(
            storage.payload(job.seq),
            job.inputs,
            self.serializer,
            storage.inputs,
            job.seq,
        )
        if expires is None:
            expires = job.expires_in
        if expires is None and job.expires_at is not None and job.expires_at > clock.now():
            expires = datetime.fromtimestamp(job.expires_at, UTC)
        task = self._huey.task_to_run(job.task).task_class(
            args,
            kwargs,
            run_at=run_at,
            retries=None if like is None else like.retries,
            retry_delay=None if like is None else like.retry_delay,
            retry_backoff=job.retry_backoff,
            priority=job.priority if priority is None else priority,
            expires=expires,
            timeout=job.timeout,
        )
        if like is not None:
            task.unique = like.unique
        again: Result[Any] = self._huey.enqueue(task)  # type: ignore[assignment]
        return again

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

    def flush(self) -> None:
        """Delete everything of this queue: jobs, results, values, schedules."""
        self.storage.flush()

    # --- pausing ------------------------------------------------------------------------------

    def pause(
        self,
        task: AnyTask | str | None = None,
        *,
        for_: Seconds | None = None,
        reason: str | None = None,
    ) -> None:
        """From now on (for ``for_`` seconds) no job of the queue, or of one task, is begun; those
        that run go on, none is dropped. What waits of a paused task holds no slot of a key that it
        shares with other tasks."""
        until = None if for_ is None else clock.now() + seconds(for_)
        self.storage.pause(task=_name(task), until=until, reason=reason)

    def resume(self, task: AnyTask | str | None = None) -> bool:
        """Undo ``pause``; False when nothing was paused."""
        return self.storage.resume(task=_name(task))


def _name(task: AnyTask | str | None) -> str | None:
    return task.name if isinstance(task, TaskWrapper) else task
