"""Locks: what the commands ``hueyctl lock …`` share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hueyctl.units import brief

if TYPE_CHECKING:
    from hueycore.model.limits import Lock
    from hueycore.storage.base import Storage


def find(storage: Storage, name: str) -> Lock | None:
    """The lock of a name in the storage's own queue."""
    for lock in storage.locks():
        if (lock.queue, lock.name) == (storage.queue, name):
            return lock
    return None


def held_by(storage: Storage, name: str, now: float) -> str:
    """Who has a lock: a process, or a job that runs."""
    from hueycore.model.jobs import Selector
    from hueycore.model.states import State

    lock = find(storage, name)
    if lock is not None:
        return f"{lock.holder} (process {lock.pid}) for {brief(now - lock.since)}"
    mine = (("key_name", "=", name),)
    running = Selector(queues=(storage.queue,), states=(State.RUNNING,), where=mine, limit=1)
    jobs = storage.jobs(running)
    return f"job {jobs[0].seq} ({jobs[0].task})" if jobs else "somebody"
