"""What stands in the way of a job that its key holds back: a lock, a rate, other jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hueyctl.answers.history import worker_name
from hueyctl.answers.reason import Reason, shell_line
from hueyctl.units import brief, rfc3339

if TYPE_CHECKING:
    from hueycore.model.jobs import Job
    from hueycore.model.limits import Lock
    from hueycore.storage.base import Storage


def in_the_way(storage: Storage, job: Job, now: float) -> Reason:
    """Why a blocked job of a key does not run."""
    key = str(job.key_name)
    for lock in storage.locks():
        if (lock.queue, lock.name) == (job.queue, key):
            return _locked(lock, now)
    due = storage.key_due(job.queue, key, job.task)
    if due is not None and due > now:
        at = rfc3339(due)
        text = f"blocked by key {key}, rate-limited until {at} (in {brief(due - now)})"
        return Reason(
            text, None, {"key": key, "until": at}, shell_line("list", "--where", _of(key))
        )
    return _held(storage, job, now)


def _of(key: str) -> str:
    return f"key_name = {key}"


def _locked(lock: Lock, now: float) -> Reason:
    who = f"{lock.holder} (process {lock.pid})"
    span = brief(now - lock.since)
    if not lock.alive:
        text = f"a lock whose holder {who} is dead; the next consumer that looks frees it"
    elif lock.waiting:
        text = f"a lock that {who} gets as soon as the jobs that run have ended"
    else:
        left = "" if lock.expires_at is None else f", for {brief(lock.expires_at - now)} more"
        text = f"a lock held by {who} for {span}{left}"
    blocking = {"key": lock.name, "lock": lock.name, "holder": lock.holder, "pid": lock.pid}
    return Reason(f"blocked by key {lock.name}, {text}", lock.since, blocking, "hueyctl lock list")


def _held(storage: Storage, job: Job, now: float) -> Reason:
    """By jobs that run, or by those that are about to."""
    from hueycore.model.jobs import Selector
    from hueycore.model.states import State

    key = job.key_name
    mine = (("key_name", "=", key),)
    holders = [
        holder
        for state in (State.RUNNING, State.PENDING)
        for holder in storage.jobs(Selector(queues=(job.queue,), states=(state,), where=mine))
    ]
    blocking: dict[str, Any] = {"key": key, "job": None, "worker": None}
    if not holders:
        return Reason(f"blocked by key {key}", None, blocking, "hueyctl workers")
    holder = holders[0]
    if holder.claimed_at is None:
        blocking |= {"job": holder.seq}
        text = f"blocked by key {key}, held by job {holder.seq}, which runs before it"
        return Reason(text, None, blocking, f"hueyctl why {holder.seq}")
    worker = worker_name(storage, holder)
    blocking |= {"job": holder.seq, "worker": worker}
    on = f" on worker {worker}" if worker else ""
    span = brief(now - holder.claimed_at)
    text = f"blocked by key {key}, held by job {holder.seq}{on} for {span}"
    return Reason(text, holder.claimed_at, blocking, f"hueyctl show {holder.seq}")
