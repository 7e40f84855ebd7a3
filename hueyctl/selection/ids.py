"""The ids of jobs as people type them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from hueyctl import errors, exits, streams

if TYPE_CHECKING:
    from hueycore.model.jobs import Job
    from hueycore.storage.base import Storage
    from hueyctl.context import Session


def read_ids(words: Iterable[str]) -> tuple[str, ...]:
    """The ids on the command line; ``-`` stands for those on stdin. Exit 2 for an empty one."""
    found: list[str] = []
    for word in words:
        if word == "-":
            lines = streams.read_stdin().split("\n")
            found.extend(line.strip() for line in lines if line.strip())
        elif not word.strip():
            # Of "$id", when nothing has set it.
            raise errors.usage("an id is empty", "hueyctl list --state all")
        else:
            found.append(word)
    return tuple(dict.fromkeys(found))


def find(storage: Storage, key: str, queues: Sequence[str] = ()) -> Job:
    """The job of an id. Exit 3 when there is none."""
    job = storage.job(key)
    if job is None or (queues and job.queue not in queues):
        raise errors.CliError(f"no job {key}", exits.NOT_FOUND, "hueyctl list --state all")
    return job


class Found(NamedTuple):
    """The jobs in the order asked for, and the errors of the ids that no job has."""

    storage: Storage
    jobs: list[Job]
    missing: dict[str, errors.CliError]
    session: Session

    def raise_missing(self) -> None:
        """Exit 3 when any id was unknown; the others have been shown by then."""
        left = list(self.missing.values())
        for error in left[:-1]:
            self.session.notice(error.message)
        if left:
            raise left[-1]


def find_all(session: Session, ids: Sequence[str]) -> Found:
    storage = session.looking()
    queues = session.check_queues(storage)
    jobs, missing = [], {}
    for key in read_ids(ids):
        try:
            jobs.append(find(storage, key, queues))
        except errors.CliError as error:
            missing[key] = error
    return Found(storage, jobs, missing, session)
