"""When ``burst`` is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hueycore.consumer.feed import Feed
from hueycore.model.jobs import Selector
from hueycore.model.states import State
from hueycore.system import clock

if TYPE_CHECKING:
    from hueycore.api import Huey

_OPEN = (State.PENDING, State.BLOCKED, State.RUNNING)


def is_drained(huey: Huey, feed: Feed | None = None) -> bool:
    """Whether nothing is pending, blocked, running or due. A ``feed`` of this process adds what is
    not written yet. Raises ``StorageError``."""
    if feed is not None and (feed.held or feed.unwritten):
        return False
    due = huey.storage.next_run_at()
    if due is not None and due <= clock.now():
        return False
    # A stage that waits for others is left out: those are open themselves, or not due.
    open_ = Selector(queues=(huey.name,), states=_OPEN, where=(("waits", "=", 0),))
    return huey.storage.count(open_) == 0
