"""The SQLite engine, seen through SQL: its lab, and what its own tests look with."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hueycore.model.jobs import Recovered
from hueycore.model.states import State
from hueycore.storage import sqlite
from hueycore.storage.sql.joblog import KEPT_LINES
from hueycore.storage.sql.keyview import MOVES
from hueycore.storage.sql.recovery import recover_worker
from hueycore.storage.sqlite import sidefile
from hueycore.storage.sqlite.sidefile import SideFile
from tests.storage.lab import Kind
from tests.storage.sqlite.invariants import violations
from tests.storage.watch import Move

#: Told by the clock or the machine, so that two runs of the same verbs differ in them.
VOLATILE = {"huey_worker": ("pid", "side", "host", "boot_id")}
TABLES: dict[Kind, str] = {
    "handlers": "huey_handler",
    "inputs": "huey_input",
    "lines": "huey_log",
    "keys": "huey_key",
    "declarations": "huey_declared",
    "flags": "huey_flag",
}
#: What ``SqliteLab.watch`` writes down of a job, before and after.
_COUNTED = ("state", "claim", "attempt", "retries", "crashes", "cancel_requested")


def open_file(folder: Path, queue: str = "huey", **options: Any) -> sqlite.SqliteStorage:
    return sqlite.SqliteStorage(folder / "queue.db", queue, **options)


def open_memory(folder: Path, queue: str = "huey", **options: Any) -> sqlite.SqliteStorage:
    return sqlite.SqliteStorage(":memory:", queue, **options)


# --- plain SQL ------------------------------------------------------------------------------------


def sql(storage: sqlite.SqliteStorage, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """Read with a plain query."""
    return storage.db.read(lambda con: con.execute(query, values).fetchall())


def write(storage: sqlite.SqliteStorage, query: str, *values: Any) -> int:
    """Change rows behind the storage's back."""
    return storage.db.transact(lambda con: con.execute(query, values).rowcount)


def tables(con: sqlite3.Connection) -> list[str]:
    rows = con.execute(
        "select name from sqlite_master where type = 'table' and name like 'huey_%' order by name"
    ).fetchall()
    return [name for (name,) in rows]


def contents(con: sqlite3.Connection) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that a queue file says, for comparing two of them."""
    found = {}
    for table in tables(con):
        columns = [
            row[1]
            for row in con.execute(f"pragma table_info({table})").fetchall()
            if row[1] not in VOLATILE.get(table, ())
        ]
        listed = ", ".join(f'"{column}"' for column in columns)
        found[table] = sorted(con.execute(f"select {listed} from {table}").fetchall(), key=repr)
    return found


# --- side files -----------------------------------------------------------------------------------


def give_back(before: set[tuple[int, int]]) -> list[SideFile]:
    """Close the side files that were opened since; the lock bytes in them go with that."""
    sides = [sidefile._files.pop(key) for key in set(sidefile._files) - before]
    for side in sides:
        for holder in side._held.values():
            if holder is not None:
                holder.close()
        side._held.clear()
        side._file = None
    return sides


@contextmanager
def give_back_sides() -> Iterator[None]:
    """No lock byte is held longer than this, and no side file stays open."""
    before = set(sidefile._files)
    try:
        yield
    finally:
        give_back(before)


# --- the lab --------------------------------------------------------------------------------------


class SqliteLab:
    """``tests.storage.lab.Lab`` of a queue in a file or in memory."""

    kept_lines = KEPT_LINES
    batch = MOVES

    def __init__(self, storage: sqlite.SqliteStorage) -> None:
        self._storage = storage

    @property
    def closed(self) -> bool:
        return self._storage.db._closed

    def commits(self) -> int:
        return self._storage.db.commits

    def snapshot(self) -> dict[str, list[tuple[Any, ...]]]:
        return self._storage.db.read(contents, snapshot=True)

    def violations(self) -> list[str]:
        return self._storage.db.read(violations, snapshot=True)

    def count(self, kind: Kind) -> int:
        return int(self._sql(f"select count(*) from {TABLES[kind]}")[0][0])

    def payloads(self) -> dict[int, bytes]:
        return dict(self._sql("select seq, payload from huey_payload"))

    def results(self) -> dict[int, bytes]:
        return dict(self._sql("select seq, result from huey_result"))

    def pending(self) -> int:
        queue = self._storage.queue
        return int(self._sql("select pending from huey_queue where queue = ?", queue)[0][0])

    def set(self, *seqs: int, **columns: Any) -> None:
        changes = ", ".join(f'"{name}" = ?' for name in columns)

        def body(con: sqlite3.Connection) -> None:
            for seq in seqs:
                query = f"update huey_job set {changes} where seq = ?"
                assert con.execute(query, (*columns.values(), seq)).rowcount == 1, f"no job {seq}"

        self._storage.db.transact(body)

    def set_payload(self, seq: int, payload: bytes | None) -> None:
        if payload is None:
            self._write("delete from huey_payload where seq = ?", seq)
        else:
            self._write("insert or replace into huey_payload values (?, ?)", seq, payload)

    def spoil_figures(self) -> None:
        self._write("update huey_metric set run_hist = '{', wait_hist = '[]'")

    def spoil_handlers(self) -> None:
        self._write("update huey_handler set jobs = '{'")

    def renumber(self, seq: int, to: int) -> None:
        def body(con: sqlite3.Connection) -> None:
            for table in ("huey_job", "huey_payload", "huey_handler"):
                con.execute(f"update {table} set seq = ? where seq = ?", (to, seq))

        self._storage.db.transact(body)

    def age_events(self, seconds: float, *, first: int | None = None) -> None:
        which = -1 if first is None else first
        self._write(
            """
            update huey_event set at = at - ?
            where event in (select event from huey_event order by event limit ?)
            """,
            seconds,
            which,
        )

    def kill(self, worker: int) -> None:
        """The kernel frees the lock byte of a dead process."""
        side = self._storage.side()
        assert side is not None, "in memory nobody dies alone"
        side.unlock(worker)

    def bury(self, worker: int) -> list[Recovered]:
        storage = self._storage
        if storage.shared:
            self.kill(worker)
            return storage.recover()
        (dead,) = (w for w in storage.db.read(storage._worker_rows) if w.id == worker)
        return storage.db.transact(lambda con: recover_worker(con, dead, storage.alive))

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

    # --- moves -------------------------------------------------------------------------------

    def watch(self) -> None:
        columns = ", ".join(f"{side}_{name}" for name in _COUNTED for side in ("old", "new"))
        both = ", ".join(f"old.{name}, new.{name}" for name in _COUNTED)
        birth = ", ".join(f"null, new.{name}" for name in _COUNTED)
        death = ", ".join(f"old.{name}, null" for name in _COUNTED)
        moved = " or ".join(f"old.{name} <> new.{name}" for name in _COUNTED)

        def body(con: sqlite3.Connection) -> None:
            con.execute(f"create table watched (n integer primary key, seq, {columns})")
            for name, event, values, seq, condition in (
                ("born", "insert", birth, "new.seq", ""),
                ("gone", "delete", death, "old.seq", ""),
                ("moved", "update", both, "new.seq", f"when {moved}"),
            ):
                con.execute(
                    f"""
                    create trigger watch_{name} after {event} on huey_job {condition} begin
                        insert into watched (seq, {columns}) values ({seq}, {values});
                    end
                    """
                )
            # What no verb may ever do stops the verb.
            con.execute(
                """
                create trigger watch_claim before update on huey_job when new.claim < old.claim
                begin
                    select raise(abort, 'the claim number shrinks');
                end
                """
            )

        self._storage.db.transact(body)

    def moves(self, after: int = 0) -> list[Move]:
        rows = self._sql("select * from watched where n > ? order by n", after)
        return [
            Move(
                n, seq, State(old) if old else None, State(new) if new else None,
                *(counted[i : i + 2] for i in range(0, 10, 2)),
            )
            for n, seq, old, new, *counted in rows
        ]  # fmt: skip

    def _sql(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        return sql(self._storage, query, *values)

    def _write(self, query: str, *values: Any) -> int:
        return write(self._storage, query, *values)
