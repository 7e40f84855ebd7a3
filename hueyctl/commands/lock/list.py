"""``hueyctl lock list``: who holds which lock."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from hueyctl import exits
from hueyctl.command import command
from hueyctl.context import Session
from hueyctl.units import rfc3339

if TYPE_CHECKING:
    from hueycore.model.limits import Lock
    from hueyctl.output.columns import Column


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
    storage = session.looking()
    queues = session.check_queues(storage)
    now = time.time()
    found = [lock for lock in storage.locks() if not queues or lock.queue in queues]
    output = session.output
    if output.is_json:
        output.objects(_as_object(lock, now) for lock in found)
    else:
        output.rows(
            found,
            _columns(now),
            ("name", "holder", "since", "ttl"),
            ("queue", "host", "pid", "alive", "waiting"),
            name=lambda lock: lock.name,
        )
    if not found:
        session.remark("No locks.")
    return exits.OK


def _as_object(lock: Lock, now: float) -> dict[str, Any]:
    """``hueyctl.lock/1``."""
    expires = lock.expires_at
    return {
        "name": lock.name,
        "queue": lock.queue,
        "holder": lock.holder,
        "host": lock.host,
        "pid": lock.pid,
        "alive": lock.alive,
        "waiting": lock.waiting,
        "since": rfc3339(lock.since),
        "expires_at": None if expires is None else rfc3339(expires),
        "ttl_s": None if expires is None else round(expires - now, 3),
    }


def _columns(now: float) -> dict[str, Column]:
    from hueyctl.output.columns import Column

    def left(lock: Lock) -> float | None:
        return None if lock.expires_at is None else max(0.0, lock.expires_at - now)

    every = (
        Column("name", "NAME", "text", lambda lock: lock.name),
        Column("holder", "HOLDER", "text", lambda lock: lock.holder),
        Column("since", "SINCE", "time", lambda lock: lock.since),
        Column("ttl", "TTL", "span", left),
        Column("queue", "QUEUE", "text", lambda lock: lock.queue),
        Column("host", "HOST", "text", lambda lock: lock.host),
        Column("pid", "PID", "int", lambda lock: lock.pid),
        Column("alive", "ALIVE", "bool", lambda lock: lock.alive),
        Column("waiting", "WAITING", "bool", lambda lock: lock.waiting),
    )
    return {column.key: column for column in every}
