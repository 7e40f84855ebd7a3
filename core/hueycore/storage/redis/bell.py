"""Sleeping until somebody enqueues: what scripts publish is heard on a connection of its own, and a
pipe wakes the sleeper from within the process. A message may be lost: whoever sleeps looks by
himself as well."""

from __future__ import annotations

import os
from selectors import EVENT_READ

from hueycore.exceptions import ConfigurationError, StorageError
from hueycore.storage.redis import forks
from hueycore.storage.redis.client import Client
from hueycore.storage.redis.connections import Connection
from hueycore.storage.redis.link import Link
from hueycore.storage.redis.wire import say
from hueycore.system import clock, native

#: Seconds after which the sleeper looks though no bell rang.
LOOK = 0.5
#: Seconds between two tries to connect.
PAUSE = 1.0


class Bell:
    """One listener; ``channel`` is what the scripts of the queue publish on."""

    def __init__(self, client: Client, channel: str) -> None:
        self._link = Link(client, channel)
        self._channel = channel
        self._lock = native.Lock()
        self._pipe: tuple[int, int] | None = None
        #: How often it rang, or may have while nobody listened.
        self.rings = 0
        self._retry_at = 0.0
        forks.heirs.add(self)

    def wait(self, timeout: float) -> bool:
        """Sleep for at most ``timeout`` seconds; True as soon as there may be news. True at the
        first time, because none could be heard before."""
        with self._lock:
            receive, _ = self._open_pipe()
            if self._connect():
                self.rings += 1
                return True
            with native.DefaultSelector() as selector:
                selector.register(receive, EVENT_READ)
                if (descriptor := self._descriptor()) is not None:
                    selector.register(descriptor, EVENT_READ)
                ready = {key.fd for key, _ in selector.select(min(timeout, LOOK))}
            if receive in ready:
                _drain(receive)
            if ready - {receive}:
                self.rings += 1
                self._read()
            return bool(ready) or timeout > LOOK

    def nudge(self) -> None:
        if self._pipe is None:
            return
        try:
            os.write(self._pipe[1], b"!")
        except OSError:
            pass  # the pipe is full: the sleeper is about to wake anyway

    def close(self) -> None:
        """Nobody waits any more."""
        self.nudge()
        with self._lock:
            self._link.drop()
            pipe, self._pipe = self._pipe, None
            for descriptor in pipe or ():
                os.close(descriptor)

    def after_fork_in_child(self) -> None:
        """The connection is the parent's; so is the pipe, and the thread that holds the lock."""
        self._lock = native.Lock()
        for descriptor in self._pipe or ():
            os.close(descriptor)
        self._pipe = None
        self._link.drop()

    # --- inside -----------------------------------------------------------------------------------

    def _open_pipe(self) -> tuple[int, int]:
        if self._pipe is None:
            self._pipe = os.pipe()
            for descriptor in self._pipe:
                os.set_blocking(descriptor, False)
        return self._pipe

    def _connect(self) -> bool:
        """Whether it listens since this moment."""
        if self._link.is_open or clock.monotonic() < self._retry_at:
            return False
        try:
            self._link.use(self._subscribe)
        except (StorageError, ConfigurationError):
            # Whoever asks the queue itself is told why.
            self._retry_at = clock.monotonic() + PAUSE
            return False
        return True

    def _subscribe(self, connection: Connection) -> None:
        say(connection, ("SUBSCRIBE", self._channel))

    def _descriptor(self) -> int | None:
        if not self._link.is_open:
            return None
        found: int = self._link.open()._sock.fileno()
        return found

    def _read(self) -> None:
        """What was said; only that something was."""
        try:
            self._link.use(_read_all)
        except StorageError:
            pass  # it connects again


def _read_all(connection: Connection) -> None:
    connection.read_response()
    while connection.can_read(0):
        connection.read_response()


def _drain(descriptor: int) -> None:
    try:
        while os.read(descriptor, 65536):
            pass
    except BlockingIOError:
        pass
