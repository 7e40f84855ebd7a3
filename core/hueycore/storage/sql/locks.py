"""Locks: a name that one process holds, for as long as it lives or until its lease ends.

A lock and a key of the same name exclude each other: while the lock is held no job of the key is
claimed, and while such a job runs the lock is not given.
"""

from __future__ import annotations

from hueycore.model.limits import Lock
from hueycore.storage.protocol.limits import Limits
from hueycore.storage.sql.dialect import Connection
from hueycore.storage.sql.keys import settle
from hueycore.storage.sql.part import Part
from hueycore.storage.sql.workers import worker_row

_LIVE = "(expires_at is null or expires_at > ?)"


class Locks(Part, Limits):
    def lock(
        self,
        name: str,
        owner: int,
        token: bytes,
        *,
        ttl: float | None = None,
        reserve: bool = False,
    ) -> bool:
        now = self.db.now()

        def body(con: Connection) -> bool:
            row = self._holder(con, name, now)
            if row is not None and row[1] != token:
                return False
            busy = _runs(con, self.queue, name)
            if busy and not reserve:
                return False
            con.execute(
                """
                insert into huey_value
                    (queue, kind, name, value, number, owner, expires_at, created_at)
                values (?, 'lock', ?, ?, ?, ?, ?, ?)
                on conflict (queue, kind, name) do update set
                    value = excluded.value, number = excluded.number, owner = excluded.owner,
                    expires_at = excluded.expires_at, created_at = excluded.created_at
                """,
                (
                    self.queue,
                    name,
                    token,
                    int(not busy),
                    owner,
                    None if ttl is None or busy else now + ttl,
                    now,
                ),
            )
            con.dialect.outlive(con)
            settle(con, self.queue, [name])
            return not busy

        return self.db.transact(body, durable=False)

    def unlock(self, name: str, token: bytes | None = None) -> bool:
        def body(con: Connection) -> bool:
            rows = con.execute(
                """
                delete from huey_value
                where queue = ? and kind = 'lock' and name = ? and (? is null or value = ?)
                returning expires_at
                """,
                (self.queue, name, token, token),
            ).fetchall()
            if rows:
                con.dialect.outlive(con)
                settle(con, self.queue, [name])
            freed = any(end is None or end > con.now() for (end,) in rows)
            if freed and token is None:
                self.sign(con, "unlock", what=name)
            return freed

        freed = self.db.transact(body, durable=False)
        if freed:
            self.ring()
        return freed

    def is_locked(self, name: str) -> bool:
        return self.db.read(
            lambda con: (
                self._holder(con, name, con.now()) is not None or _runs(con, self.queue, name)
            )
        )

    def locks(self) -> list[Lock]:
        def body(con: Connection) -> list[Lock]:
            rows = con.execute(
                f"""
                select name, queue, owner, created_at, expires_at, number from huey_value
                where kind = 'lock' and {_LIVE} order by queue, name
                """,
                (con.now(),),
            ).fetchall()
            return [self._lock(con, *row) for row in rows]

        return self.db.read(body)

    def _lock(
        self,
        con: Connection,
        name: str,
        queue: str,
        owner: int,
        since: float,
        expires_at: float | None,
        held: int,
    ) -> Lock:
        found = worker_row(con, owner)
        process = (found.name, found.host, found.pid) if found else (f"worker {owner}", "", 0)
        living = found is not None and bool(self.alive.living(con, [found]))
        return Lock(name, queue, owner, *process, living, since, expires_at, not held)

    def _holder(self, con: Connection, name: str, now: float) -> tuple[int, bytes] | None:
        """Owner and token of a lock that is in force. A lease ends with the clock; a lock whose
        process is dead is free, before any janitor has come by."""
        row: tuple[int, bytes] | None = con.execute(
            f"""
            select owner, value from huey_value
            where queue = ? and kind = 'lock' and name = ? and {_LIVE}
            """,
            (self.queue, name, now),
        ).fetchone()
        return row if row is not None and self._lives(con, row[0]) else None

    def _lives(self, con: Connection, owner: int) -> bool:
        row = worker_row(con, owner)
        return row is not None and not self.alive.dead(con, row)


def _runs(con: Connection, queue: str, key: str) -> bool:
    return bool(
        con.execute(
            """
            select 1 from huey_job
            where queue = ? and key_name = ? and finished_at is null and state = 'running' limit 1
            """,
            (queue, key),
        ).fetchall()
    )
