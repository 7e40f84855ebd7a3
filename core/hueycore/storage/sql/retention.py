"""Keeping house: what is old leaves by written rules, in small batches, counted."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from hueycore.model.retention import Keeping
from hueycore.storage.protocol.operators import Operators
from hueycore.storage.protocol.upkeep import Upkeep
from hueycore.storage.sql.dialect import UNLIMITED, Connection
from hueycore.storage.sql.edges import NEEDED
from hueycore.storage.sql.keys import settle
from hueycore.storage.sql.metrics import fold
from hueycore.storage.sql.operators import purge_rows
from hueycore.storage.sql.part import Part, in_groups

#: Rows that one transaction deletes at most: others want to write as well.
GROUP = 100

_BY_AGE = f"""queue = :queue and state = :state and finished_at is not null
    and finished_at < :before and not {NEEDED}"""

#: Finished rows whose result nobody will ask for any more: taken, or there was none.
_BY_COUNT = f"""queue = :queue and state = 'done' and finished_at is not null
    and (taken is null or taken <> 0) and not {NEEDED}"""

_BY_TTL = f"""queue = :queue and taken = 0 and state <> 'dead'
    and result_ttl is not null and finished_at + result_ttl < :now and not {NEEDED}"""


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


#: What leaves besides jobs and events.
_SMALL = {
    "metrics": """
        delete from huey_metric where queue = :queue and (minute, task) in (
            select minute, task from huey_metric
            where queue = :queue and minute > 0 and minute < :minute limit :limit)
    """,
    "values": """
        delete from huey_value where queue = :queue and (kind, name) in (
            select kind, name from huey_value
            where queue = :queue and expires_at is not null and expires_at <= :now limit :limit)
    """,
    "flags": """
        delete from huey_flag where queue = :queue and (kind, name) in (
            select kind, name from huey_flag where queue = :queue
                and (until <= :now or (kind = 'revoked-id' and since < :since)) limit :limit)
    """,
}

_EVENTS = """
    select count(*) from (select 1 from huey_event where queue = ? limit ?) as events
"""
_OLD_EVENTS = """
    select event from (
        select event, at, row_number() over (order by event) as place from huey_event
        where queue = :queue order by event limit :batch) as oldest
    where at < :before or place <= :over
"""

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
        ages = dict.fromkeys(("done", "revoked", "expired"), rules.done_age)
        found = {
            f"{state}-age": self._purge(_BY_AGE, rules.batch, state=state, before=now - age)
            for state, age in {**ages, "dead": rules.dead_age}.items()
        }
        found["result-ttl"] = self._purge(_BY_TTL, rules.batch, now=now)
        over = self._surplus(rules)
        found["done-count"] = self._purge(f"{_BY_COUNT} order by finished_at", over)
        while self.db.transact(partial(fold, queue=self.queue, now=now), durable=False):
            pass
        return found | self._keep_small(rules, now)

    def _purge(self, rule: str, most: int, **values: object) -> int:
        """Delete jobs that a rule lets go. They are looked for before anybody is kept from writing;
        those that have changed since stay."""
        values["queue"] = self.queue
        found = self.db.read(
            lambda con: con.execute(
                f"select seq from huey_job where {rule} limit :most", {**values, "most": most}
            ).fetchall()
        )

        def body(con: Connection, some: Sequence[int]) -> int:
            d = con.dialect
            which = f"huey_job {d.rows_only} where {d.among('seq', ':seqs')} and {rule}"
            values["seqs"] = d.listed(some)
            return purge_rows(
                con, con.execute(f"select seq, queue from {which}", values).fetchall()
            )

        return sum(
            self.db.transact(partial(body, some=some), durable=False)
            for some in in_groups([seq for (seq,) in found], GROUP)
        )

    def _surplus(self, rules: Keeping) -> int:
        """How many done jobs there are above the number, as far as a batch may delete them."""
        most = min(rules.done_count + rules.batch, UNLIMITED)
        (done,) = self.db.read(
            lambda con: con.execute(
                """
                select count(*) from (select 1 from huey_job
                    where queue = ? and state = 'done' and finished_at is not null limit ?) as done
                """,
                (self.queue, most),
            ).fetchone()
        )
        return max(0, int(done) - rules.done_count)

    def _keep_small(self, rules: Keeping, now: float) -> dict[str, int]:
        values = {
            "queue": self.queue,
            "now": now,
            "minute": int((now - rules.metric_age) // 60),
            "since": now - rules.flag_age,
            "limit": rules.batch,
        }

        def body(con: Connection, query: str) -> int:
            return con.execute(query, values).rowcount

        found = {
            rule: self.db.transact(partial(body, query=query), durable=False)
            for rule, query in _SMALL.items()
        }
        return {**found, "events": self._purge_events(rules, now)}

    def _purge_events(self, rules: Keeping, now: float) -> int:
        """By age and by number. Their numbers grow with time, so only the oldest are looked at."""
        values = {"queue": self.queue, "batch": rules.batch, "before": now - rules.event_age}

        def look(con: Connection) -> list[int]:
            most = min(rules.event_count + rules.batch, UNLIMITED)
            (number,) = con.execute(_EVENTS, (self.queue, most)).fetchone()
            over = number - rules.event_count
            return [row[0] for row in con.execute(_OLD_EVENTS, {**values, "over": over}).fetchall()]

        def body(con: Connection, some: Sequence[int]) -> int:
            d = con.dialect
            return con.execute(
                f"delete from huey_event where {d.among('event')}", (d.listed(some),)
            ).rowcount

        return sum(
            self.db.transact(partial(body, some=some), durable=False)
            for some in in_groups(self.db.read(look), GROUP)
        )

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
