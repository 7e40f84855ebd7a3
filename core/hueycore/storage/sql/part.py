"""What the parts of a storage share: one database, one queue name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, TypeVar

from hueycore.model.jobs import JobRef
from hueycore.storage.sql.dialect import Alive, Connection, Database

T = TypeVar("T")


class Part:
    """Base of the parts, which an engine joins: no verb of a part calls another part's."""

    db: Database
    alive: Alive
    queue: str
    serializer: str | None
    max_pending: int | None
    #: Whose verbs these are, when a person gives them: they go into the event log then.
    operator: str | None
    #: When each worker of this object registered: its number may be another's by now, and so may
    #: its process number, in another container.
    _since: dict[int, float]

    def ring(self) -> None:
        """Wake the consumers. After the commit only, and never an error."""
        raise NotImplementedError

    def sign(
        self,
        con: Connection,
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
                self.queue,
                round(con.now(), 3),
                verb,
                one and one.seq,
                one and one.id,
                one.task if one else what,
                self.operator,
                reason,
                number,
            ),
        )


def in_groups(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Cut a sequence into pieces of at most ``size``."""
    return (items[start : start + size] for start in range(0, len(items), size))


#: Rows that one statement takes as ``values``.
GROUP = 64


def placeholders(rows: int, columns: int) -> str:
    """So many rows for ``values``."""
    row = f"({', '.join('?' * columns)})"
    return ", ".join([row] * rows)


def insert_rows(
    con: Connection, into: str, rows: Sequence[tuple[Any, ...]], on_conflict: str = ""
) -> None:
    """Insert short rows; ``into`` is a statement up to its ``values``. Groups of them take two
    thirds of the time that they take one by one, and give the interpreter's lock away once."""
    groups, rest = grouped(rows)
    if groups:
        sql = f"{into} values {placeholders(GROUP, len(rows[0]))} {on_conflict}"
        for group in groups:
            con.execute(sql, group)
    if rest:
        con.executemany(f"{into} values {placeholders(1, len(rest[0]))} {on_conflict}", rest)


def grouped(rows: Sequence[tuple[Any, ...]]) -> tuple[list[list[Any]], Sequence[tuple[Any, ...]]]:
    """The parameters of whole groups of rows, and the rows that make no group."""
    whole = len(rows) - len(rows) % GROUP
    groups = [list(chain(*rows[i : i + GROUP])) for i in range(0, whole, GROUP)]
    return groups, rows[whole:]
