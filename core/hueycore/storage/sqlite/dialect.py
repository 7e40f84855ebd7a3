"""The words of SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from hueycore.model.jobs import Enqueued, NewJob
from hueycore.storage.sql.dialect import NO_SUCH_VALUE, Connection
from hueycore.storage.sqlite import births, numbers, schema
from hueycore.storage.sqlite.errors import error_code
from hueycore.system import clock

#: The module's own (what cannot be bound), ERROR (no JSON), TOOBIG, CONSTRAINT, MISMATCH, RANGE.
_OF_VALUES = (0, 1, 18, 19, 20, 25)


class SqliteDialect:
    """SQLite's side of :class:`hueycore.storage.sql.dialect.Dialect`."""

    same = "is"
    differs = "is not"
    greatest = "max"
    rows_only = "not indexed"
    adds_histograms = False
    put_off_at = ""
    sees_starts = True
    is_far = False
    crashes = "job.crashes"

    def added(self, stored: str, more: str) -> str:
        return more

    def unindexed(self, column: str) -> str:
        return f"+{column}"

    def listed(self, values: Iterable[Any]) -> str:
        # One text: the number of bound variables is limited, the length of JSON is not.
        return json.dumps(list(values))

    def among(self, column: str, values: str = "?") -> str:
        return f"{column} in (select value from json_each({values}))"

    def integer(self, value: str) -> str:
        return value

    def each(self, name: str, kind: str = "text") -> str:
        return f"json_each(?) {name}"

    def glob(self, column: str) -> str:
        return f"{column} glob ?"

    def pattern(self, glob: str) -> str:
        return glob

    def contains(self, column: str) -> str:
        return f"instr({column}, ?) > 0"

    def of_last(self, column: str, key: str) -> str:
        # One row that somebody else wrote to must not be an error of the whole query.
        return f"case when json_valid({column}) then json_extract({column}, '$[#-1].{key}') end"

    def put_off(self, con: Connection, queue: str, keys: Iterable[str]) -> None:
        raise AssertionError("whoever writes is alone")

    def take_up(self, con: Connection, queue: str) -> list[str]:
        return []

    def is_put_off(self, queue: str, key: str) -> str:
        return "false"

    def completed(self, con: Connection, column: str, value: int) -> list[int]:
        return []  # all of it was committed with the run

    def others(self, con: Connection, worker: int, seqs: Iterable[int]) -> set[int]:
        return set()  # a claim is undone by nothing that its worker outlives

    def insert_jobs(
        self, con: Connection, queue: str, jobs: Sequence[NewJob], now: float
    ) -> list[Enqueued] | None:
        return births.insert(con, queue, jobs, now)

    def numbers(self, con: Connection, count: int) -> range:
        first = numbers.next_number(con)
        return range(first, first + count)

    def keep_numbers(self, con: Connection, seqs: str) -> None:
        numbers.keep_number(con, seqs)

    def refuses(self, error: Exception) -> bool:
        if isinstance(error, sqlite3.Error):
            return error_code(error) in _OF_VALUES
        return isinstance(error, NO_SUCH_VALUE)

    def outlive(self, con: Connection) -> None:
        """A power cut ends the workers as well."""

    def record_events(self, con: Connection, on: bool) -> None:
        schema.set_triggers(con, "events.sql", on)

    def count_pending(self, con: Connection) -> None:
        schema.set_triggers(con, "pending.sql")


DIALECT = SqliteDialect()


class Speaker:
    """What a connection of sqlite3 lacks to be one of :mod:`hueycore.storage.sql.dialect`."""

    dialect = DIALECT
    alone = True
    execute: Callable[..., sqlite3.Cursor]

    def be_alone(self) -> None:
        pass  # whoever writes is

    def now(self) -> float:
        return clock.now()

    def ask(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        return self.execute(sql, parameters)

    def pages(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        return self.execute(sql, parameters)

    def many_pages(self, sql: str, parameters: Iterable[Any]) -> Iterator[sqlite3.Cursor]:
        return (self.execute(sql, values) for values in parameters)
