"""Holding a lock while a command runs."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from hueyctl import errors, exits
from hueyctl.answers.watch import Timeout, looks
from hueyctl.commands.lock.shared import held_by

if TYPE_CHECKING:
    from hueycore.storage.base import Storage

#: Seconds between two tries for a lock, at most.
PAUSE = 0.05
#: What a shell says of a command that is not there, or that it may not run.
NOT_FOUND, NOT_RUN = 127, 126


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
    storage: Storage,
    name: str,
    owner: int,
    token: bytes,
    ttl: float | None,
    wait: bool,
    timeout: float | None,
) -> None:
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
    child: subprocess.Popen[bytes] | None = None
    early: list[int] = []

    def pass_on(number: int, _: Any) -> None:
        if child is None:
            early.append(number)
        elif number != signal.SIGINT:  # the terminal has sent ^C to the command itself
            child.send_signal(number)

    before = {
        number: signal.signal(number, pass_on)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        child = subprocess.Popen(words)
        for number in early:
            child.send_signal(number)
        code = child.wait()
    except FileNotFoundError:
        raise errors.CliError(f"{words[0]}: there is no such command", NOT_FOUND) from None
    except OSError as error:
        raise errors.CliError(f"{words[0]}: {error.strerror}", NOT_RUN) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return code if code >= 0 else 128 - code
