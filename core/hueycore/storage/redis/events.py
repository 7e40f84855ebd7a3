"""The event log: what became of the jobs, recorded by rows.lua in the script that does it."""

from __future__ import annotations

from typing import Any

from hueycore.model.events import Event, EventQuery
from hueycore.storage.protocol.queries import Queries
from hueycore.storage.protocol.upkeep import Upkeep
from hueycore.storage.redis.part import PAGE, Part
from hueycore.storage.redis.selection import glob, is_seq

_REALS, _WHOLE = ("at", "run_s"), ("seq", "jobs")


class Events(Part, Queries, Upkeep):
    def record_events(self, on: bool) -> bool:
        if (self.client.call("HGET", self.key("queue"), "events") == b"1") == on:
            return False
        self.list_queue()
        return bool(self.operate("events", {"on": on}))

    def events(self, query: EventQuery) -> list[Event]:
        found: list[Event] = []
        query = query._replace(limit=None if query.limit is None else max(0, query.limit))
        for queue in self.queue_names():
            if not query.queues or queue in query.queues:
                found += self._events(queue, query)
        found.sort(key=lambda one: (one.event, one.queue))
        if query.limit is None:
            return found
        return found[max(0, len(found) - query.limit) :] if query.newest else found[: query.limit]

    def _events(self, queue: str, query: EventQuery) -> list[Event]:
        """Those of one queue, at most as many as are asked for: read from the end that counts."""
        matches = None if query.task is None else glob(query.task)
        first, last = f"({query.after}-0" if query.after else "-", "+"
        found: list[Event] = []
        while query.limit is None or len(found) < query.limit:
            command = ("XREVRANGE", last, first) if query.newest else ("XRANGE", first, last)
            key = self.key("event", queue)
            told = self.client.call(command[0], key, *command[1:], "COUNT", PAGE)
            events = [_to_event(queue, id_, fields) for id_, fields in told]
            found += [one for one in events if _is_asked(one, query, matches)]
            if len(told) < PAGE:
                break
            end = f"({events[-1].event}-0"
            first, last = (first, end) if query.newest else (end, last)
        return found


def _is_asked(one: Event, query: EventQuery, matches: Any) -> bool:
    if query.signals and one.signal not in query.signals:
        return False
    if matches is not None and not (one.task and matches(one.task)):
        return False
    if query.key is not None:
        number = int(query.key) if is_seq(query.key) else None
        if one.id != query.key and (number is None or one.seq != number):
            return False
    if query.since is not None and one.at < query.since:
        return False
    return query.until is None or one.at <= query.until


def _to_event(queue: str, id_: bytes, fields: list[bytes]) -> Event:
    values: dict[str, Any] = dict.fromkeys(Event._fields)
    for field, told in zip(fields[::2], fields[1::2], strict=True):
        values[field.decode()] = told.decode("utf-8", "replace")
    for name in _REALS:
        if values[name] is not None:
            values[name] = float(values[name])
    for name in _WHOLE:
        if values[name] is not None:
            values[name] = int(values[name])
    values |= {"event": int(id_.partition(b"-")[0]), "queue": queue}
    return Event(**values)
