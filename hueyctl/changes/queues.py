"""Which storage and which queues a change is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hueyctl import errors

if TYPE_CHECKING:
    from hueycore.storage.base import Storage
    from hueyctl.context import Session


def looking_before_writing(session: Session) -> Storage:
    """The storage to look at in a command that will write: a file that merely lies about here is
    good enough for looking, not for changes."""
    if session.location(looking=False) is None:
        session.app_location()
    return session.looking()


def queues_to_change(session: Session, storage: Storage, *, by_id: bool) -> tuple[str, ...]:
    """The queues that a change is about, none for all: a job's number is enough."""
    wanted = session.check_queues(storage)
    if wanted or by_id:
        return wanted
    if session.has_app and not session.settings.url:
        return (session.app().name,)
    known = tuple(row.queue for row in storage.queues())
    if len(known) > 1:
        raise errors.usage(f"there are several queues: {', '.join(known)}", "choose with --queue")
    return known
