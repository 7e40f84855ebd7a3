"""The event log: what became of the jobs, recorded by triggers in the transaction that does it."""

from __future__ import annotations

from typing import Any

from hueycore.model.events import Event, EventQuery
from hueycore.storage.protocol.queries import Queries
from hueycore.storage.protocol.upkeep import Upkeep
from hueycore.storage.sql.dialect import UNLIMITED, Connection
from hueycore.storage.sql.enqueue import describe_queue
from hueycore.storage.sql.part import Part
from hueycore.storage.sql.selector import is_seq

_EVENT = ", ".join(Event._fields)


class Events(Part, Queries, Upkeep):
    def record_events(self, on: bool) -> bool:
        if self.db.read(self._is_recorded) == on:
            return False

        def body(con: Connection) -> bool:
            describe_queue(con, self.queue, self.serializer)
            changed = con.execute(
                "update huey_queue set events = ? where queue = ? and events <> ?",
                (int(on), self.queue, int(on)),
            ).rowcount
            wanted = con.execute("select 1 from huey_queue where events = 1").fetchall()
            con.dialect.record_events(con, bool(wanted))
            if changed:
                self.sign(con, "events-on" if on else "events-off")
            return changed > 0

        return self.db.transact(body)

    def _is_recorded(self, con: Connection) -> bool:
        row = con.execute(
            "select 1 from huey_queue where queue = ? and events = 1", (self.queue,)
        ).fetchone()
        return row is not None

    def events(self, query: EventQuery) -> list[Event]:
        way = "desc" if query.newest else "asc"

        def body(con: Connection) -> list[Event]:
            last = self.last_settled(con) if query.settled else UNLIMITED
            where, values = _conditions(con, query, last)
            rows = con.execute(
                f"select {_EVENT} from huey_event where {where} order by event {way} limit ?",
                (*values, UNLIMITED if query.limit is None else query.limit),
            ).fetchall()
            return [Event._make(row) for row in (reversed(rows) if query.newest else rows)]

        return self.db.read(body)

    def last_settled(self, con: Connection) -> int:
        """The event up to which none can come any more that is not there."""
        return UNLIMITED  # numbers are given out in the order of the commits


def _conditions(con: Connection, query: EventQuery, last: int) -> tuple[str, list[Any]]:
    d = con.dialect
    parts: list[str] = []
    values: list[Any] = []

    def add(text: str, *given: Any) -> None:
        parts.append(text)
        values.extend(given)

    add("event > ? and event <= ?", query.after, last)
    if query.queues:
        add(f"{d.among('queue')}", d.listed(query.queues))
    if query.signals:
        add(f"{d.among('signal')}", d.listed(query.signals))
    if query.task is not None:
        add(d.glob("task"), d.pattern(query.task))
    if query.key is not None:
        add("(id = ? or seq = ?)", query.key, int(query.key) if is_seq(query.key) else None)
    if query.since is not None:
        add("at >= ?", query.since)
    if query.until is not None:
        add("at <= ?", query.until)
    return " and ".join(parts), values
