"""Enqueueing within a transaction of Django's, where the queue is in the same database."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from django.db import transaction

from hueycore.exceptions import OtherData

if TYPE_CHECKING:
    from hueycore.api import Huey
    from hueycore.tasks.task import Task

#: Databases of Django's, by alias and name, that do not hold the queue.
_elsewhere: set[tuple[str, str]] = set()


def enqueue_inside(huey: Huey, connection: Any, call: Task) -> bool:
    """Write a job in the transaction that is open on a connection of Django's: they are committed
    together. False where that is to other data. Raises what ``Huey.enqueue`` does."""
    database = (connection.alias, str(connection.settings_dict["NAME"]))
    if database in _elsewhere:
        return False
    try:
        guest = huey.storage.on(connection.connection)
        with huey.using(connection.connection):
            huey.enqueue(call)
    except OtherData:
        _elsewhere.add(database)
        call._enqueued = False  # it is the same call that is enqueued next
        return False
    transaction.on_commit(partial(guest.ring), using=connection.alias)
    return True
