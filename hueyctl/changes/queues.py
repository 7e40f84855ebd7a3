"""Which storage and which queues a change is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hueyctl import errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from hueycore.storage.base import Storage
    from hueyctl.context import Session


def looking_before_writing(session: Session) -> Storage:
    """The storage to look at in a command that will write: a file that merely lies about here is
    good enough for looking, not for changes."""
    if session.location(looking=False) is None:
        session.app_location()
    return session.looking()


def queues_to_change(
    session: Session,
    storage: Storage,
    *,
    by_id: bool = False,
    found: Callable[[Sequence[str]], Iterable[str]] | None = None,
) -> tuple[str, ...]:
    """The queues that a change is about, none for all: a job's number is enough.

    ``found`` answers in which of several queues there is what a filter or a name means: if it is in
    one alone nobody has to say which. Exit 2 when it is in more."""
    wanted = session.check_queues(storage)
    if wanted or by_id:
        return wanted
    if session.has_app and not session.settings.url:
        return (session.app().name,)
    known = tuple(row.queue for row in storage.queues())
    if len(known) < 2:
        return known
    where = None if found is None else sorted(set(found(known)))
    if where is not None and len(where) < 2:
        return tuple(where)
    there = (
        "there are several queues" if where in (None, sorted(known)) else "it is in several queues"
    )
    raise errors.usage(f"{there}: {', '.join(where or known)}", "choose with --queue")


def queues_of_task(storage: Storage, task: str, known: Sequence[str]) -> list[str]:
    """Those that have jobs or schedules of a task; all of them when none has."""
    from hueycore.model.jobs import Selector

    mine = (("task", "=", task),)
    found = {row.queue for row in storage.periodic(whole=True) if row.task == task}
    found |= {name for name in known if storage.count(Selector(queues=(name,), where=mine))}
    return sorted(found) or list(known)
