"""The event log: what became of the jobs, recorded by triggers in the transaction that does it."""

from __future__ import annotations

import sqlite3
from typing import Any

from hueycore.model.events import Event, EventQuery
from hueycore.storage.sql.enqueue import describe_queue
from hueycore.storage.sql.part import Room, listed
from hueycore.storage.sql.queries import is_seq
from hueycore.storage.sqlite import schema

_EVENT = ", ".join(Event._fields)


class EventLog(Room):
    def record_events(self, on: bool) -> bool:
        """From now on what becomes of this queue's jobs is recorded, whoever does it, in the
        transaction that does it; or no more. False when that was so already."""
        if self.db.read(self._is_recorded) == on:
            return False

        def body(con: sqlite3.Connection) -> bool:
            describe_queue(con, self.queue, self.serializer)
            changed = con.execute(
                "update huey_queue set events = ? where queue = ? and events <> ?",
                (on, self.queue, on),
            ).rowcount
            wanted = con.execute("select 1 from huey_queue where events").fetchall()
            for trigger in schema.statements("events.sql"):
                name = trigger.split("create trigger ")[1].split()[0]
                con.execute(f"drop trigger if exists {name}")
                if wanted:
                    con.execute(trigger)
            if changed:
                self.sign(con, "events-on" if on else "events-off")
            return changed > 0

        return self.db.transact(body)

    def _is_recorded(self, con: sqlite3.Connection) -> bool:
        row = con.execute(
            "select 1 from huey_queue where queue = ? and events", (self.queue,)
        ).fetchone()
        return row is not None

    def events(self, query: EventQuery) -> list[Event]:
        """What happened, oldest first."""
        where, values = _conditions(query)
        order = "desc" if query.newest else "asc"

        def body(con: sqlite3.Connection) -> list[Event]:
            rows = con.execute(
                f"select {_EVENT} from huey_event where {where} order by event {order} limit ?",  # noqa: S608
                (*values, -1 if query.limit is None else query.limit),
            ).fetchall()
            return sorted(Event._make(row) for row in rows)

        return self.db.read(body)


def _conditions(query: EventQuery) -> tuple[str, list[Any]]:
    parts, values = ["event > ?"], [query.after]

    def add(text: str, *given: Any) -> None:
        parts.append(text)
        values.extend(given)

    if query.queues:
        add("queue in (select value from json_each(?))", listed(query.queues))
    if query.signals:
        add("signal in (select value from json_each(?))", listed(query.signals))
    if query.task is not None:
        add("task glob ?", query.task)
    if query.key is not None:
        add("(id = ? or seq = ?)", query.key, int(query.key) if is_seq(query.key) else None)
    if query.since is not None:
        add("at >= ?", query.since)
    if query.until is not None:
        add("at <= ?", query.until)
    return " and ".join(parts), values
