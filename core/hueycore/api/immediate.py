"""Immediate mode: whoever enqueues a job runs it, here and now. For tests and development."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hueycore.model.jobs import Enqueued, Job, Selector
from hueycore.model.states import State
from hueycore.storage.base import Storage
from hueycore.storage.open import MEMORY, open_storage
from hueycore.tasks.task import Task


class Immediate:
    """Part of ``Huey``."""

    name: str
    immediate_use_memory: bool
    _immediate: bool
    _storage_options: dict[str, Any]

    if TYPE_CHECKING:

        @property
        def storage(self) -> Storage: ...
        def close(self) -> None: ...
        def create_storage(self) -> Storage: ...
        def execute(self, task: Task) -> Any: ...
        def _claim_one(self, only: int | None) -> Task | None: ...

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
            self.close()
        self._immediate = value

    def _open_storage(self) -> Storage:
        if self._immediate and self.immediate_use_memory:
            return self._storage_in_memory()
        return self.create_storage()

    def _storage_in_memory(self) -> Storage:
        return open_storage(MEMORY, self.name, **self._storage_options)

    def _run_now(self, stored: Sequence[Enqueued]) -> None:
        """Run these jobs, their retries that need not wait, the stages that they make ready, and
        those of them that a key held back until others had run. Nothing else: in a shared file the
        other jobs are for the consumers."""
        mine = [job for job in stored if job.fresh]
        ready = deque(job.seq for job in mine if job.state in (State.PENDING, State.BLOCKED))
        while ready:
            seq = ready.popleft()
            task = self._claim_one(seq)
            if task is None:
                continue
            self.execute(task)
            ready.extend(self._made_ready(seq))

    def _made_ready(self, seq: int) -> list[int]:
        """The jobs that can run now that this one has: itself once more, stages, a handler."""
        (job,) = self._rows("seq", seq) or (None,)
        if job is None:
            return []
        if job.state is State.DONE:
            after = [*self._rows("seq", job.next), *self._rows("source", seq)] if job.next else []
        else:
            # It may have broken a chain whose end is a member of a chord.
            after = self.storage.stages(seq)
        return [stage.seq for stage in after if stage.state is State.PENDING]

    def _rows(self, column: str, value: int) -> list[Job]:
        return self.storage.jobs(Selector(where=((column, "=", value),)))
