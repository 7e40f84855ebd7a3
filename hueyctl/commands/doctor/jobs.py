"""Questions of ``doctor`` about the jobs of a storage: who runs them, and whether anybody can.

Dead consumers are recovered; all else only looks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from hueycore.model.diagnosis import Diagnosis, ok, problem, skipped, warning
from hueyctl import errors

if TYPE_CHECKING:
    from hueycore import Huey
    from hueycore.model.reports import WorkerRow
    from hueyctl.context import Session


def taken_back(session: Session, dead: Sequence[WorkerRow]) -> Diagnosis:
    """Consumers that died leave their jobs behind until somebody takes them back."""
    from hueycore.exceptions import StorageReadOnly

    try:
        taken = [
            one
            for queue in sorted({row.queue for row in dead})
            for one in session.writing(queue).recover()
        ]
    except StorageReadOnly as error:
        return problem(
            "consumers",
            f"their jobs cannot be taken back: {error}",
            "run hueyctl doctor as the user of the consumers",
        )
    return warning(
        "consumers",
        f"{len(taken):,} jobs were taken back",
        recovered=[one.job.seq for one in taken],
    )


def unknown_tasks(session: Session) -> Iterator[Diagnosis]:
    if not session.may_import:
        yield skipped("tasks", "needs the application (--app)")
        return
    from hueycore.model.jobs import Selector
    from hueycore.model.states import WAITING

    huey, found = session.app(), session.looking()
    known = set(huey.registry.names())
    waiting = found.count_by_task(Selector(queues=(huey.name,), states=WAITING))
    unknown = {
        task: number
        for task, number in sorted(waiting.items())
        if task not in known and not _is_path(session, huey, task)
    }
    if not unknown:
        yield ok("tasks", "every waiting job is of a task that the application has")
    for task, number in unknown.items():
        yield problem(
            "tasks",
            f"{number:,} jobs wait for {task}, which the application does not register",
            "an older or newer producer, or a module that nobody imports: they will end dead",
            task=task,
            jobs=number,
        )


def _is_path(session: Session, huey: Huey, task: str) -> bool:
    """Whether a name that no task has is that of a function which the application allows. One
    whose module raises is there, for this question."""
    from hueycore.exceptions import UnknownTask
    from hueyctl.apps import load_path

    try:
        return bool(load_path(huey, task, session.settings.app_dir))
    except UnknownTask:
        return False
    except errors.CliError:
        return True
