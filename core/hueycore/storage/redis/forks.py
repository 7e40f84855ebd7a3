"""A process that forks while it has connections. Of one that a child inherits, the server's end is
its parent's: open in the child, it would make the server believe that the parent lives."""

from __future__ import annotations

import os
import weakref
from typing import Any, Protocol


class Heir(Protocol):
    """What has threads, pipes and locks that are its parent's."""

    def after_fork_in_child(self) -> None: ...


heirs: weakref.WeakSet[Heir] = weakref.WeakSet()
#: Every connection that was made here, as long as it is used.
connections: weakref.WeakSet[Any] = weakref.WeakSet()


def _in_child() -> None:
    for connection in list(connections):
        connection.disconnect()  # says nothing to the server: it knows another process's number
    for heir in list(heirs):
        heir.after_fork_in_child()


os.register_at_fork(after_in_child=_in_child)
