"""The words of PostgreSQL, and the shared statements in its spelling."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import psycopg

from hueycore.model.jobs import Enqueued, NewJob
from hueycore.storage.postgres import births, schema
from hueycore.storage.sql.dialect import NO_SUCH_VALUE, Connection

if TYPE_CHECKING:
    from hueycore.storage.postgres import statements as postgres

#: Classes of errors that are about values: data, integrity, a program's limits.
_OF_VALUES = ("22", "23", "54")

_TOKEN = re.compile(
    r"""
    '(?:[^']|'')*' | "[^"]*" | --[^\n]* | %
    | (?P<place>\?) | (?<!:):(?P<name>[a-z_]\w*) | (?<![.\w])(?P<ours>huey_\w+\b\(?)
    """,
    re.VERBOSE,
)
#: The tables, and what else has a place in the schema and is named without parentheses.
_OURS = frozenset(
    f"huey_{name}"
    for name in (
        *("meta", "job", "payload", "result", "input", "handler", "worker", "periodic", "declared"),
        *("limit", "key", "value", "flag", "queue", "metric", "log", "event", "jobs", "seq"),
        *("worker_id", "completed", "todo"),
    )
)


_NEW_COLUMNS = re.compile(r'(?:job\.)?"ran_by"')


@lru_cache(maxsize=4096)
def translate(sql: str, place: str, old: bool = False) -> bytes:
    """A statement as psycopg takes it, with its tables and functions in the schema ``place``: what
    the connection is used for besides may have another search path. ``old``: for a reader of tables
    that nobody has migrated, without the columns that they do not have."""
    if old:
        sql = _NEW_COLUMNS.sub("cast(null as text)", sql)

    def spelled(match: re.Match[str]) -> str:
        text = match[0]
        if match["place"]:
            return "%s"
        if match["name"]:
            return f"%({match['name']})s"
        if text == "%":
            return "%%"
        if match["ours"]:
            return f"{place}.{text}" if text in _OURS or text.endswith("(") else text
        if text.startswith("--"):
            return ""
        if text[1:-1] in _OURS and text.startswith("'"):
            quoted = place.replace("'", "''")
            return f"'{quoted}.{text[1:]}"  # of nextval, to_regclass
        return text.replace("%", "%%")

    return _TOKEN.sub(spelled, sql).encode()


_GLOB = re.compile(r"\[(?P<not>\^?)(?P<some>\]?[^\]]*)\]|.", re.DOTALL)


def _expression(part: re.Match[str]) -> str:
    """A part of a glob as a regular expression."""
    if part["some"]:
        escaped = re.sub(r"([^\w-])", r"\\\1", part["some"])
        return f"[{part['not']}{escaped}]"
    usual = {"*": ".*", "?": ".", "[": "a^"}  # what is not closed matches nothing
    return usual.get(part[0]) or re.sub(r"(\W)", r"\\\1", part[0])


class PostgresDialect:
    """PostgreSQL's side of :class:`hueycore.storage.sql.dialect.Dialect`."""

    same = "is not distinct from"
    differs = "is distinct from"
    greatest = "greatest"
    rows_only = ""
    adds_histograms = True
    put_off_at = "union all select 0 from huey_todo where queue = :queue"
    sees_starts = False
    is_far = True
    crashes = "greatest(job.crashes, job.suspect)"

    def added(self, stored: str, more: str) -> str:
        return f"huey_added({stored}, {more})"

    def unindexed(self, column: str) -> str:
        return column  # its planner knows how many rows have a value

    def integer(self, value: str) -> str:
        return f"cast({value} as integer)"

    def listed(self, values: Iterable[Any]) -> list[Any]:
        return list(values)

    def among(self, column: str, values: str = "?") -> str:
        return f"{column} = any({values})"

    def each(self, name: str, kind: str = "text") -> str:
        return f"unnest(cast(? as {kind}[])) as {name}(value)"

    def glob(self, column: str) -> str:
        return f"{column} ~ ?"

    def pattern(self, glob: str) -> str:
        return f"^{_GLOB.sub(_expression, glob)}$"

    def contains(self, column: str) -> str:
        return f"strpos(cast({column} as text), ?) > 0"

    def of_last(self, column: str, key: str) -> str:
        return f"huey_last({column}, '{key}')"

    def put_off(self, con: Connection, queue: str, keys: Iterable[str]) -> None:
        con.executemany(
            "insert into huey_todo (queue, key) values (?, ?)", [(queue, key) for key in keys]
        )

    def take_up(self, con: Connection, queue: str) -> list[str]:
        rows = con.execute(
            "delete from huey_todo where queue = ? returning key", (queue,)
        ).fetchall()
        return [row[0] for row in rows]

    def is_put_off(self, queue: str, key: str) -> str:
        return (
            f"exists (select 1 from huey_todo todo where todo.queue = {queue} and todo.key = {key})"
        )

    def completed(self, con: Connection, column: str, value: int) -> list[int]:
        rows = con.execute(
            f"delete from huey_completed where {column} = ? returning seq", (value,)
        ).fetchall()
        return sorted(row[0] for row in rows)

    def others(self, con: Connection, worker: int, seqs: Iterable[int]) -> set[int]:
        rows = con.execute(
            "select seq from huey_job where seq = any(?) and state = 'running' and worker <> ?",
            (list(seqs), worker),
        ).fetchall()
        return {row[0] for row in rows}

    def insert_jobs(
        self, con: Connection, queue: str, jobs: Sequence[NewJob], now: float
    ) -> list[Enqueued] | None:
        return births.insert(cast("postgres.Connection", con), queue, jobs, now)

    def numbers(self, con: Connection, count: int) -> Sequence[int]:
        rows = con.execute(
            "select nextval('huey_seq') from generate_series(1, ?)", (count,)
        ).fetchall()
        return [row[0] for row in rows]

    def keep_numbers(self, con: Connection, seqs: list[int]) -> None:
        """A sequence never goes back."""

    def refuses(self, error: Exception) -> bool:
        if isinstance(error, psycopg.Error):
            if error.sqlstate is None:  # psycopg's own: there is no such text, or no such type
                return isinstance(error, psycopg.DataError | psycopg.ProgrammingError)
            return error.sqlstate[:2] in _OF_VALUES
        return isinstance(error, NO_SUCH_VALUE)

    def outlive(self, con: Connection) -> None:
        con.ask("set local synchronous_commit to default")

    def record_events(self, con: Connection, on: bool) -> None:
        schema.set_event_triggers(con, on)

    def count_pending(self, con: Connection) -> None:
        schema.run(con, "pending.sql")


DIALECT = PostgresDialect()
