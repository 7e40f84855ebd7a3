"""The SQLite engine, seen through SQL: its lab, and what its own tests look with."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from hueycore.model.jobs import Recovered
from hueycore.storage import sqlite
from hueycore.storage.sql.recovery import recover_worker
from hueycore.storage.sqlite import sidefile
from hueycore.storage.sqlite.sidefile import SideFile
from hueycore.system.native import Lock
from tests.storage.sql.lab import BORN, GONE, MOVED, MOVES_ONLY, WATCHED, SqlLab
from tests.storage.sqlite.invariants import violations

#: Told by the clock or the machine, so that two runs of the same verbs differ in them.
VOLATILE = {"huey_worker": ("pid", "side", "host", "boot_id")}


def open_file(folder: Path, queue: str = "huey", **options: Any) -> sqlite.SqliteStorage:
    return sqlite.SqliteStorage(folder / "queue.db", queue, **options)


def open_memory(folder: Path, queue: str = "huey", **options: Any) -> sqlite.SqliteStorage:
    return sqlite.SqliteStorage(":memory:", queue, **options)


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


@contextmanager
def write_lock(path: str) -> Iterator[None]:
    """Nobody can write to a file meanwhile."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=5)) as connection:
        connection.execute("begin immediate")
        yield
        connection.execute("rollback")


def connect(path: str, *, autocommit: bool = False, read_only: bool = False) -> sqlite3.Connection:
    """A connection of an application's own."""
    level = None if autocommit else "DEFERRED"
    if read_only:
        return sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=level, timeout=1)
    return sqlite3.connect(path, isolation_level=level, timeout=1)


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


class SqliteLab(SqlLab):
    """``tests.storage.lab.Lab`` of a queue in a file or in memory."""

    def connect(self, **how: bool) -> sqlite3.Connection:
        return connect(self._storage.db.path, **how)

    @property
    def reading(self) -> Lock:
        return self._storage.db._read_lock

    @property
    def writing(self) -> Lock:
        return self._storage.db._lock

    def snapshot(self) -> dict[str, list[tuple[Any, ...]]]:
        return self._storage.db.read(contents, snapshot=True)

    def raw(self) -> bytes:
        """Of the file and of its log."""
        path = Path(self._storage.db.path)
        files = [path, path.with_name(f"{path.name}-wal")]
        return b"".join(file.read_bytes() for file in files if file.exists())

    def lift_checks(self) -> None:
        self._write("pragma ignore_check_constraints = on")

    def violations(self) -> list[str]:
        return self._storage.db.read(violations, snapshot=True)

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

    def take_for_dead(self, worker: int) -> None:
        self.bury(worker)

    def watch(self) -> None:
        def body(con: sqlite3.Connection) -> None:
            con.execute(f"create table watched (n integer primary key, seq, {WATCHED})")
            for name, event, values, seq, condition in (
                ("born", "insert", BORN, "new.seq", ""),
                ("gone", "delete", GONE, "old.seq", ""),
                ("moved", "update", MOVED, "new.seq", f"when {MOVES_ONLY}"),
            ):
                con.execute(
                    f"""
                    create trigger watch_{name} after {event} on huey_job {condition} begin
                        insert into watched (seq, {WATCHED}) values ({seq}, {values});
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
