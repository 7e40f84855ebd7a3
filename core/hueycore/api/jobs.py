"""The jobs of the queue, listed and counted; a stored job read back as a call."""

from __future__ import annotations

import logging

from hueycore.api.part import Part
from hueycore.exceptions import SerializationError, UnknownTask
from hueycore.model.jobs import Job, JobRef, Selector
from hueycore.model.states import State
from hueycore.tasks.task import Task

logger = logging.getLogger("hueycore")


class Jobs(Part):
    """Part of ``Huey``: what waits, runs and failed."""

    def pending(self, limit: int | None = None) -> list[Task]:
        """The jobs that are ready, in running order. What cannot be read here is left out."""
        return self._tasks(State.PENDING, "running-order", limit)

    def scheduled(self, limit: int | None = None) -> list[Task]:
        """The jobs that wait for their time, soonest first."""
        return self._tasks(State.SCHEDULED, "run_at", limit)

    def running(self, limit: int | None = None) -> list[Task]:
        """The jobs that a consumer holds now."""
        return self._tasks(State.RUNNING, "claimed_at", limit)

    def dead(self, limit: int | None = None) -> list[Job]:
        """The jobs that failed for good, newest first, with the errors of their attempts."""
        return self.storage.jobs(
            Selector(queues=(self.name,), states=(State.DEAD,), sort="-finished_at", limit=limit)
        )

    def pending_count(self) -> int:
        return self._count(State.PENDING)

    def scheduled_count(self) -> int:
        return self._count(State.SCHEDULED)

    def running_count(self) -> int:
        return self._count(State.RUNNING)

    def dead_count(self) -> int:
        return self._count(State.DEAD)

    def __len__(self) -> int:
        return self.pending_count()

    def __bool__(self) -> bool:
        return True

    # --- from row to call ---------------------------------------------------------------------

    def read_job(self, seq: int, name: str) -> Task | None:
        """The stored call of a job, None when its task or payload cannot be read here."""
        payload = self.storage.payload(seq)
        if payload is None:
            return None
        try:
            wrapper = self._huey.task_to_run(name)
            args, kwargs = self.serializer.deserialize(payload)
        except UnknownTask:
            return None
        except SerializationError:
            logger.exception("job %s cannot be read", seq)
            return None
        return wrapper.task_class(tuple(args), kwargs)

    def task_of(self, row: Job) -> Task | None:
        """The stored call of a row; None when it cannot be read here."""
        task = self.read_job(row.seq, row.task)
        if task is not None:
            task.id, task.priority, task.retries = row.id, row.priority, row.retries
            task.retry_delay, task.retry_backoff = row.retry_delay, row.retry_backoff
            task.timeout, task.at_most_once = row.timeout, row.at_most_once
            task.result_ttl, task.scheduled_for = row.result_ttl, row.scheduled_for
            task.expires, task._expires_at = row.expires_in, row.expires_at
            task._next = row.next
            task.run_at = row.run_at if row.state is State.SCHEDULED else None
        return task

    def _task_of_ref(self, ref: JobRef) -> Task | None:
        task = self.read_job(ref.seq, ref.task)
        if task is not None:
            task.id = ref.id
        return task

    def _tasks(self, state: State, sort: str, limit: int | None) -> list[Task]:
        rows = self.storage.jobs(
            Selector(queues=(self.name,), states=(state,), sort=sort, limit=limit)
        )
        return [task for task in map(self.task_of, rows) if task is not None]

    def _count(self, state: State) -> int:
        return self.storage.count(Selector(queues=(self.name,), states=(state,)))
