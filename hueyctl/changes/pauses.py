"""Queues and tasks that are paused: what ``pause`` and ``resume`` share."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from hueyctl import errors, exits
from hueyctl.answers.queues import is_paused
from hueyctl.changes.queues import looking_before_writing, queues_to_change
from hueyctl.changes.revocations import check_name
from hueyctl.context import unknown_queue
from hueyctl.units import rfc3339

if TYPE_CHECKING:
    from hueycore.storage.base import Storage
    from hueyctl.context import Session
    from hueyctl.output.columns import Column

CODES = [exits.NOT_FOUND, exits.UNAVAILABLE, exits.IO_ERROR, exits.CONFIG]


class Pause(NamedTuple):
    """A queue, or a task of it, as it is now."""

    queue: str
    task: str | None
    paused: bool
    since: float | None = None
    until: float | None = None
    by: str | None = None
    reason: str | None = None
    #: Periodic tasks only: ``scheduler``; else ``jobs``.
    what: str = "jobs"

    def as_object(self) -> dict[str, Any]:
        return {
            **self._asdict(),
            "since": None if self.since is None else rfc3339(self.since),
            "until": None if self.until is None else rfc3339(self.until),
        }


def check_target(task: str | None, scheduler: bool) -> None:
    """Exit 2 for a task name that cannot be one, and for a task and the scheduler at once."""
    if task is not None and scheduler:
        raise errors.usage("--task and --scheduler exclude each other")
    if task is not None:
        check_name(task)


def chosen_queues(session: Session, names: Sequence[str]) -> tuple[str, ...]:
    """The queues that were named, as arguments or with --queue; else the only one. Exit 3 for a
    name that the storage does not know."""
    if names and session.settings.queues:
        raise errors.usage("name the queues once", "as arguments, or with --queue")
    storage = looking_before_writing(session)
    if not names:
        # A storage that has no queue yet gets the usual one, as with the first job.
        return queues_to_change(session, storage, by_id=False) or (storage.queue,)
    known = [row.queue for row in storage.queues()]
    for name in names:
        if name not in known:
            raise unknown_queue(name, known)
    return tuple(dict.fromkeys(names))


def look(storage: Storage, queue: str, task: str | None, scheduler: bool = False) -> Pause:
    """The state of a queue, of one task of it, or of its scheduler."""
    now = time.time()
    if task is not None or scheduler:
        kind, what = ("paused-scheduler", "scheduler") if scheduler else ("paused-task", "jobs")
        for order in storage.revocations():
            if (order.kind, order.queue, order.name) == (kind, queue, task or ""):
                told = (order.since, order.until, order.by, order.reason)
                return Pause(queue, task, True, *told, what)
        return Pause(queue, task, False, what=what)
    for row in storage.queues():
        if row.queue == queue and is_paused(row, now):
            return Pause(
                queue, None, True, row.paused_at, row.paused_until, row.paused_by, row.pause_reason
            )
    return Pause(queue, None, False)


def show(
    session: Session, queues: Sequence[str], task: str | None, scheduler: bool = False
) -> None:
    """Print how things are now."""
    storage = session.looking()
    rows = [look(storage, queue, task, scheduler) for queue in queues]
    output = session.output
    if output.is_json:
        output.objects(row.as_object() for row in rows)
        return
    normal = ("queue", "task", "paused", "until", "by", "reason")
    output.rows(rows, _columns(), normal, ("since", "what"), name=lambda row: row.queue)


def _columns() -> dict[str, Column]:
    from hueyctl.output.columns import Column

    return {
        "queue": Column("queue", "QUEUE", "text", lambda row: row.queue),
        "task": Column("task", "TASK", "text", lambda row: row.task),
        "what": Column("what", "WHAT", "text", lambda row: row.what),
        "paused": Column("paused", "PAUSED", "bool", lambda row: row.paused),
        "since": Column("since", "SINCE", "time", lambda row: row.since),
        "until": Column("until", "UNTIL", "time", lambda row: row.until),
        "by": Column("by", "BY", "text", lambda row: row.by),
        "reason": Column("reason", "REASON", "text", lambda row: row.reason),
    }
