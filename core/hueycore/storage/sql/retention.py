"""Keeping house: what is old leaves by written rules, in small batches, counted."""

from __future__ import annotations

import os
import sqlite3

from hueycore.exceptions import StorageMoved
from hueycore.model.retention import Keeping
from hueycore.storage.sql.edges import NEEDED
from hueycore.storage.sql.keys import settle
from hueycore.storage.sql.metrics import fold
from hueycore.storage.sql.operators import purge_rows
from hueycore.storage.sql.part import Room, listed
from hueycore.storage.sqlite import schema
from hueycore.storage.sqlite.connection import WAL_LIMIT
from hueycore.system import clock

_BY_AGE = f"""
    select seq, queue from huey_job where queue = :queue and state = :state
        and finished_at is not null and finished_at < :before and not {NEEDED} limit :batch
"""  # noqa: S608

#: Finished rows whose result nobody will ask for any more: taken, or there was none.
_BY_COUNT = f"""
    select seq, queue from huey_job where queue = :queue and state = 'done'
        and finished_at is not null and taken is not 0 and not {NEEDED}
    order by finished_at limit :batch
"""  # noqa: S608

_BY_TTL = f"""
    select seq, queue from huey_job where queue = :queue and taken = 0 and state <> 'dead'
        and result_ttl is not null and finished_at + result_ttl < :now and not {NEEDED}
    limit :batch
"""  # noqa: S608


def _values(kind: str) -> str:
    return f"""
        select rowid from huey_value where queue = :queue and kind = '{kind}'
            and (:before is null or created_at <= :before) limit :limit
    """  # noqa: S608


#: What ``holding`` counts and ``clear`` deletes, as row numbers.
_KINDS = {
    "results": f"""
        select huey_result.seq from huey_result join huey_job using (seq)
        where huey_result.queue = :queue and not {NEEDED}
            and (:before is null or finished_at <= :before) limit :limit
    """,  # noqa: S608
    "events": """
        select event from huey_event
        where queue = :queue and (:before is null or at <= :before) order by event limit :limit
    """,
    "values": _values("value"),
    "counters": _values("counter"),
    "locks": _values("lock"),
}


class Housekeeping(Room):
    def keep(self, rules: Keeping) -> dict[str, int]:
        """Purge by rule, a small batch per call: {rule: rows}. All zero when there is no more.

        Dead letters leave by age only, never by number."""
        now = clock.now()
        values = {"queue": self.queue, "now": now, "batch": rules.batch}

        def body(con: sqlite3.Connection) -> dict[str, int]:
            found = {}
            for state in ("done", "revoked", "expired"):
                found[f"{state}-age"] = _purge(
                    con, _BY_AGE, {**values, "state": state, "before": now - rules.done_age}
                )
            found["dead-age"] = _purge(
                con, _BY_AGE, {**values, "state": "dead", "before": now - rules.dead_age}
            )
            found["result-ttl"] = _purge(con, _BY_TTL, values)
            done = con.execute(
                """
                select count(*) from huey_job
                where queue = ? and state = 'done' and finished_at is not null
                """,
                (self.queue,),
            ).fetchone()[0]
            over = min(rules.batch, done - rules.done_count)
            found["done-count"] = (
                _purge(con, _BY_COUNT, {**values, "batch": over}) if over > 0 else 0
            )
            found.update(_small_tables(con, self.queue, rules, now))
            return found

        return self.db.transact(body, durable=False)

    def holding(self, kind: str, older_than: float | None = None) -> int:
        """How many things of a kind this queue holds besides its jobs: ``results`` that no waiting
        job needs, ``values``, ``counters``, ``locks``, ``events``."""
        return self.db.read(
            lambda con: int(
                con.execute(
                    f"select count(*) from ({_KINDS[kind]})",  # noqa: S608
                    {"queue": self.queue, "before": older_than, "limit": -1},
                ).fetchone()[0]
            )
        )

    def clear(self, kind: str, older_than: float | None = None, limit: int = 1000) -> int:
        """Delete up to ``limit`` of what ``holding`` counts. A result that is deleted counts as
        taken."""
        table = {"results": "huey_result", "events": "huey_event"}.get(kind, "huey_value")
        values = {"queue": self.queue, "before": older_than, "limit": limit}

        def body(con: sqlite3.Connection) -> int:
            which = listed(row[0] for row in con.execute(_KINDS[kind], values).fetchall())
            if kind == "results":
                con.execute(
                    """
                    update huey_job set taken = 1
                    where seq in (select value from json_each(?)) and taken = 0
                    """,
                    (which,),
                )
            names = con.execute(
                """
                select name from huey_value
                where kind = 'lock' and ? and rowid in (select value from json_each(?))
                """,
                (kind == "locks", which),
            ).fetchall()
            gone = con.execute(
                f"delete from {table} where rowid in (select value from json_each(?))",  # noqa: S608
                (which,),
            ).rowcount
            self.sign(con, "clear", number=gone, what=kind)
            settle(con, self.queue, [name for (name,) in names])
            return gone

        return self.db.transact(body)

    def verify(self) -> None:
        """Raise ``StorageMoved`` or ``StorageTooNew`` when this process must stop taking jobs."""
        self.db.read(schema.is_current)
        side = self.side()
        if side is not None and side.moved():
            raise StorageMoved(
                f"{side.path} was removed or replaced: it tells who lives, so this consumer must "
                "start again"
            )

    def leave_checkpoints_to_janitor(self) -> None:
        """Called by a consumer: from now on only ``checkpoint`` does such work."""
        self.db.autocheckpoint(0)

    def checkpoint(self) -> None:
        """Move the write-ahead log into the file; wait for readers only when it has grown large."""
        try:
            size = os.stat(self.db.path + "-wal").st_size
        except OSError:
            return
        self.db.checkpoint(truncate=size > WAL_LIMIT)


def _purge(con: sqlite3.Connection, query: str, values: dict[str, object]) -> int:
    return purge_rows(con, con.execute(query, values).fetchall())


def _small_tables(
    con: sqlite3.Connection, queue: str, rules: Keeping, now: float
) -> dict[str, int]:
    fold(con, queue, now)
    gone = con.execute(
        "delete from huey_metric where queue = ? and minute > 0 and minute < ?",
        (queue, int((now - rules.metric_age) // 60)),
    ).rowcount
    values = con.execute(
        "delete from huey_value where queue = ? and expires_at is not null and expires_at <= ?",
        (queue, now),
    ).rowcount
    flags = con.execute(
        """
        delete from huey_flag where queue = ?
            and (until <= ? or (kind = 'revoked-id' and since < ?))
        """,
        (queue, now, now - rules.flag_age),
    ).rowcount
    return {
        "metrics": gone, "values": values, "flags": flags, "events": _events(con, queue, rules, now)
    }  # fmt: skip


def _events(con: sqlite3.Connection, queue: str, rules: Keeping, now: float) -> int:
    """By age and by number. Their numbers grow with time, so only the oldest are looked at."""
    number = con.execute("select count(*) from huey_event where queue = ?", (queue,)).fetchone()[0]
    if not number:
        return 0
    return con.execute(
        """
        delete from huey_event where event in (
            select event from (
                select event, at, row_number() over (order by event) as place from huey_event
                where queue = :queue order by event limit :batch)
            where at < :before or place <= :over)
        """,
        {
            "queue": queue,
            "batch": rules.batch,
            "before": now - rules.event_age,
            "over": number - rules.event_count,
        },
    ).rowcount
