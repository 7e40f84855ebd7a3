"""Several queues in one file or database: that of ``settings.HUEY``, and those that tasks of
Django's framework name."""

from __future__ import annotations

from hueycore.api import Huey
from hueycore.contrib.djhuey import HUEY
from hueycore.model.jobs import Job

#: What the framework calls the queue of ``settings.HUEY``.
DEFAULT = "default"
#: The queues beside that one, which all threads share.
_others: dict[str, Huey] = {}


def huey_of(name: str) -> Huey:
    """The queue that a task names."""
    if name in (DEFAULT, HUEY.name):
        return HUEY
    if name not in _others:
        _others.setdefault(name, HUEY.beside(name))
    other = _others[name]
    other.immediate = HUEY.immediate  # tests change it
    return other


def job_of(id: str) -> Job | None:
    """The row of a job, whatever its queue is."""
    for huey in (HUEY, *_others.values()):  # of queues in memory each has its own rows
        job = huey.storage.job(id)
        if job is not None and job.id == id:  # a number is no id of the framework's
            return job
    return None
