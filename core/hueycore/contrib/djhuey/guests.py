"""Enqueueing within a transaction of Django's, where the queue is in the same database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction

from hueycore.contrib.djhuey.jobs import FrameworkCall, Handle
from hueycore.exceptions import OtherData

if TYPE_CHECKING:
    from hueycore.api import Huey

#: Databases of Django's, by alias and name, that do not hold the queue.
_elsewhere: set[tuple[str, str]] = set()


def enqueue_inside(huey: Huey, connection: Any, call: FrameworkCall) -> bool:
    """Write a job in the transaction that is open on a connection of Django's: they are committed
    together. False where that is to other data. Raises what ``Huey.enqueue`` does."""
    database = (connection.alias, str(connection.settings_dict["NAME"]))
    if database in _elsewhere:
        return False
    try:
        guest = huey.storage.on(connection.connection)
        if not guest.shares:
            return False
        (stored,) = guest.enqueue([huey._producer.new_job(call)])
        Handle(huey, call).found(stored)
    except OtherData:
        _elsewhere.add(database)
        call._enqueued = False  # it is the same call that is enqueued next
        return False
    transaction.on_commit(guest.ring, using=connection.alias)
    return True
