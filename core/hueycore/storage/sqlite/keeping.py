"""Keeping house: what is old leaves by written rules, in small batches, counted."""

from __future__ import annotations

import os
import sqlite3

from hueycore import clock
from hueycore.exceptions import StorageMoved
from hueycore.storage.rows import Keeping
from hueycore.storage.sqlite import schema
from hueycore.storage.sqlite.connection import WAL_LIMIT
from hueycore.storage.sqlite.room import Room
from hueycore.storage.sqlite.steering import _NEEDED, purge_rows

_BY_AGE = f"""
    select seq, queue from huey_job where queue = :queue and state = :state
        and finished_at is not null and finished_at < :before and not {_NEEDED} limit :batch
"""  # noqa: S608

#: Finished rows whose result nobody will ask for any more: taken, or there was none.
_BY_COUNT = f"""
    select seq, queue from huey_job where queue = :queue and state = 'done'
        and finished_at is not null and taken is not 0 and not {_NEEDED}
    order by finished_at limit :batch
"""  # noqa: S608

_BY_TTL = f"""
    select seq, queue from huey_job where queue = :queue and taken = 0
        and result_ttl is not null and finished_at + result_ttl < :now and not {_NEEDED}
    limit :batch
"""  # noqa: S608


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
    gone = con.execute(
        "delete from huey_metric where queue = ? and minute < ?",
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
    return {"metrics": gone, "values": values, "flags": flags}
