"""Locks, limits and rates, for people and pipes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hueyctl.output.columns import Column

if TYPE_CHECKING:
    from hueycore.model.limits import Limit
    from hueyctl.answers.holds import Hold

#: The columns that are shown when nothing is said.
NORMAL = ("name", "holder", "since", "ttl", "waiters")
#: With limits and rates beside the locks.
EVERY = ("kind", "name", "allows", "holder", "since", "waiters", "due")


def allowed(limit: Limit | None) -> str | None:
    """What a task declares, in words: ``4 at once``, ``10 per 1s``."""
    from hueyctl.units import brief

    if limit is None:
        return None
    said = [] if limit.at_once is None else [f"{limit.at_once} at once"]
    if limit.rate is not None:
        burst = f", {limit.rate.burst} in a row" if limit.rate.burst > 1 else ""
        said.append(f"{limit.rate.limit} per {brief(limit.rate.per)}{burst}")
    return ", ".join(said) or None


def columns(now: float) -> dict[str, Column]:
    def left(row: Hold) -> float | None:
        lock = row.lock
        return None if lock is None or lock.expires_at is None else max(0.0, lock.expires_at - now)

    def holder(row: Hold) -> str | None:
        return f"{row.holder} (next)" if row.lock and row.lock.waiting else row.holder

    found = (
        Column("name", "NAME", "text", lambda row: row.name),
        Column("holder", "HOLDER", "text", holder),
        Column("since", "SINCE", "time", lambda row: row.since),
        Column("ttl", "TTL", "span", left),
        Column("waiters", "WAITERS", "text", lambda row: row.waits),
        Column("kind", "KIND", "text", lambda row: row.kind),
        Column("allows", "ALLOWS", "text", lambda row: allowed(row.limit)),
        Column("due", "DUE", "time", lambda row: row.due),
        Column("queue", "QUEUE", "text", lambda row: row.queue),
        Column("host", "HOST", "text", lambda row: row.place and row.place.host),
        Column("pid", "PID", "int", lambda row: row.place and row.place.pid),
        Column("alive", "ALIVE", "bool", lambda row: row.place and row.place.alive),
        Column("waiting", "WAITING", "bool", lambda row: row.lock is not None and row.lock.waiting),
        Column("job", "JOB", "int", lambda row: row.running[0].seq if row.running else None),
    )
    return {column.key: column for column in found}
