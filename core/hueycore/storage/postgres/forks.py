"""A process that forks, or ends, while it has connections open. Of one that a child inherits the
server's end is its parent's."""

from __future__ import annotations

import atexit
import os
import weakref
from typing import Any, Protocol

import psycopg


class Heir(Protocol):
    """What has connections, or waits for threads that a child does not have."""

    def after_fork_in_child(self) -> None: ...
    def leave(self) -> None:
        """The process ends: close what nobody is using."""
        ...


heirs: weakref.WeakSet[Heir] = weakref.WeakSet()
#: Connections that another thread was using when the process forked: even to close them could
#: crash, so they are kept for ever.
leaked: list[object] = []


def abandon(connection: psycopg.Connection[Any], *, in_use: bool) -> None:
    """Forget a connection of the parent's in its child, without a word to the server.

    Its socket is closed as well: it would stay open as long as the child lives, and the server
    would believe that the parent lives."""
    if not connection.closed:
        nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        try:
            # The number stays taken: what is said to this connection reaches nobody.
            os.dup2(nothing, connection.fileno(), inheritable=False)
        finally:
            os.close(nothing)
    if in_use:
        leaked.append(connection)
    else:
        connection.close()


def _in_child() -> None:
    for heir in list(heirs):
        heir.after_fork_in_child()


os.register_at_fork(after_in_child=_in_child)


def _at_exit() -> None:
    """A program may end without ``close``; psycopg warns of a connection that it finds open when
    Python takes everything apart."""
    for heir in list(heirs):
        heir.leave()


atexit.register(_at_exit)
