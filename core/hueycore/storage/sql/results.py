"""Results, key/value data, counters."""

from __future__ import annotations

from collections.abc import Sequence

from hueycore.exceptions import UnknownJob
from hueycore.model.jobs import ResultRow
from hueycore.model.states import FINAL, State
from hueycore.storage.protocol import results as protocol
from hueycore.storage.sql.dialect import Connection
from hueycore.storage.sql.edges import NEEDED
from hueycore.storage.sql.part import Part
from hueycore.system import clock

_LIVE_VALUE = "(expires_at is null or expires_at > ?)"


class Results(Part, protocol.Results):
    def result(self, id: str, *, preserve: bool) -> ResultRow | None:
        row = self.db.read(lambda con: _result_row(con, self.queue, id))
        if row is None or preserve or row.taken is not False:
            return row
        return self.db.transact(lambda con: _take_result(con, self.queue, id), durable=False)

    def wait_for(self, id: str, timeout: float | None) -> bool:
        deadline = None if timeout is None else clock.monotonic() + timeout
        pause = 0.002
        while True:
            version = self.db.version()
            row = self.result(id, preserve=True)
            if row is None:
                raise UnknownJob(f"there is no job {id} in queue {self.queue}")
            if row.state in FINAL:
                return True
            while version == self.db.version():
                left = pause if deadline is None else min(pause, deadline - clock.monotonic())
                if left <= 0:
                    return False
                clock.sleep(left)
                pause = min(pause * 1.05, 0.02)

    def version(self) -> int:
        return self.db.version()

    def over(self, ids: Sequence[str]) -> list[str]:
        def body(con: Connection) -> list[str]:
            d = con.dialect
            rows = con.execute(
                f"""
                select value from {d.each("asked")} where not exists (
                    select 1 from huey_job
                    where queue = ? and id = asked.value and finished_at is null)
                """,
                (d.listed(ids), self.queue),
            ).fetchall()
            return [row[0] for row in rows]

        return self.db.read(body)

    def result_count(self) -> int:
        def body(con: Connection) -> int:
            return int(
                con.execute(
                    """
                    select (select count(*) from huey_result where queue = :queue)
                        + (select count(*) from huey_value where queue = :queue and kind = 'value')
                    """,
                    {"queue": self.queue},
                ).fetchone()[0]
            )

        return self.db.read(body)

    def put(self, name: str, value: bytes) -> None:
        self.db.transact(lambda con: put_value(con, self.queue, name, value))

    def put_if_empty(self, name: str, value: bytes, ttl: float | None = None) -> bool:
        now = self.db.now()

        def body(con: Connection) -> bool:
            con.execute(
                """
                delete from huey_value
                where queue = ? and kind = 'value' and name = ? and expires_at <= ?
                """,
                (self.queue, name, now),
            )
            changed = con.execute(
                """
                insert into huey_value (queue, kind, name, value, expires_at, created_at)
                values (?, 'value', ?, ?, ?, ?) on conflict do nothing
                """,
                (self.queue, name, value, None if ttl is None else now + ttl, now),
            ).rowcount
            return changed == 1

        return self.db.transact(body)

    def get(self, name: str, *, peek: bool) -> bytes | None:
        def look(con: Connection) -> bytes | None:
            row = con.execute(
                f"""
                select value from huey_value
                where queue = ? and kind = 'value' and name = ? and {_LIVE_VALUE}
                """,
                (self.queue, name, con.now()),
            ).fetchone()
            return None if row is None else bytes(row[0])

        def pop(con: Connection) -> bytes | None:
            value = look(con)
            con.execute(
                "delete from huey_value where queue = ? and kind = 'value' and name = ?",
                (self.queue, name),
            )
            return value

        value = self.db.read(look)
        if peek or value is None:
            return value
        return self.db.transact(pop)

    def values(self) -> dict[str, bytes]:
        def body(con: Connection) -> dict[str, bytes]:
            rows = con.execute(
                f"""
                select name, value from huey_value
                where queue = ? and kind = 'value' and {_LIVE_VALUE} order by name
                """,
                (self.queue, con.now()),
            ).fetchall()
            return {name: bytes(value) for name, value in rows}

        return self.db.read(body)

    def delete(self, name: str) -> bool:
        return self.db.transact(
            lambda con: (
                con.execute(
                    """
                    delete from huey_value
                    where queue = ? and kind in ('value', 'counter') and name = ?
                    """,
                    (self.queue, name),
                ).rowcount
                > 0
            )
        )

    def incr(self, name: str, amount: int = 1) -> int:
        def body(con: Connection) -> int:
            return int(
                con.execute(
                    """
                    insert into huey_value (queue, kind, name, number, created_at)
                    values (?, 'counter', ?, ?, ?)
                    on conflict (queue, kind, name) do update set
                        number = huey_value.number + excluded.number
                    returning number
                    """,
                    (self.queue, name, amount, con.now()),
                ).fetchall()[0][0]
            )

        return self.db.transact(body)


def put_value(con: Connection, queue: str, name: str, value: bytes) -> None:
    """Store a value, in the place of an older one."""
    con.execute(
        """
        insert into huey_value (queue, kind, name, value, created_at)
        values (?, 'value', ?, ?, ?)
        on conflict (queue, kind, name) do update set
            value = excluded.value, created_at = excluded.created_at, expires_at = null
        """,
        (queue, name, value, con.now()),
    )


def _result_row(con: Connection, queue: str, id_: str) -> ResultRow | None:
    row = con.execute(
        """
        select seq, state, reason, result, taken
        from huey_job job left join huey_result using (seq) where job.queue = ? and id = ?
        """,
        (queue, id_),
    ).fetchone()
    if row is None:
        return None
    seq, state, reason, result, taken = row
    # A result that was read is kept only for the job that waits for it.
    readable = None if taken != 0 else result
    return ResultRow(seq, State(state), reason, readable, None if taken is None else bool(taken))


def _take_result(con: Connection, queue: str, id_: str) -> ResultRow | None:
    row = _result_row(con, queue, id_)
    if row is None or row.taken is not False:
        return row
    con.execute("update huey_job set taken = 1 where seq = ?", (row.seq,))
    con.execute(
        f"""
        delete from huey_result where seq in (
            select seq from huey_job where seq = ? and not {NEEDED})
        """,
        (row.seq,),
    )
    return row
