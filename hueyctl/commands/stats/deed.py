"""What keys of the live view change: asked for, and done when somebody says yes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hueyctl.operator import operator
from hueyctl.units import counted, grouped

if TYPE_CHECKING:
    from hueycore.storage.base import Storage
    from hueyctl.answers.figures import QueueFigures

#: Jobs that one transaction changes, so that workers are not kept waiting for long.
_GROUP = 500


class Deed(NamedTuple):
    """``verb``: pause, resume or retry."""

    verb: str
    queue: str
    question: str


def asked(key: str, row: QueueFigures) -> Deed | None:
    """What a key would do to a queue, None when there is nothing to do."""
    if key == "p" and row.paused:
        return Deed("resume", row.name, f"Resume queue {row.name}?")
    if key == "p":
        return Deed("pause", row.name, f"Pause queue {row.name}?")
    dead = row.counts["dead"]
    if key == "r" and dead:
        return Deed("retry", row.name, f"Retry {counted(dead, 'dead letter')} of {row.name}?")
    return None


def carry_out(deed: Deed, storage: Storage) -> str:
    """Do it, and say what was done. Raises ``StorageError``."""
    if deed.verb == "pause":
        storage.pause(by=operator())
        return f"queue {deed.queue} is paused"
    if deed.verb == "resume":
        storage.resume()
        return f"queue {deed.queue} goes on"
    return f"{grouped(_retry(deed, storage))} of {deed.queue} wait again"


def _retry(deed: Deed, storage: Storage) -> int:
    """Those that are dead now; one that dies again meanwhile is left alone."""
    from hueycore.model.jobs import Selector
    from hueycore.model.states import State

    dead = Selector(queues=(deed.queue,), states=(State.DEAD,))
    keys = [job.id for job in storage.jobs(dead)]
    changed = 0
    for start in range(0, len(keys), _GROUP):
        group = tuple(keys[start : start + _GROUP])
        changed += len(storage.requeue(Selector(queues=(deed.queue,), keys=group)).changed)
    return changed
