"""What goes over the wire, as libpq writes it down."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.pq import Trace as Flags


class Trace:
    """``rounds``: how often the client had answers before it went on; ``completed``: what the
    server said of each statement; ``synced``: the same, in parts that ended a transaction which no
    BEGIN began."""

    def __init__(self) -> None:
        self.rounds = 0
        self.completed: list[str] = []
        self.synced: list[list[str]] = []
        self._until = 0

    def read(self, text: str) -> None:
        asking = False
        for line in text.splitlines():
            side, *rest = line.split("\t")
            if side == "B":
                self.rounds += asking
                if rest[1] == "CommandComplete":
                    self.completed.append(rest[2].strip(' "'))
                elif rest[1] == "ReadyForQuery":
                    self.synced.append(self.completed[self._until :])
                    self._until = len(self.completed)
            # The text of a statement may have lines of its own.
            asking = side == "F" or (asking and side != "B")


@contextmanager
def traced(connection: psycopg.Connection[Any] | None, folder: Path) -> Iterator[Trace]:
    """What is said meanwhile on a connection of the engine's, which has been used before."""
    found = Trace()
    assert connection is not None
    wire = connection.pgconn
    with open(folder / f"trace-{wire.socket}", "w+") as file:
        wire.trace(file.fileno())
        wire.set_trace_flags(Flags.SUPPRESS_TIMESTAMPS)
        yield found
        wire.untrace()
        file.seek(0)
        found.read(file.read())
