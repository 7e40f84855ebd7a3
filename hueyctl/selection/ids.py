"""The jobs of ids as people type them, for commands that look at each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from hueyctl import errors
from hueyctl.output import results
from hueyctl.selection.options import read_ids

if TYPE_CHECKING:
    from hueycore.model.jobs import Job
    from hueycore.storage.base import Storage
    from hueyctl.context import Session


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
            jobs.append(results.find(storage, key, queues))
        except errors.CliError as error:
            missing[key] = error
    return Found(storage, jobs, missing, session)
