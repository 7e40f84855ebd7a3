"""``consume --notify``: what systemd is told of a consumer, and that it is alive."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import MutableMapping
from typing import TYPE_CHECKING

from hueycore.system import native

if TYPE_CHECKING:
    from hueycore.consumer.health import Health
    from hueyctl.service.health import CombinedHealth

#: Seconds between two lines of status, at most.
STATUS_EVERY = 10.0


class Notifier:
    """Writes to ``$NOTIFY_SOCKET``, if there is one.

    READY=1 once the workers run, RELOADING=1 when a HUP restarts it, STOPPING=1 at the end. With a
    watchdog, WATCHDOG=1 at least twice in its time while the consumer is healthy: systemd replaces
    one that hangs.
    """

    def __init__(
        self, health: Health | CombinedHealth, environ: MutableMapping[str, str] | None = None
    ) -> None:
        environ = os.environ if environ is None else environ
        self._health = health
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self._watchdog = _watchdog(environ)
        self._over = native.Event()

    def start(self) -> None:
        if self._address is None:
            return
        self._health.on_phase = self._on_phase
        native.Thread(self._run, "huey-notify").start()

    def stop(self) -> None:
        self._over.set()

    def _on_phase(self, phase: str) -> None:
        lines = [f"STATUS={self._status()}"]
        if phase == "running":
            lines.append("READY=1")
        elif phase == "restarting":
            now = int(time.clock_gettime(time.CLOCK_MONOTONIC) * 1_000_000)
            lines += ["RELOADING=1", f"MONOTONIC_USEC={now}"]
        elif phase == "stopping":
            lines.append("STOPPING=1")
        self._send(lines)

    def _run(self) -> None:
        pause = STATUS_EVERY if self._watchdog is None else min(STATUS_EVERY, self._watchdog / 2)
        while not self._over.wait(pause):
            lines = [f"STATUS={self._status()}"]
            if self._watchdog is not None and not self._health.ill():
                lines.append("WATCHDOG=1")
            self._send(lines)

    def _status(self) -> str:
        reasons = self._health.unready()
        if reasons:
            return "; ".join(reasons).replace("\n", " ")
        figures = self._health.figures()
        return f"{figures.busy} of {figures.workers} workers busy"

    def _send(self, lines: list[str]) -> None:
        """Never waits, and a manager that does not listen is no reason to stop working."""
        assert self._address is not None
        try:
            with native.Socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
                out.setblocking(False)
                out.sendto("\n".join(lines).encode("utf-8", "replace"), self._address)
        except OSError:
            pass


def _address(text: str) -> str | None:
    """A path, or ``@name`` for an abstract socket, which begins with a zero byte."""
    if text.startswith("@"):
        return "\0" + text[1:]
    return text if text.startswith("/") else None


def _watchdog(environ: MutableMapping[str, str]) -> float | None:
    """Seconds of the watchdog, if it is meant for this process."""
    usec, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not usec.isdigit() or int(usec) == 0 or (pid and pid != str(os.getpid())):
        return None
    return int(usec) / 1_000_000
