"""What time does to jobs: due ones become pending, late ones expire."""

from __future__ import annotations

import sqlite3

from hueycore.model.jobs import JobRef
from hueycore.model.states import State
from hueycore.storage.sql.endings import end_waiting
from hueycore.storage.sql.keys import settle
from hueycore.storage.sql.part import Room, listed
from hueycore.system import clock


class Scheduling(Room):
    def promote(self, limit: int = 500) -> list[JobRef]:
        """Due scheduled jobs become pending, or blocked when their key has no room. They keep
        ``run_at``, their place in the order. Keys whose time has come let their next job go."""
        due = self.next_run_at()
        if due is None or due > clock.now():
            return []

        def body(con: sqlite3.Connection) -> tuple[list[JobRef], list[int]]:
            now = clock.now()
            rows = con.execute(
                """
                select seq, id, task, key_name from huey_job
                where queue = ? and state = 'scheduled' and run_at <= ? order by run_at, seq limit ?
                """,
                (self.queue, now, limit),
            ).fetchall()
            con.execute(
                """
                update huey_job
                set state = case when key_name is null then 'pending' else 'blocked' end
                where seq in (select value from json_each(?))
                """,
                (listed(row[0] for row in rows),),
            )
            keys = con.execute(
                "select name from huey_key where queue = ? and due <= ? and due is not null",
                (self.queue, now),
            ).fetchall()
            freed = settle(con, self.queue, {row[3] for row in rows} | {key for (key,) in keys})
            return [JobRef(*row[:3]) for row in rows], freed

        promoted, freed = self.db.transact(body, durable=False)
        if promoted or freed:
            self.ring()
        return promoted

    def next_run_at(self) -> float | None:
        raise NotImplementedError

    def expire(self, limit: int = 500) -> list[tuple[JobRef, State]]:
        """Waiting jobs past ``expires_at`` become expired; with the state they were in."""
        query = """
            select seq, id, task, state from huey_job
            where queue = ? and expires_at <= ? and expires_at is not null
                and state in ('scheduled', 'pending', 'blocked') limit ?
        """

        def body(con: sqlite3.Connection) -> list[tuple[JobRef, State]]:
            now = clock.now()
            rows = con.execute(query, (self.queue, now, limit)).fetchall()
            end_waiting(con, [row[0] for row in rows], State.EXPIRED, None, now)
            return [(JobRef(*row[:3]), State(row[3])) for row in rows]

        if not self.db.read(
            lambda con: con.execute(query, (self.queue, clock.now(), 1)).fetchall()
        ):
            return []
        return self.db.transact(body, durable=False)
