"""Between the parent of several consumers and one of them: questions about health, and answers."""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Callable, Iterator
from typing import Any

from hueycore.consumer.health import STARTING, Health
from hueycore.system import clock, native

#: Seconds that a consumer gets for an answer. It looks at nothing but the memory for most.
PATIENCE = 2.0
#: Seconds for which an answer is good.
FRESH = 0.2

#: The answer of a consumer that is still importing its application.
_BEGINNING = {"phase": STARTING, "ill": [], "unready": [STARTING], "figures": [0, 0, 0, 0, 0]}


class Channel:
    """A pair of sockets, made before the fork; one end is the parent's, the other the child's.

    Questions and answers are lines of JSON. Both carry a number, so that an answer that comes too
    late is dropped.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._parent, self._child = socket.socketpair()
        self._lock = native.Lock()
        self._number = 0
        self._rest = b""
        self._begun = False
        self._last: dict[str, Any] = _BEGINNING
        self._last_at = -FRESH

    def become_child(self, *, mine: bool) -> None:
        """Keep the child's end of one's own channel, nothing of those of the other children."""
        self._parent.close()
        if not mine:
            self._child.close()

    def serve(self, health: Health, metrics: Callable[[], str]) -> None:
        """In the child: answer in a thread, until the parent is gone."""

        def send(document: dict[str, Any]) -> None:
            self._child.sendall(json.dumps(document).encode() + b"\n")

        def answer_all() -> None:
            send({})
            for question in self._child.makefile("rb"):
                number, with_metrics = json.loads(question)
                answer = {
                    "number": number,
                    "phase": health.phase,
                    "ill": health.ill(),
                    "unready": health.unready(),
                    "figures": health.figures(),
                    "metrics": metrics() if with_metrics else "",
                }
                send(answer)

        def until_parent_is_gone() -> None:
            try:
                answer_all()
            except OSError:
                pass

        native.Thread(until_parent_is_gone, "huey-line").start()

    def become_parent(self) -> None:
        self._child.close()

    def ask(self, *, metrics: bool = False) -> dict[str, Any]:
        """In the parent: what the consumer says of itself. Threads that ask at the same time share
        one answer."""
        with self._lock:
            if metrics or clock.monotonic() - self._last_at > FRESH:
                self._last = self._ask(metrics)
                self._last_at = clock.monotonic()
            return self._last

    def _ask(self, metrics: bool) -> dict[str, Any]:
        if not self._begun:
            if not select.select([self._parent], [], [], 0)[0]:
                return _BEGINNING
            self._begun = True
        try:
            self._number += 1
            self._parent.sendall(json.dumps([self._number, metrics]).encode() + b"\n")
            return next(each for each in self._answers() if each.get("number") == self._number)
        except (OSError, StopIteration):
            silent = f"does not answer for {PATIENCE:.0f} s"
            return _BEGINNING | {"ill": [silent], "unready": [silent]}

    def _answers(self) -> Iterator[dict[str, Any]]:
        end = clock.monotonic() + PATIENCE
        while True:
            *lines, self._rest = self._rest.split(b"\n")
            yield from map(json.loads, lines)
            self._parent.settimeout(max(end - clock.monotonic(), 0.001))
            data = self._parent.recv(65536)
            if not data:
                return
            self._rest += data

    def close(self) -> None:
        self._parent.close()
