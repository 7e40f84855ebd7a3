"""The storage that jobs are loaded into."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hueyctl import errors, exits

if TYPE_CHECKING:
    from hueycore.storage.base import Storage
    from hueyctl.context import Session


class Target:
    """Opened when it is first needed; what is missing, and is not to be made, is told before."""

    def __init__(self, session: Session, *, create: bool) -> None:
        from hueyctl.changes.queues import looking_before_writing

        self.queue = _one_queue(session)
        self._session, self._create = session, create
        if not create:
            looking_before_writing(session)
        elif session.location(looking=False) is None:
            session.app_location()

    def open(self) -> Storage:
        """For writing."""
        return self._session.writing(self.queue or "huey", create=self._create)

    def look(self) -> Storage | None:
        """For reading; None when it is not there yet."""
        from hueycore.exceptions import StorageCorrupt, StorageMissing

        try:
            return self._session.looking()
        except StorageMissing:
            return None
        except StorageCorrupt:
            if not self._create:
                raise
            return None  # a database without a queue; else the opening for writing says so
        except errors.CliError as error:
            if error.code != exits.UNAVAILABLE:
                raise
            return None


def _one_queue(session: Session) -> str | None:
    """The queue that ``--queue`` or the URL names, None when every job goes to its own."""
    location = session.location(looking=False)
    named = (location.queue,) if location is not None and location.queue else ()
    queues = session.settings.queues or named
    if len(queues) > 1:
        raise errors.usage("jobs go to one queue, or each to its own", "say --queue once")
    return queues[0] if queues else None
