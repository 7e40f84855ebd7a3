"""What a form says, whether it was posted or is about to be filled in."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import quote

from hueycore.model.jobs import Selector
from hueyctl.dashboard.asks import Answer, see
from hueyctl.dashboard.changes import notices
from hueyctl.dashboard.page import Missing

if TYPE_CHECKING:
    from hueycore.model.jobs import Enqueued, NewJob
    from hueycore.storage.base import Storage
    from hueyctl.dashboard.changes.notices import Notice
    from hueyctl.dashboard.page import View

#: Letters of a reason that are kept.
_REASON = 500
#: Seconds until a job runs that nobody has let go.
_LATER = 10.0


class Form:
    """The fields of an act: those of the form, and before that those of the address of its page."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.fields = view.ask.form if view.ask.changes else view.ask.query

    def word(self, name: str) -> str:
        """The last value of a field, or nothing."""
        return self.fields.get(name, [""])[-1].strip()

    def words(self, name: str) -> list[str]:
        """Every value of a field, once."""
        found = (word.strip() for word in self.fields.get(name, []))
        return list(dict.fromkeys(word for word in found if word))

    @property
    def reason(self) -> str | None:
        return self.word("reason")[:_REASON] or None

    @property
    def is_sure(self) -> bool:
        """Whether it was sent by the page that shows what would happen."""
        return self.view.ask.changes and self.word("sure") == "yes"

    @property
    def back(self) -> str:
        """The page that the form stood on. Any other site would be one more of this host."""
        base, back = self.view.ask.base, self.word("back")
        inside = back.startswith(f"{base}/") and not back.startswith(("//", "/\\"))
        return quote(back, safe="/?:@!$&'()*+,;=%~") if inside else f"{base}/"

    def queue(self) -> str:
        """The queue that is named. Raises ``Missing`` when this dashboard has none of that name."""
        name, storage = self.word("queue"), self.view.storage
        known = {storage.queue, *(row.queue for row in storage.queues())}
        # One that has no job yet may have orders and locks.
        known |= {order.queue for order in storage.revocations()}
        known |= {lock.queue for lock in storage.locks()}
        if name not in known or (self.view.queues and name not in self.view.queues):
            raise Missing(f"There is no queue {name}")
        return name

    def queues(self) -> tuple[str, ...]:
        """Those that are named, as far as this dashboard is about them; none for all of them."""
        return self.view.among(self.words("queue"))

    def done(self, notice: Notice) -> Answer:
        """Back to where the form stood, which tells what was done."""
        return see(self.back).with_headers(notices.kept(self.view.ask, notice))


def operator(view: View) -> str:
    """Who does it, for the event log."""
    name = view.ask.person.name if view.ask.person is not None else "somebody"
    return f"{name} (dashboard)" if "@" in name else f"{name}@dashboard"


def enqueue(storage: Storage, job: NewJob, reason: str) -> Enqueued:
    """Queue a job in the operator's name. It is born for later and then let go by a verb: that is
    what the event log has, with who gave it. It runs as well when we die in between."""
    now = time.time()
    (born,) = storage.enqueue([job._replace(run_at=now + _LATER)])
    if born.fresh:
        mine = Selector(queues=(storage.queue,), keys=(born.id,))
        storage.reschedule(mine, run_at=now, reason=reason)
    return born


@contextmanager
def writing(view: View, queue: str) -> Iterator[Storage]:
    """The storage for one change, as who asks for it. Raises ``StorageError``."""
    storage = view.board.open(operator(view), queue)
    try:
        yield storage
    finally:
        storage.close()
