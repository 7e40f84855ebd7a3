"""Keeping house: what is old leaves by written rules, in small batches, counted."""

from __future__ import annotations

from typing import NamedTuple

from hueycore.model.retention import Keeping
from hueycore.storage.protocol.operators import Operators
from hueycore.storage.protocol.upkeep import Upkeep
from hueycore.storage.sql.dialect import UNLIMITED, Connection
from hueycore.storage.sql.edges import NEEDED
from hueycore.storage.sql.keys import settle
from hueycore.storage.sql.metrics import fold
from hueycore.storage.sql.operators import purge_rows
from hueycore.storage.sql.part import Part

_BY_AGE = f"""
    select seq, queue from huey_job where queue = :queue and state = :state
        and finished_at is not null and finished_at < :before and not {NEEDED} limit :batch
"""

#: Finished rows whose result nobody will ask for any more: taken, or there was none.
_BY_COUNT = f"""
    select seq, queue from huey_job where queue = :queue and state = 'done'
        and finished_at is not null and (taken is null or taken <> 0) and not {NEEDED}
    order by finished_at limit :batch
"""

_BY_TTL = f"""
    select seq, queue from huey_job where queue = :queue and taken = 0 and state <> 'dead'
        and result_ttl is not null and finished_at + result_ttl < :now and not {NEEDED}
    limit :batch
"""


class _Kind(NamedTuple):
    """A kind of thing: its table, what its rows there have in common, the column that tells them
    apart, and those of a queue that may go."""

    table: str
    common: str
    key: str
    found: str


def _values(kind: str) -> _Kind:
    common = f"queue = :queue and kind = '{kind}'"
    found = f"""
        select name from huey_value
        where {common} and (:before is null or created_at <= :before) limit :limit
    """
    return _Kind("huey_value", common, "name", found)


#: What ``holding`` counts and ``clear`` deletes.
_KINDS = {
    "results": _Kind(
        "huey_result",
        "queue = :queue",
        "seq",
        f"""
        select huey_result.seq from huey_result join huey_job using (seq)
        where huey_result.queue = :queue and not {NEEDED}
            and (:before is null or finished_at <= :before) limit :limit
        """,
    ),
    "events": _Kind(
        "huey_event",
        "queue = :queue",
        "event",
        """
        select event from huey_event
        where queue = :queue and (:before is null or at <= :before) order by event limit :limit
        """,
    ),
    "values": _values("value"),
    "counters": _values("counter"),
    "locks": _values("lock"),
}


class Retention(Part, Operators, Upkeep):
    def keep(self, rules: Keeping) -> dict[str, int]:
        now = self.db.now()
        values = {"queue": self.queue, "now": now, "batch": rules.batch}

        def body(con: Connection) -> dict[str, int]:
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
        query = f"select count(*) from ({_KINDS[kind].found}) as held"
        values = {"queue": self.queue, "before": older_than, "limit": UNLIMITED}
        return self.db.read(lambda con: int(con.execute(query, values).fetchone()[0]))

    def clear(self, kind: str, older_than: float | None = None, limit: int = 1000) -> int:
        table, common, key, found = _KINDS[kind]
        values = {"queue": self.queue, "before": older_than, "limit": limit}

        def body(con: Connection) -> int:
            d = con.dialect
            keys = [row[0] for row in con.execute(found, values).fetchall()]
            which = {"queue": self.queue, "keys": d.listed(keys)}
            if kind == "results":
                con.execute(
                    f"update huey_job set taken = 1 where {d.among('seq')} and taken = 0",
                    (which["keys"],),
                )
            gone = con.execute(
                f"delete from {table} where {common} and {d.among(key, ':keys')}", which
            ).rowcount
            self.sign(con, "clear", number=gone, what=kind)
            if kind == "locks":
                settle(con, self.queue, keys)
            return gone

        return self.db.transact(body)


def _purge(con: Connection, query: str, values: dict[str, object]) -> int:
    return purge_rows(con, con.execute(query, values).fetchall())


def _small_tables(con: Connection, queue: str, rules: Keeping, now: float) -> dict[str, int]:
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
        "metrics": gone,
        "values": values,
        "flags": flags,
        "events": _events(con, queue, rules, now),
    }


def _events(con: Connection, queue: str, rules: Keeping, now: float) -> int:
    """By age and by number. Their numbers grow with time, so only the oldest are looked at."""
    number = con.execute("select count(*) from huey_event where queue = ?", (queue,)).fetchone()[0]
    if not number:
        return 0
    return con.execute(
        """
        delete from huey_event where event in (
            select event from (
                select event, at, row_number() over (order by event) as place from huey_event
                where queue = :queue order by event limit :batch) as oldest
            where at < :before or place <= :over)
        """,
        {
            "queue": queue,
            "batch": rules.batch,
            "before": now - rules.event_age,
            "over": number - rules.event_count,
        },
    ).rowcount
