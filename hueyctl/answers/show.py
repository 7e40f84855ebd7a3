"""Everything about a job as the JSON object ``hueyctl show`` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hueyctl.answers.history import timeline, worker_name
from hueyctl.answers.joblog import as_object as as_line
from hueyctl.answers.jobs import read_object
from hueyctl.answers.stages import tree

if TYPE_CHECKING:
    from hueycore.model.jobs import Job
    from hueycore.storage.base import Storage

_EVERY = 1_000_000


def document(storage: Storage, job: Job, now: float) -> dict[str, Any]:
    """``hueyctl.job/1`` with ``timeline``, ``tree`` and ``log``."""
    return {
        **read_object(storage, job, now),
        "timeline": [event.as_object() for event in timeline(job, worker_name(storage, job))],
        "tree": tree(storage.stages(job.seq, _EVERY)),
        "log": [as_line(line) for line in storage.log(job.seq)],
    }
