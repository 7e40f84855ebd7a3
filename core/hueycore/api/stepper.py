"""The process that steps through a queue by hand, as a worker of it.

In immediate mode the caller that enqueues a job runs it this way, at once."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hueycore import signals as S
from hueycore.api.registration import Registration
from hueycore.exceptions import UnknownJob
from hueycore.model.endings import Released
from hueycore.model.jobs import Claim, Ended, Enqueued, Job, Selector, Want
from hueycore.model.states import State
from hueycore.runs.executor import Executor
from hueycore.runs.finished import Finished
from hueycore.system import clock
from hueycore.tasks.task import Task

if TYPE_CHECKING:
    from hueycore.api.huey import Huey
    from hueycore.storage.base import Storage

logger = logging.getLogger("hueycore")


class Stepper:
    """This process as a worker of one slot: what it holds comes back when it dies."""

    def __init__(self, huey: Huey) -> None:
        self._huey = huey
        self._registration = Registration(huey, "stepper", "stepper-{pid}")
        self._executor = Executor(huey)
        #: The claims that ``dequeue`` has handed out, by id, until they are run.
        self._handed: dict[str, Claim] = {}

    def worker(self) -> int:
        """Its number in the list of workers."""
        self._huey.works_here = True
        return self._registration.number()

    def leave(self, storage: Storage) -> None:
        """The storage is about to be closed."""
        self._registration.leave(storage)

    def hand_out(self) -> Task | None:
        """Claim the next job for the caller to run, or to give back."""
        task = self.claim()
        if task is not None and task._claim is not None:
            self._handed[task.id] = task._claim
        return task

    def give_back(self, task: Task) -> None:
        """A job that was handed out is enqueued instead of run: it is pending again, as in Huey."""
        claim = self._handed.pop(task.id, None)
        if claim is not None:
            self._commit(Finished(Ended(claim, Released())))

    def claim(self, only: int | None = None) -> Task | None:
        """Claim the next job, or this seq ``only``; None when it is not ready."""
        huey = self._huey
        while True:
            got = huey.storage.exchange(self.worker(), [], Want(free=1, only=only))
            huey.send_signals(S.SIGNAL_REVOKED, got.revoked)
            huey.send_signals(S.SIGNAL_EXPIRED, got.expired)
            if not got.claims:
                return None
            claim = got.claims[0]
            try:
                wrapper = huey.task_to_run(claim.task)
                return Task.of_claim(wrapper, claim, *self._executor.arguments(claim))
            except KeyboardInterrupt:
                self._commit(Finished(Ended(claim, Released())))
                raise
            except BaseException as error:
                logger.debug("job %s cannot be handed out: %s", claim.seq, error)
            # The run says why, and ends the job.
            self._commit(self._executor.run(claim))

    def enqueue_and_claim(self, task: Task) -> Claim | None:
        """Enqueue a task and claim it, also when it is due only by the caller's clock. It is called
        with what is stored then, which may be an older job's."""
        huey = self._huey
        huey.works_here = True
        huey.enqueue(task)
        if not huey.ready_to_run(task):
            huey.reschedule(task.id, run_at=clock.now())
        row = huey.storage.result(task.id, preserve=True)
        if row is None:
            raise UnknownJob(f"there is no job {task.id}")
        claimed = self.claim(row.seq)
        if claimed is None:
            return None
        task.args, task.kwargs, task.retries = claimed.args, claimed.kwargs, claimed.retries
        return claimed._claim

    def run(self, claim: Claim, task: Task) -> Any:
        """Run a job and commit its ending; see ``Huey.execute``."""
        self._handed.pop(task.id, None)
        slots = self._huey.storage.slots(self.worker())
        slots.start(0, claim.seq, claim.claim)
        finished = self._executor.run(claim, task)
        self._commit(finished)
        slots.clear(0)
        interrupted = any(notice.signal == S.SIGNAL_INTERRUPTED for notice in finished.notices)
        if interrupted or isinstance(finished.ended.ending, Released):
            raise KeyboardInterrupt
        return finished.value

    def _commit(self, finished: Finished) -> None:
        huey = self._huey
        try:
            got = huey.storage.exchange(self.worker(), [finished.ended], Want(free=0))
            huey.send_finished(
                finished,
                lost=bool(got.lost),
                stopped=bool(got.stopped),
                unwritable=got.unwritable[0][1] if got.unwritable else None,
            )
        finally:
            huey.signals.release(finished.ended.claim.id)

    # --- immediate mode -----------------------------------------------------------------------

    def run_now(self, stored: Sequence[Enqueued]) -> None:
        """Run these jobs, their retries that need not wait, the stages that they make ready, and
        those of them that a key held back until others had run. Nothing else: in a shared file the
        other jobs are for the consumers."""
        mine = [job for job in stored if job.fresh]
        ready = deque(job.seq for job in mine if job.state in (State.PENDING, State.BLOCKED))
        while ready:
            seq = ready.popleft()
            task = self.claim(seq)
            if task is None:
                continue
            self._huey.execute(task)
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
            after = self._huey.storage.stages(seq)
        return [stage.seq for stage in after if stage.state is State.PENDING]

    def _rows(self, column: str, value: int) -> list[Job]:
        return self._huey.storage.jobs(Selector(where=((column, "=", value),)))
