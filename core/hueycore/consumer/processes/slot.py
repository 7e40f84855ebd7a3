"""The slot of one child process: which process has it, and when it is filled again."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Iterable
from typing import Any

from hueycore.consumer.processes.channel import Cell, Channel, Limit
from hueycore.consumer.processes.child import FAILED, GAVE_BACK, LEFT, Work, fork
from hueycore.consumer.processes.heartbeat import Heartbeat
from hueycore.system import clock

logger = logging.getLogger("hueycore.consumer")

#: A child that lived for so many seconds has not failed to start.
LASTING = 10.0
#: Seconds until a slot is filled again after early deaths in a row. The first costs no pause.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0


class Slot:
    """``make`` returns the work of a new child. In ``cell`` a worker writes until when its run may
    go on, in ``heartbeat`` when its loops are due."""

    def __init__(
        self, name: str, make: Callable[[], Work], heartbeat: Heartbeat, cell: Cell | None = None
    ) -> None:
        self.name = name
        self._make = make
        self.heartbeat = heartbeat
        self.cell = cell
        self.pid: int | None = None
        self.channel: Channel | None = None
        #: The limit that was reported as passed to the maintenance process.
        self.reported: Limit | None = None
        self._began = 0.0
        self._early = 0
        self.free_at = 0.0
        #: Whether any child of this slot has been ready, and whether the present one is.
        self.was_ready = self.is_ready = False
        self._killed_for: str | None = None
        self._died: str | None = None

    @property
    def alive(self) -> bool:
        return self.pid is not None

    def fill(self, foreign: Iterable[Channel]) -> None:
        self._empty_cell()
        self.heartbeat.clear()
        self.reported, self._killed_for, self.is_ready = None, None, False
        self._began = clock.monotonic()
        try:
            self.pid, self.channel = fork(self._make(), foreign)
        except OSError as error:
            self._put_off(f"cannot be started: {error.strerror}")

    def set_ready(self) -> None:
        self.was_ready = self.is_ready = True

    def missing(self, grace: float) -> str | None:
        """Why no child has worked here for longer than ``grace`` seconds; None if one does."""
        if self.is_ready:
            return None
        if not self.alive and self._early > 1:
            return f"{self.name} is missing: {self._died}"
        waited = clock.monotonic() - self._began
        return f"{self.name} has not begun for {waited:.0f} s" if waited > grace else None

    def send(self, *message: Any) -> None:
        if self.channel is not None:
            self.channel.send(*message)

    def receive(self) -> list[list[Any]]:
        """The messages that have come from the child."""
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
        """The exit code of the child, as ``Popen.returncode``, if it has ended by now.
        ``replaced``: another child will follow it."""
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
            elif code != FAILED:  # that child has logged why
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
            self.cell.feed = (0, 0)

    def _put_off(self, what: str) -> None:
        """Another child at once, unless they die one after the other."""
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
