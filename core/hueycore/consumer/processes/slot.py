"""A place for one child process of the supervisor: who has it, and when it is filled again."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Iterable
from typing import Any

from hueycore.consumer.processes.channel import Cell, Channel, Limit
from hueycore.consumer.processes.child import FAILED, GAVE_BACK, LEFT, Work, fork
from hueycore.consumer.processes.heartbeat import Pulse
from hueycore.system import clock

logger = logging.getLogger("hueycore.consumer")

#: A child that lived for so many seconds has not died of its start.
LASTING = 10.0
#: Seconds until a place is filled again after early deaths in a row; the first is for free.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0


class Place:
    """``make`` gives the work of a new child; ``cell`` is where a worker says how long its run may
    take, ``pulse`` where its loops say that they are alive."""

    def __init__(
        self, name: str, make: Callable[[], Work], pulse: Pulse, cell: Cell | None = None
    ) -> None:
        self.name = name
        self._make = make
        self.pulse = pulse
        self.cell = cell
        self.pid: int | None = None
        self.channel: Channel | None = None
        #: The limit that the steward was told of as passed.
        self.reported: Limit | None = None
        self._began = 0.0
        self._early = 0
        self.free_at = 0.0
        #: Whether a child of it has ever been ready, and whether this one is.
        self.was_ready = self.is_ready = False
        self._killed_for: str | None = None
        self._died: str | None = None

    @property
    def alive(self) -> bool:
        return self.pid is not None

    def fill(self, foreign: Iterable[Channel]) -> None:
        self._empty_cell()
        self.pulse.clear()
        self.reported, self._killed_for, self.is_ready = None, None, False
        self._began = clock.monotonic()
        try:
            self.pid, self.channel = fork(self._make(), foreign)
        except OSError as error:
            self._put_off(f"cannot be started: {error.strerror}")

    def ready(self) -> None:
        """The child says that it is."""
        self.was_ready = self.is_ready = True

    def missing(self, grace: float) -> str | None:
        """Why nobody works here for longer than ``grace`` seconds."""
        if self.is_ready:
            return None
        if not self.alive and self._early > 1:
            return f"{self.name} is missing: {self._died}"
        waited = clock.monotonic() - self._began
        return f"{self.name} has not begun for {waited:.0f} s" if waited > grace else None

    def send(self, *message: Any) -> None:
        if self.channel is not None:
            self.channel.send(*message)

    def hear(self) -> list[list[Any]]:
        """What the child has said."""
        if self.channel is None:
            return []
        messages = self.channel.receive()
        if messages is None:
            self.close()
            return []
        return messages

    def kill(self, why: str) -> None:
        if self.pid is not None and self._killed_for is None:
            logger.error("worker %s, process %d, is killed: %s", self.name, self.pid, why)
            self._killed_for = why
            os.kill(self.pid, signal.SIGKILL)

    def reap(self, *, replaced: bool) -> int | None:
        """Its exit code, as ``Popen.returncode``, if it has ended by now; ``replaced`` if another
        one will take its place."""
        if self.pid is None:
            return None
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid == 0:
            return None
        code = os.waitstatus_to_exitcode(status)
        self.close()
        if code not in (LEFT, GAVE_BACK) and self._killed_for is None:
            died = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"exited {code}"
            if replaced:
                self._put_off(f"process {pid} {died}")
            elif code != FAILED:  # which has said why
                logger.error("worker %s: process %d %s", self.name, pid, died)
        else:
            self._early = 0
        self.pid, self.is_ready = None, False
        self._empty_cell()
        return code

    def _empty_cell(self) -> None:
        if self.cell is not None:
            self.cell.clear()
            self.cell.end()

    def _put_off(self, what: str) -> None:
        """Another one at once, unless they die one after the other."""
        now = clock.monotonic()
        self._early = self._early + 1 if now - self._began < LASTING else 0
        pause = min(FIRST_PAUSE * 2 ** (self._early - 2), LONGEST_PAUSE) if self._early > 1 else 0.0
        self.free_at = now + pause
        self._died = what
        again = f"again in {pause:.0f} s" if pause else "another one takes its place"
        logger.error("worker %s: %s; %s", self.name, what, again)

    def close(self) -> None:
        if self.channel is not None:
            self.channel.close()
            self.channel = None
