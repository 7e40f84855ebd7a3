"""An engine whose rules are those of ``hueycore.storage.sql``, seen through SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import pytest

from hueycore.model.states import State
from hueycore.storage.sql.dialect import UNLIMITED, Connection, Database
from hueycore.storage.sql.joblog import KEPT_LINES
from hueycore.storage.sql.keyview import MOVES
from tests.storage.lab import Kind
from tests.storage.watch import Move

TABLES: dict[Kind, str] = {
    "handlers": "huey_handler",
    "inputs": "huey_input",
    "lines": "huey_log",
    "keys": "huey_key",
    "declarations": "huey_declared",
    "flags": "huey_flag",
}
#: What is written down of each move of a job, before and after.
_COUNTED = ("state", "claim", "attempt", "retries", "crashes", "cancel_requested")

#: For the triggers of ``watch``: the columns, and what each of them gets.
WATCHED = ", ".join(f"{side}_{name}" for name in _COUNTED for side in ("old", "new"))
MOVED = ", ".join(f"old.{name}, new.{name}" for name in _COUNTED)
BORN = ", ".join(f"null, new.{name}" for name in _COUNTED)
GONE = ", ".join(f"old.{name}, null" for name in _COUNTED)
MOVES_ONLY = " or ".join(f"old.{name} <> new.{name}" for name in _COUNTED)


class HasRows(Protocol):
    """A storage on a database."""

    @property
    def db(self) -> Database: ...


def sql(storage: HasRows, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """Read with a plain query."""
    return storage.db.read(lambda con: con.execute(query, values).fetchall())


def write(storage: HasRows, query: str, *values: Any) -> int:
    """Change rows behind the storage's back."""
    return storage.db.transact(lambda con: con.execute(query, values).rowcount)


class SqlLab:
    """What ``tests.storage.lab.Lab`` asks of every engine that has tables."""

    kept_lines = KEPT_LINES
    batch = MOVES
    transactional = True

    #: The table of what ``watch`` writes down.
    _watched = "watched"

    def __init__(self, storage: Any) -> None:
        self._storage = storage

    @property
    def closed(self) -> bool:
        return bool(self._storage.db._closed)

    def commits(self) -> int:
        return int(self._storage.db.commits)

    # --- looking -----------------------------------------------------------------------------

    def count(self, kind: Kind) -> int:
        return int(self._sql(f"select count(*) from {TABLES[kind]}")[0][0])

    def payloads(self) -> dict[int, bytes]:
        return dict(self._sql("select seq, payload from huey_payload"))

    def results(self) -> dict[int, bytes]:
        return dict(self._sql("select seq, result from huey_result"))

    def pending(self) -> int:
        queue = self._storage.queue
        return int(self._sql("select pending from huey_queue where queue = ?", queue)[0][0])

    def moves(self, after: int = 0) -> list[Move]:
        query = f"select n, seq, {WATCHED} from {self._watched} where n > ? order by n"
        rows = self._sql(query, after)
        return [
            Move(
                n, seq, State(old) if old else None, State(new) if new else None,
                *(counted[i : i + 2] for i in range(0, 10, 2)),
            )
            for n, seq, old, new, *counted in rows
        ]  # fmt: skip

    # --- breaking ----------------------------------------------------------------------------

    def set(self, *seqs: int, **columns: Any) -> None:
        changes = ", ".join(f'"{name}" = ?' for name in columns)

        def body(con: Connection) -> None:
            for seq in seqs:
                query = f"update huey_job set {changes} where seq = ?"
                assert con.execute(query, (*columns.values(), seq)).rowcount == 1, f"no job {seq}"

        self._storage.db.transact(body)

    def set_payload(self, seq: int, payload: bytes | None) -> None:
        self._write("delete from huey_payload where seq = ?", seq)
        if payload is not None:
            self._write("insert into huey_payload values (?, ?)", seq, payload)

    def spoil_figures(self) -> None:
        self._write("update huey_metric set run_hist = '{', wait_hist = '[]'")

    def spoil_handlers(self) -> None:
        self._write("update huey_handler set jobs = '{'")

    def renumber(self, seq: int, to: int) -> None:
        def body(con: Connection) -> None:
            for table in ("huey_job", "huey_payload", "huey_handler"):
                con.execute(f"update {table} set seq = ? where seq = ?", (to, seq))

        self._storage.db.transact(body)

    def age_events(self, seconds: float, *, first: int | None = None) -> None:
        self._write(
            """
            update huey_event set at = at - ?
            where event in (select event from huey_event order by event limit ?)
            """,
            seconds,
            UNLIMITED if first is None else first,
        )

    # --- accidents ---------------------------------------------------------------------------

    @contextmanager
    def after_a_look(self, action: Callable[[], object]) -> Iterator[None]:
        database = self._storage.db
        plain = database.read
        waiting = [action]

        def read(*args: Any, **how: Any) -> Any:
            value = plain(*args, **how)
            if waiting:
                waiting.pop()()
            return value

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(database, "read", read)
            yield

    def _sql(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        return sql(self._storage, query, *values)

    def _write(self, query: str, *values: Any) -> int:
        return write(self._storage, query, *values)
