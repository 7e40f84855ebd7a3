"""What ``sql/records.py`` says, of rows in Redis."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from struct import unpack, unpack_from
from typing import Any

from hueycore.model.flags import Revocation
from hueycore.model.records import FIELDS, Record
from hueycore.model.schedules import Periodic
from hueycore.storage.redis.flags import place_of, to_text
from hueycore.storage.redis.part import Part, encode, number, text
from hueycore.storage.redis.periodic import to_periodic, to_schedule
from hueycore.storage.redis.queries import ABOUT
from hueycore.storage.redis.results import TIMES

PAGE = 500
_REALS = ("paused_at", "paused_until", "created_at")


def pages(part: Part, queues: Sequence[str]) -> Iterator[list[Record]]:
    """All that these queues have, kind by kind: the queues themselves first."""
    for kind in FIELDS:
        found = (one for queue in queues for one in _of_kind(part, queue, kind))
        while page := list(islice(found, PAGE)):
            yield page


def _of_kind(part: Part, queue: str, kind: str) -> Iterator[Record]:
    return _FINDERS[kind](part, queue) if kind in _FINDERS else _orders(part, queue, kind)


def _record(kind: str, queue: str, name: str, found: dict[str, Any]) -> Record:
    return Record(kind, queue, name, {field: found.get(field) for field in FIELDS[kind]})


def _queues(part: Part, queue: str) -> Iterator[Record]:
    told = part.client.call("HMGET", part.key("queue", queue), *ABOUT)
    values: dict[str, Any] = dict(zip(ABOUT, map(text, told), strict=True))
    if values["created_at"] is not None:
        values |= {name: number(told[ABOUT.index(name)]) for name in _REALS}
        values["events"] = values["events"] == "1"
        yield _record("queue", queue, "", values)


def _fields(part: Part, name: str, queue: str) -> Iterator[tuple[str, bytes]]:
    """A hash by the names of its fields, of which some are in memory at a time."""
    names = sorted(part.client.call("HKEYS", part.key(name, queue)))
    for start in range(0, len(names), PAGE):
        some = names[start : start + PAGE]
        for field, value in zip(some, part.many("HMGET", name, some, queue), strict=True):
            if value is not None:
                yield field.decode(), value


def _schedules(part: Part, queue: str) -> Iterator[Record]:
    for name, packed in _fields(part, "periodic", queue):
        one = to_periodic(packed, queue)
        if one.origin != "process":
            yield _record("periodic", queue, name, one._asdict())


def _orders(part: Part, queue: str, kind: str) -> Iterator[Record]:
    hash_, start = place_of(kind, "")
    for field, told in _fields(part, hash_, queue):
        if field.startswith(start):
            name = field.removeprefix(start)
            yield _record(kind, queue, name, {"once": False, **json.loads(told)})


def _limits(part: Part, queue: str) -> Iterator[Record]:
    for task, told in _fields(part, "limit", queue):
        values = json.loads(told)
        yield _record("limit", queue, task, {**values, "key_name": values.get("key")})


def _rates(part: Part, queue: str) -> Iterator[Record]:
    for name, packed in _fields(part, "rate", queue):
        tat, seen = unpack(">dd", packed)
        yield _record("rate", queue, name, {"tat": tat, "seen": seen})


def _values(part: Part, queue: str) -> Iterator[Record]:
    for name, value in _fields(part, "value", queue):
        ends, created = unpack_from(">dd", value)
        times = {"expires_at": ends or None, "created_at": created}
        yield _record("value", queue, name, {"value": value[TIMES:], **times})


def _counters(part: Part, queue: str) -> Iterator[Record]:
    found = part.pairs("counter", queue)
    for field, counted in sorted(found.items()):
        if field[:1] == b"n":
            name = field[1:].decode()
            created = float(found.get(b"t" + field[1:], b"0"))
            yield _record("counter", queue, name, {"number": int(counted), "created_at": created})


def _locks(part: Part, queue: str) -> Iterator[Record]:
    for name, told in _fields(part, "lock", queue):
        yield _record("lock", queue, name, json.loads(told))


_FINDERS: dict[str, Callable[[Part, str], Iterator[Record]]] = {
    "queue": _queues,
    "periodic": _schedules,
    "limit": _limits,
    "rate": _rates,
    "value": _values,
    "counter": _counters,
    "lock": _locks,
}


def told(one: Record) -> list[Any]:
    """A record as the script takes it, without its bytes."""
    values = {name: value for name, value in one.fields.items() if value is not None}
    found: dict[str, Any] = {
        name: value for name, value in values.items() if not isinstance(value, bytes)
    }
    if one.kind == "periodic":
        found["row"] = to_schedule(Periodic(name=one.name, **{"tz": None, **values}))
    elif one.kind == "limit":
        found["text"] = encode(
            {"key" if name == "key_name" else name: value for name, value in found.items()}
        )
    elif one.kind.startswith(("revoked", "paused")):
        order = {"until": None, "once": False, "since": 0.0, "reason": None, "by": None, **values}
        found["text"] = to_text(Revocation(queue=one.queue, kind=one.kind, name=one.name, **order))
    elif one.kind == "counter":
        found["number"] = str(found["number"])  # Lua knows no whole numbers above 2^53
    return [one.kind, one.name, found]


def data(one: Record) -> bytes:
    return bytes(one.fields.get("payload") or one.fields.get("value") or b"")
