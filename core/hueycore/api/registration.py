"""This process as a worker in the storage: what it holds is free when it dies."""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING

from hueycore.system import native

if TYPE_CHECKING:
    from hueycore.api.part import Part
    from hueycore.storage.base import Storage


class Registration:
    """A worker of one slot, registered at the first use, and once more in a forked process.

    :param name: its name in listings, with ``{host}`` and ``{pid}``.
    """

    def __init__(self, part: Part, kind: str, name: str) -> None:
        self._part, self._kind, self._name = part, kind, name
        #: The process that registered, and its number.
        self._known: tuple[int, int] | None = None
        self._lock = native.Lock()
        _registrations.add(self)

    def number(self) -> int:
        """The number of the worker. Raises ``StorageError``."""
        known, pid = self._known, os.getpid()
        if known is None or known[0] != pid:
            with self._lock:
                known = self._known
                if known is None or known[0] != pid:
                    known = self._known = pid, self._register(pid)
        return known[1]

    def _register(self, pid: int) -> int:
        name = self._name.format(host=os.uname().nodename, pid=pid)
        return self._part.storage.register(name=name, kind=self._kind, slots=1)

    def forget_lock(self) -> None:
        """In a forked child: it may be held by a thread that does not exist here."""
        self._lock = native.Lock()

    def leave(self, storage: Storage) -> None:
        """End the registration; a forked process leaves that of its parent alone."""
        known, self._known = self._known, None
        if known is not None and known[0] == os.getpid():
            storage.unregister(known[1])


_registrations: weakref.WeakSet[Registration] = weakref.WeakSet()


def _in_child() -> None:
    for registration in list(_registrations):
        registration.forget_lock()


os.register_at_fork(after_in_child=_in_child)
