"""What a run needs of its application, and the error of a run that failed."""

from __future__ import annotations

import traceback
from typing import Any

from hueycore.api.part import Part
from hueycore.exceptions import ClaimLost, StorageError, TaskException
from hueycore.model.jobs import Claim, Ended, Job, ResultRow
from hueycore.model.plan import Input
from hueycore.model.retry import NOT_FOUND, UNKNOWN_TASK_PATIENCE
from hueycore.model.states import State
from hueycore.serializer import describe, shortened
from hueycore.system import clock
from hueycore.tasks.task import Task

#: Characters that the stored error of a job keeps of an exception, and of its traceback.
KEPT_ERROR = 100_000


class Runs(Part):
    """Part of ``Huey``: what ``runs.executor`` and the handles of failed jobs need."""

    def read_inputs(self, claim: Claim) -> list[Input]:
        """What the stages before a job give to its call."""
        return self.storage.inputs(claim.seq)

    def is_handled(self, claim: Claim) -> bool:
        """Whether somebody is called when this job fails for good."""
        return self.storage.is_handled(claim.seq)

    def unknown_since(self, claim: Claim) -> float | None:
        """When the search for the task of this job began, POSIX seconds; None at its first sight.

        The row's last error says so, unless the job has run or was changed by somebody since."""
        try:
            (job,) = self.storage.jobs(self._by_id(claim.id))
        except (StorageError, ValueError):
            return None
        last = job.errors[-1] if job.errors else {}
        if (last.get("type"), last.get("attempt")) != (NOT_FOUND, claim.attempt):
            return None
        since = float(last["at"])
        return since if clock.now() - since < 2 * UNKNOWN_TASK_PATIENCE else None

    def complete_job(self, connection: Any, ended: Ended) -> None:
        """Write the ending of a run in the caller's transaction; see ``Task.complete_in``."""
        if not self.storage.on(connection).end(ended):
            claim = ended.claim
            raise ClaimLost(f"this run does not hold job {claim.seq} of {claim.task} any more")

    # --- errors -------------------------------------------------------------------------------

    def build_error_result(self, task: Task, exception: BaseException) -> dict[str, Any]:
        """The dictionary that ``TaskException.metadata`` carries; override it to add to it."""
        error = _repr(exception)
        if isinstance(exception, TaskException):
            error = str(exception.metadata.get("error") or error)
        try:
            trace = "".join(traceback.format_exception(exception))
        except BaseException:
            trace = "".join(traceback.format_tb(exception.__traceback__))
        return {
            "error": shortened(error, KEPT_ERROR),
            "retries": task.retries,
            "traceback": shortened(trace, KEPT_ERROR),
            "task_id": task.id,
        }

    def error_of(self, id: str, row: ResultRow) -> dict[str, Any]:
        """Metadata for a job that has no stored error: from what the row keeps. Of a stage that was
        revoked because another one failed: the error of that one, as in Huey."""
        job = self.storage.job(str(row.seq))
        culprit = self.storage.culprit(row.seq) if row.reason == "upstream" else None
        if culprit is not None:
            return {**self._metadata_of(culprit), "state": str(row.state), "reason": row.reason}
        last = job.errors[-1] if job and job.errors else {}
        error = row.reason or str(row.state)
        if last and row.state is State.DEAD:
            error = f"{last['type']}({last['message']!r})"
        return {
            "error": error,
            "retries": job.retries if job else 0,
            "traceback": last.get("traceback", ""),
            "task_id": id,
            "state": str(row.state),
            "reason": row.reason,
        }

    def _metadata_of(self, job: Job) -> dict[str, Any]:
        row = self.storage.result(job.id, preserve=True)
        if row is None:
            return {"error": job.reason, "task_id": job.id}
        stored = None if row.result is None else self.serializer.deserialize(row.result)
        if job.state is not State.DONE and isinstance(stored, dict):
            return stored
        return self.error_of(job.id, row)


def _repr(error: BaseException) -> str:
    """``repr`` of an exception, also of one whose repr raises."""
    try:
        return repr(error)
    except BaseException:
        return describe(error)
