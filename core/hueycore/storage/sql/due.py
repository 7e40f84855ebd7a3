"""What time does to jobs: due ones become pending, late ones expire."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from hueycore.model.glance import Glance
from hueycore.model.jobs import JobRef
from hueycore.model.states import State
from hueycore.storage.protocol import workers as protocol
from hueycore.storage.sql.dialect import Connection
from hueycore.storage.sql.endings import end_waiting
from hueycore.storage.sql.keys import settle
from hueycore.storage.sql.part import Part
from hueycore.storage.sql.rest import READY, expiry

#: Jobs that wait and are past their expiry at ``:now``.
LATE = """queue = :queue and expires_at <= :now and expires_at is not null
    and state in ('scheduled', 'pending', 'blocked')
    and not (state = 'scheduled' and expires_in is not null)"""


class Due(Part, protocol.Workers):
    def glance(self, declared: Collection[str] | None = None) -> Glance:
        return Glance()

    def promote(self, limit: int = 500) -> list[JobRef]:
        due = self.next_run_at()
        if due is None or due > self.db.now():
            return []

        def body(con: Connection) -> tuple[list[JobRef], list[int]]:
            d = con.dialect
            now = con.now()
            jobs = con.ask(
                """
                select seq, id, task, key_name from huey_job
                where queue = ? and state = 'scheduled' and run_at <= ? order by run_at, seq limit ?
                """,
                (self.queue, now, limit),
            )
            keys = con.ask(
                "select name from huey_key where queue = ? and due <= ? and due is not null",
                (self.queue, now),
            )
            put_off = d.take_up(con, self.queue)
            names = {key for (key,) in keys.fetchall()}.union(put_off)
            rows = jobs.fetchall()
            names.update(row[3] for row in rows)
            if rows:
                con.ask(
                    f"""
                    update huey_job set state = {READY}, expires_at = {expiry(":now")}
                    where {d.among("seq", ":seqs")}
                    """,
                    {"now": now, "seqs": d.listed(row[0] for row in rows)},
                )
            freed = settle(con, self.queue, names)
            return [JobRef(*row[:3]) for row in rows], freed

        promoted, freed = self.db.transact(body, durable=False)
        if promoted or freed:
            self.ring()
        return promoted

    def expire(self, limit: int = 500) -> list[tuple[JobRef, State]]:
        def find(con: Connection, now: float, limit: int) -> list[Any]:
            query = f"select seq, id, task, state from huey_job where {LATE} limit :limit"
            values = {"queue": self.queue, "now": now, "limit": limit}
            return con.execute(query, values).fetchall()

        def body(con: Connection) -> list[tuple[JobRef, State]]:
            now = con.now()
            rows = find(con, now, limit)
            end_waiting(con, [row[0] for row in rows], State.EXPIRED, None, now)
            return [(JobRef(*row[:3]), State(row[3])) for row in rows]

        if not self.db.read(lambda con: find(con, con.now(), 1)):
            return []
        return self.db.transact(body, durable=False)
