"""Probes about several consumers: each child tells of its own, their parent answers for all."""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hueycore.consumer.health import RESTARTING, RUNNING, STARTING, STOPPING, Figures, Health
from hueycore.system import clock, native

#: Seconds that a consumer gets for an answer; it looks at nothing but the memory for most.
PATIENCE = 2.0
#: Seconds between two looks at the phase of all; an answer is good for so long.
LOOK = 0.2

#: What one says that does not answer yet: its application is being imported.
_BEGINNING = {"phase": STARTING, "ill": [], "unready": [STARTING], "figures": [0, 0, 0, 0, 0]}


class Line:
    """One between the parent and a child. Questions and answers are lines of JSON; both carry a
    number, so that an answer that came too late is nobody's."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._here, self._there = socket.socketpair()
        self._lock = native.Lock()
        self._number = 0
        self._rest = b""
        self._begun = False
        self._last: dict[str, Any] = _BEGINNING
        self._last_at = -LOOK

    # --- in the child ---------------------------------------------------------------------------

    def become_child(self, *, mine: bool) -> None:
        self._here.close()
        if not mine:
            self._there.close()

    def serve(self, health: Health, metrics: Callable[[], str]) -> None:
        """Answer in a thread, until the parent is gone."""

        def say(document: dict[str, Any]) -> None:
            self._there.sendall(json.dumps(document).encode() + b"\n")

        def answer_all() -> None:
            say({})
            for question in self._there.makefile("rb"):
                number, with_metrics = json.loads(question)
                say({
                    "number": number,
                    "phase": health.phase,
                    "ill": health.ill(),
                    "unready": health.unready(),
                    "figures": health.figures(),
                    "metrics": metrics() if with_metrics else "",
                })  # fmt: skip

        def until_parent_is_gone() -> None:
            try:
                answer_all()
            except OSError:
                pass

        native.Thread(until_parent_is_gone, "huey-line").start()

    # --- in the parent --------------------------------------------------------------------------

    def become_parent(self) -> None:
        self._there.close()

    def ask(self, *, metrics: bool = False) -> dict[str, Any]:
        """What the consumer says of itself. Whoever waited while somebody else asked hears what
        that one heard."""
        with self._lock:
            if metrics or clock.monotonic() - self._last_at > LOOK:
                self._last = self._ask(metrics)
                self._last_at = clock.monotonic()
            return self._last

    def _ask(self, metrics: bool) -> dict[str, Any]:
        if not self._begun:
            if not select.select([self._here], [], [], 0)[0]:
                return _BEGINNING
            self._begun = True
        try:
            self._number += 1
            self._here.sendall(json.dumps([self._number, metrics]).encode() + b"\n")
            return next(one for one in self._lines() if one.get("number") == self._number)
        except (OSError, StopIteration):
            silent = f"does not answer for {PATIENCE:.0f} s"
            return _BEGINNING | {"ill": [silent], "unready": [silent]}

    def _lines(self) -> Iterator[dict[str, Any]]:
        end = clock.monotonic() + PATIENCE
        while True:
            *lines, self._rest = self._rest.split(b"\n")
            yield from map(json.loads, lines)
            self._here.settimeout(max(end - clock.monotonic(), 0.001))
            data = self._here.recv(65536)
            if not data:
                return
            self._rest += data

    def close(self) -> None:
        self._here.close()


class Together:
    """The health of several consumers, for probes and for systemd: that of the worst."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self._lines = lines
        self.on_phase: Callable[[str], None] = lambda phase: None
        #: What the parent was told, once it was.
        self.ending: str | None = None
        self._told = STARTING
        self._over = native.Event()
        self._watch = native.Thread(self._follow, "huey-phase")

    def start(self) -> None:
        self._watch.start()

    def stop(self) -> None:
        """The last phase is told for sure."""
        self._over.set()
        self._watch.join(2 * PATIENCE)
        self._tell()

    def close(self) -> None:
        for line in self._lines:
            line.close()

    @property
    def name(self) -> str:
        return " ".join(line.name for line in self._lines)

    @property
    def phase(self) -> str:
        if self.ending is not None:
            return self.ending
        phases = {line.ask()["phase"] for line in self._lines}
        for phase in (STOPPING, RESTARTING, STARTING):
            if phase in phases:
                return phase
        return RUNNING

    def ill(self) -> list[str]:
        return [f"{line.name}: {reason}" for line in self._lines for reason in line.ask()["ill"]]

    def unready(self) -> list[str]:
        return [
            f"{line.name}: {reason}" for line in self._lines for reason in line.ask()["unready"]
        ]

    def figures(self) -> Figures:
        return Figures(*map(sum, zip(*(line.ask()["figures"] for line in self._lines))))  # noqa: B905

    def metrics(self) -> str:
        """Each sample with a label ``app``: several may have a queue of one name."""
        families: dict[str, list[str]] = {}
        for line in self._lines:
            family = ""
            for text in line.ask(metrics=True).get("metrics", "").splitlines():
                if text.startswith("# HELP "):
                    family = text
                    families.setdefault(family, [])
                elif text.startswith("# TYPE "):
                    if text not in families[family]:
                        families[family].append(text)
                else:
                    families[family].append(_labelled(text, line.name))
        return "".join("\n".join([helping, *lines]) + "\n" for helping, lines in families.items())

    def _follow(self) -> None:
        while not self._over.wait(LOOK):
            self._tell()

    def _tell(self) -> None:
        now = self.phase
        if now != self._told:
            self._told = now
            self.on_phase(now)


def _labelled(sample: str, app: str) -> str:
    from hueyctl.answers.prometheus import escaped

    label = f'app="{escaped(app)}"'
    name, brace, rest = sample.partition("{")
    if brace:
        return f"{name}{{{label},{rest}"
    name, _, value = sample.partition(" ")
    return f"{name}{{{label}}} {value}"
