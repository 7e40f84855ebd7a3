"""``hueyctl lock list``: who holds which lock."""

from __future__ import annotations

import time

from hueyctl import exits
from hueyctl.command import command
from hueyctl.context import Session


@command(
    "list",
    examples=[
        "hueyctl lock list",
        "hueyctl lock list --json | jq -r '.[] | select(.alive | not) | .name'",
    ],
    codes=[exits.NOT_FOUND, exits.UNAVAILABLE, exits.CONFIG],
)
def lock_list(session: Session) -> int:
    """List the locks that processes hold, by name: who, since when, and until when at the latest.

    Jobs that take turns (lock=, max_concurrent=) need no lock: hueyctl why says who is before them.
    """
    from hueyctl.commands.lock.shared import as_object, columns

    storage = session.looking()
    queues = session.check_queues(storage)
    now = time.time()
    found = [lock for lock in storage.locks() if not queues or lock.queue in queues]
    output = session.output
    if output.is_json:
        output.objects(as_object(lock, now) for lock in found)
    else:
        output.rows(
            found, columns(now), ("name", "holder", "since", "ttl"),
            ("queue", "host", "pid", "alive", "waiting"), name=lambda lock: lock.name,
        )  # fmt: skip
    if not found:
        session.remark("No locks.")
    return exits.OK
