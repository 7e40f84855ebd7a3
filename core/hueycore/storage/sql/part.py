"""What the rooms of the SQLite engine share: one database, one queue name."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from hueycore.exceptions import StorageMoved
from hueycore.model.jobs import JobRef
from hueycore.storage.sqlite.connection import Database
from hueycore.storage.sqlite.sidefile import MappedSlots, SideFile, attach
from hueycore.system import clock


class Room:
    """Base of the rooms; :class:`hueycore.storage.sqlite.SqliteStorage` joins them."""

    db: Database
    queue: str
    serializer: str | None
    max_pending: int | None
    mode: int
    #: Whose verbs these are, when a person gives them: they go into the event log then.
    operator: str | None
    _side: SideFile | None
    _slots: dict[int, MappedSlots]
    #: When each worker of this process began.
    #: When each worker of this object registered: its number may be another's by now, and so may
    #: its process number, in another container.
    _since: dict[int, float]

    def side(self) -> SideFile | None:
        """The side file, made at the first need; None in memory, or for a reader where there is
        none."""
        if self._side is None and not self.db.memory:
            try:
                side = attach(self.db.path, None if self.db.read_only else self.mode)
            except FileNotFoundError:
                if self.db.read_only:
                    return None
                raise StorageMoved(f"{self.db.path}-huey was removed while it was opened") from None
            if self._side is None:
                self._side = side
            else:
                side.detach()  # another thread was quicker
        return self._side

    def ring(self) -> None:
        """Wake the consumers. After the commit only, and never an error."""
        raise NotImplementedError

    def sign(
        self,
        con: sqlite3.Connection,
        verb: str,
        jobs: Sequence[JobRef] | None = None,
        *,
        number: int | None = None,
        what: str | None = None,
        reason: str | None = None,
    ) -> None:
        """Note a verb of the operator in the transaction that carries it out, unless it changed
        nothing. ``what`` is a task, or what else it was about; ``number`` counts what are no jobs
        any more."""
        number = number if jobs is None else len(jobs)
        if self.operator is None or number == 0:
            return
        one = jobs[0] if jobs and number == 1 else None
        con.execute(
            """
            insert into huey_event (queue, at, signal, seq, id, task, worker, reason, jobs)
            values (?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            (
                self.queue, round(clock.now(), 3), verb, one and one.seq, one and one.id,
                one.task if one else what, self.operator, reason, number,
            ),
        )  # fmt: skip


#: Rows that one statement takes as ``values``.
GROUP = 64


def placeholders(rows: int, columns: int) -> str:
    """So many rows for ``values``."""
    row = f"({', '.join('?' * columns)})"
    return ", ".join([row] * rows)


def insert_rows(con: sqlite3.Connection, into: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert short rows; ``into`` is a statement up to its ``values``. Groups of them take two
    thirds of the time that they take one by one, and give the interpreter's lock away once."""
    groups, rest = grouped(rows)
    if groups:
        sql = f"{into} values {placeholders(GROUP, len(rows[0]))}"
        for group in groups:
            con.execute(sql, group)
    if rest:
        con.executemany(f"{into} values {placeholders(1, len(rest[0]))}", rest)


def grouped(rows: Sequence[tuple[Any, ...]]) -> tuple[list[list[Any]], Sequence[tuple[Any, ...]]]:
    """The parameters of whole groups of rows, and the rows that make no group."""
    whole = len(rows) - len(rows) % GROUP
    groups = [list(chain(*rows[i : i + GROUP])) for i in range(0, whole, GROUP)]
    return groups, rows[whole:]


def listed(values: Iterable[Any]) -> str:
    """A list as one parameter, for ``in (select value from json_each(?))``: the number of bound
    variables is limited, the length of a JSON text is not."""
    return json.dumps(list(values))
