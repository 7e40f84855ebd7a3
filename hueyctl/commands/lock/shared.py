"""Locks, as ``hueyctl lock`` shows, takes and frees them."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from hueyctl import errors, exits
from hueyctl.answers.watch import Timeout, looks
from hueyctl.units import brief, rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hueycore.model.limits import Lock
    from hueycore.storage.base import Storage
    from hueyctl.output.columns import Column

#: Seconds between two tries for a lock, at most.
PAUSE = 0.05
#: What a shell says of a command that is not there, or that it may not run.
NOT_FOUND, NOT_RUN = 127, 126


def as_object(lock: Lock, now: float) -> dict[str, Any]:
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


def columns(now: float) -> dict[str, Column]:
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


@contextmanager
def holding(
    storage: Storage, name: str, ttl: float | None, wait: bool, timeout: float | None
) -> Iterator[bytes]:
    """The lock, for as long as the body runs and this process lives."""
    token = uuid4().bytes
    owner = storage.register(name=f"{os.uname().nodename}:{os.getpid()}", kind="holder", slots=1)
    try:
        _take(storage, name, owner, token, ttl, wait, timeout)
        yield token
    finally:
        storage.unlock(name, token)
        storage.unregister(owner)


def _take(
    storage: Storage, name: str, owner: int, token: bytes, ttl: float | None, wait: bool,
    timeout: float | None,
) -> None:  # fmt: skip
    import time

    try:
        for _ in looks(storage, timeout, PAUSE):
            if storage.lock(name, owner, token, ttl=ttl, reserve=wait):
                return
            if not wait:
                who = held_by(storage, name, time.time())
                raise errors.CliError(
                    f"lock {name} is held by {who}", exits.REFUSED, "--wait waits for it"
                )
    except Timeout:
        storage.unlock(name, token)
        who = held_by(storage, name, time.time())
        raise errors.CliError(f"timed out; lock {name} is held by {who}", exits.TIMEOUT) from None


def run(words: Sequence[str]) -> int:
    """Run a command to its end; its exit code as a shell gives it. Signals to us are for it."""
    try:
        child = subprocess.Popen(words)
    except FileNotFoundError:
        raise errors.CliError(f"{words[0]}: there is no such command", NOT_FOUND) from None
    except OSError as error:
        raise errors.CliError(f"{words[0]}: {error.strerror}", NOT_RUN) from None

    def pass_on(number: int, _: Any) -> None:
        # The terminal has sent ^C to the command itself.
        if number != signal.SIGINT:
            child.send_signal(number)

    before = {
        number: signal.signal(number, pass_on)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        code = child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return code if code >= 0 else 128 - code
