"""Standing orders: tasks, and ids that no job has yet, that are revoked from now on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hueyctl import errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hueycore.model.flags import Revocation
    from hueycore.storage.base import Storage

TASK, ID = "revoked-task", "revoked-id"


def standing(storage: Storage, queues: Sequence[str]) -> list[Revocation]:
    """The revocations in force, of these queues or of all. Paused tasks are no revocations."""
    return [
        order
        for order in storage.revocations()
        if order.kind in (TASK, ID) and (not queues or order.queue in queues)
    ]


def check_name(task: str) -> None:
    """An order is about one task: a pattern would stand there and never apply."""
    if not task or any(letter in task for letter in "*?[]"):
        raise errors.usage(f"{task!r} is not the name of one task", "like --task myapp.mail.send")
