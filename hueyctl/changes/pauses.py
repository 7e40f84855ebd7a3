"""Queues and tasks that are paused: what ``pause`` and ``resume`` share."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
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


def chosen_queues(
    session: Session,
    names: Sequence[str],
    found: Callable[[Storage, Sequence[str]], Iterable[str]] | None = None,
) -> tuple[str, ...]:
    """The queues that were named, as arguments or with --queue; else the only one, or of several
    the only one that ``found`` answers. Exit 3 for a name that the storage does not know."""
    if names and session.settings.queues:
        raise errors.usage("name the queues once", "as arguments, or with --queue")
    storage = looking_before_writing(session)
    if not names:
        # A storage that has no queue yet gets the usual one, as with the first job.
        within = None if found is None else partial(found, storage)
        return queues_to_change(session, storage, found=within) or (storage.queue,)
    known = [row.queue for row in storage.queues()]
    for name in names:
        if name not in known:
            raise unknown_queue(name, known)
    return tuple(dict.fromkeys(names))


def queues_at_rest(
    storage: Storage, task: str | None, scheduler: bool, known: Sequence[str]
) -> list[str]:
    """Those of the queues in which this is paused; all of them where it is in none."""
    what = "scheduler" if scheduler else "jobs"
    found = [one.queue for one in in_force(storage, known) if (one.task, one.what) == (task, what)]
    return found or list(known)


#: Orders that are pauses, and what they let rest.
_ORDERS = {"paused-task": "jobs", "paused-scheduler": "scheduler"}


def in_force(storage: Storage, queues: Sequence[str]) -> list[Pause]:
    """What is paused now of these queues, or of all: queues, then tasks and schedulers."""
    now = time.time()
    found = [
        Pause(
            row.queue, None, True, row.paused_at, row.paused_until, row.paused_by, row.pause_reason
        )
        for row in storage.queues()
        if is_paused(row, now)
    ]
    for order in storage.revocations():
        if order.kind in _ORDERS:
            told = (order.since, order.until, order.by, order.reason)
            found.append(Pause(order.queue, order.name or None, True, *told, _ORDERS[order.kind]))
    return [one for one in found if not queues or one.queue in queues]


def look(
    storage: Storage, queues: Sequence[str], task: str | None, scheduler: bool = False
) -> list[Pause]:
    """How things are now with each of these queues, with a task of it, or with its scheduler."""
    what = "scheduler" if scheduler else "jobs"
    paused = {(one.queue, one.task, one.what): one for one in in_force(storage, queues)}
    return [
        paused.get((queue, task, what), Pause(queue, task, False, what=what)) for queue in queues
    ]


def show(
    session: Session, queues: Sequence[str], task: str | None, scheduler: bool = False
) -> None:
    """Print how things are now."""
    rows = look(session.looking(), queues, task, scheduler)
    _print(session, rows, ("queue", "task", "paused", "until", "by", "reason"), ("since", "what"))


def show_all(session: Session) -> None:
    """Print what is paused now."""
    storage = session.looking()
    rows = in_force(storage, session.check_queues(storage))
    _print(session, rows, ("queue", "task", "what", "since", "until", "by", "reason"))
    if not rows:
        session.remark("Nothing is paused.")


def _print(
    session: Session, rows: Sequence[Pause], normal: Sequence[str], wide: Sequence[str] = ()
) -> None:
    output = session.output
    if output.is_json:
        output.objects(row.as_object() for row in rows)
        return
    output.rows(rows, _columns(), normal, wide, name=lambda row: row.queue)


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
