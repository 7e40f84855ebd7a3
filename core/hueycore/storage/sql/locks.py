"""Locks: a name that one process holds, for as long as it lives or until its lease ends.

A lock and a key of the same name exclude each other: while the lock is held no job of the key is
claimed, and while such a job runs the lock is not given.
"""

from __future__ import annotations

import sqlite3

from hueycore.model.limits import Lock
from hueycore.storage.sql.keys import settle
from hueycore.storage.sql.part import Room
from hueycore.storage.sql.workers import alive, worker_row
from hueycore.system import clock

_LIVE = "(expires_at is null or expires_at > ?)"


class Locks(Room):
    def lock(
        self,
        name: str,
        owner: int,
        token: bytes,
        *,
        ttl: float | None = None,
        reserve: bool = False,
    ) -> bool:
        """Take a lock for a registered process; False when somebody has it, or a job of the key
        runs. Its lease ends after ``ttl`` seconds. With ``reserve`` no other job of the key begins,
        so that asking again with the same token is given it when those that run have ended."""
        now = clock.now()

        def body(con: sqlite3.Connection) -> bool:
            row = self._holder(con, name, now)
            if row is not None and row[1] != token:
                return False
            busy = _runs(con, self.queue, name)
            if busy and not reserve:
                return False
            con.execute(
                """
                insert or replace into huey_value
                    (queue, kind, name, value, number, owner, expires_at, created_at)
                values (?, 'lock', ?, ?, ?, ?, ?, ?)
                """,
                (
                    self.queue, name, token, not busy, owner,
                    None if ttl is None or busy else now + ttl, now,
                ),
            )  # fmt: skip
            settle(con, self.queue, [name])
            return not busy

        return self.db.transact(body, durable=False)

    def unlock(self, name: str, token: bytes | None = None) -> bool:
        """Give a lock back: the one of this token, or whoever has it. Jobs that waited for it are
        pending. False when there was none, or its lease was over."""

        def body(con: sqlite3.Connection) -> bool:
            rows = con.execute(
                """
                delete from huey_value
                where queue = ? and kind = 'lock' and name = ? and (? is null or value = ?)
                returning expires_at
                """,
                (self.queue, name, token, token),
            ).fetchall()
            if rows:
                settle(con, self.queue, [name])
            return any(end is None or end > clock.now() for (end,) in rows)

        freed = self.db.transact(body, durable=False)
        if freed:
            self.ring()
        return freed

    def is_locked(self, name: str) -> bool:
        """Whether a lock is held, or a job of the key of this name runs."""
        return self.db.read(
            lambda con: (
                self._holder(con, name, clock.now()) is not None or _runs(con, self.queue, name)
            )
        )

    def locks(self) -> list[Lock]:
        """Every lock of the file by queue and name; those of the dead included, not those whose
        lease is over."""

        def body(con: sqlite3.Connection) -> list[Lock]:
            rows = con.execute(
                f"""
                select name, queue, owner, created_at, expires_at, number from huey_value
                where kind = 'lock' and {_LIVE} order by queue, name
                """,  # noqa: S608
                (clock.now(),),
            ).fetchall()
            return [self._lock(con, *row) for row in rows]

        return self.db.read(body)

    def _lock(
        self, con: sqlite3.Connection, name: str, queue: str, owner: int, since: float,
        expires_at: float | None, held: int,
    ) -> Lock:  # fmt: skip
        found = worker_row(con, owner)
        told = (found.name, found.host, found.pid) if found else (f"worker {owner}", "", 0)
        living = self._lives(con, owner)
        return Lock(name, queue, owner, *told, living, since, expires_at, not held)

    def _holder(self, con: sqlite3.Connection, name: str, now: float) -> tuple[int, bytes] | None:
        """Owner and token of a lock that is in force. A lease ends with the clock; a lock whose
        process is dead is free, before any janitor has come by."""
        row: tuple[int, bytes] | None = con.execute(
            f"""
            select owner, value from huey_value
            where queue = ? and kind = 'lock' and name = ? and {_LIVE}
            """,  # noqa: S608
            (self.queue, name, now),
        ).fetchone()
        return row if row is not None and self._lives(con, row[0]) else None

    def _lives(self, con: sqlite3.Connection, owner: int) -> bool:
        side, row = self.side(), worker_row(con, owner)
        if row is None:
            return False
        return owner in self._slots if side is None else alive(row, side)


def _runs(con: sqlite3.Connection, queue: str, key: str) -> bool:
    return bool(
        con.execute(
            """
            select 1 from huey_job
            where queue = ? and key_name = ? and finished_at is null and state = 'running' limit 1
            """,
            (queue, key),
        ).fetchall()
    )
