"""``hueyctl lock list``: who holds which lock, and who waits for it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from hueyctl import exits
from hueyctl.command import command
from hueyctl.context import Session
from hueyctl.units import rfc3339

if TYPE_CHECKING:
    from hueyctl.answers.locks import Held
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
    """List the locks that are held, by name: who, since when, until when at the latest, who waits.

    A holder is a process (lock_task, hueyctl lock acquire), or a running job of a task whose jobs
    take turns (lock=, max_concurrent=1). Those that wait are jobs: the next three, and how many
    more. hueyctl why says the same of one job.
    """
    from hueyctl.answers.locks import held

    storage = session.looking()
    queues = session.check_queues(storage)
    now = time.time()
    found = held(storage, queues, session.looking)
    output = session.output
    if output.is_json:
        output.objects(_as_object(one, now) for one in found)
    else:
        output.rows(
            found,
            _columns(now),
            ("name", "holder", "since", "ttl", "waiters"),
            ("queue", "host", "pid", "alive", "waiting", "job"),
            name=lambda one: one.lock.name,
        )
    if not found:
        session.remark("No locks.")
    return exits.OK


def _as_object(one: Held, now: float) -> dict[str, Any]:
    """``hueyctl.lock/1``."""
    lock = one.lock
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
        "job": one.job,
        "waiters": one.waiters,
        "first_waiters": list(one.first),
    }


def _columns(now: float) -> dict[str, Column]:
    from hueyctl.output.columns import Column

    def left(one: Held) -> float | None:
        expires = one.lock.expires_at
        return None if expires is None else max(0.0, expires - now)

    def holder(one: Held) -> str:
        return f"{one.lock.holder} (next)" if one.lock.waiting else one.lock.holder

    every = (
        Column("name", "NAME", "text", lambda one: one.lock.name),
        Column("holder", "HOLDER", "text", holder),
        Column("since", "SINCE", "time", lambda one: one.lock.since),
        Column("ttl", "TTL", "span", left),
        Column("waiters", "WAITERS", "text", lambda one: one.waits),
        Column("queue", "QUEUE", "text", lambda one: one.lock.queue),
        Column("host", "HOST", "text", lambda one: one.lock.host),
        Column("pid", "PID", "int", lambda one: one.lock.pid),
        Column("alive", "ALIVE", "bool", lambda one: one.lock.alive),
        Column("waiting", "WAITING", "bool", lambda one: one.lock.waiting),
        Column("job", "JOB", "int", lambda one: one.job),
    )
    return {column.key: column for column in every}
