"""A process that forks, or ends, while it has databases open."""

from __future__ import annotations

import atexit
import os
import weakref
from typing import TYPE_CHECKING

from hueycore.storage.sqlite import guard
from hueycore.system import native

if TYPE_CHECKING:
    from hueycore.storage.sqlite.connections import Connections

open_databases: weakref.WeakSet[Connections] = weakref.WeakSet()
#: What a connection becomes that a child inherits all the same (a fork by C code, a fork in the
#: middle of a transaction): kept for ever, because SQLite forbids even to close it.
leaked: list[object] = []

#: Two threads that fork at the same time would wait for each other's databases.
_fork_gate = native.Lock()


def _before_fork() -> None:
    """No connection crosses a fork. In the child SQLite would believe that the process holds the
    locks which only its parent holds, and take none for the child's own connections: the parent's
    last close then removes the log that the child writes to, with all that it has committed."""
    _fork_gate.acquire()
    for database in sorted(open_databases, key=id):
        if not database.memory:
            database.before_fork()


def _after_fork_in_parent() -> None:
    for database in list(open_databases):
        database.after_fork_in_parent()
    _fork_gate.release()


def _after_fork_in_child() -> None:
    global _fork_gate
    _fork_gate = native.Lock()
    guard.after_fork_in_child()
    for database in list(open_databases):
        database.after_fork_in_child()


os.register_at_fork(
    before=_before_fork,
    after_in_parent=_after_fork_in_parent,
    after_in_child=_after_fork_in_child,
)


def _at_exit() -> None:
    """A program may end without ``close``. From 3.13 on Python warns of a connection that it finds
    open when it takes everything apart."""
    for database in list(open_databases):
        database.leave()


atexit.register(_at_exit)
