"""What ``sql/records.py`` says, of rows in Redis."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from struct import unpack, unpack_from
from typing import Any

from hueycore.model.flags import Revocation
from hueycore.model.records import FIELDS, Record
from hueycore.model.schedules import Periodic
from hueycore.storage.redis.flags import REVOKED_ID, to_text
from hueycore.storage.redis.part import Part, encode, number, text
from hueycore.storage.redis.periodic import to_periodic, to_schedule
from hueycore.storage.redis.queries import ABOUT
from hueycore.storage.redis.results import TIMES

PAGE = 500
_REALS = ("paused_at", "paused_until", "created_at")


def pages(part: Part, queues: Sequence[str]) -> Iterator[list[Record]]:
    """All that these queues have: the queues themselves first."""
    for find in (_queues, _schedules, _orders, _limits, _rates, _values, _counters, _locks):
        page: list[Record] = []
        for queue in queues:
            for one in find(part, queue):
                page.append(one)
                if len(page) == PAGE:
                    yield page
                    page = []
        if page:
            yield page


def _record(kind: str, queue: str, name: str, found: dict[str, Any]) -> Record:
    return Record(kind, queue, name, {field: found.get(field) for field in FIELDS[kind]})


def _queues(part: Part, queue: str) -> Iterator[Record]:
    told = part.client.call("HMGET", part.key("queue", queue), *ABOUT)
    values: dict[str, Any] = dict(zip(ABOUT, map(text, told), strict=True))
    if values["created_at"] is not None:
        values |= {name: number(told[ABOUT.index(name)]) for name in _REALS}
        values["events"] = values["events"] == "1"
        yield _record("queue", queue, "", values)


def _schedules(part: Part, queue: str) -> Iterator[Record]:
    for name, packed in sorted(part.pairs("periodic", queue).items()):
        one = to_periodic(packed, queue)
        if one.origin != "process":
            yield _record("periodic", queue, name.decode(), one._asdict())


def _orders(part: Part, queue: str) -> Iterator[Record]:
    for field, told in sorted(part.pairs("flag", queue).items()):
        kind, _, name = field.decode().partition(" ")
        yield _record(kind, queue, name, {"once": False, **json.loads(told)})
    for id_, told in sorted(part.pairs("banned", queue).items()):
        yield _record(REVOKED_ID, queue, id_.decode(), {"once": False, **json.loads(told)})


def _limits(part: Part, queue: str) -> Iterator[Record]:
    for task, told in sorted(part.pairs("limit", queue).items()):
        values = json.loads(told)
        yield _record("limit", queue, task.decode(), {**values, "key_name": values.get("key")})


def _rates(part: Part, queue: str) -> Iterator[Record]:
    for name, packed in sorted(part.pairs("rate", queue).items()):
        tat, seen = unpack(">dd", packed)
        yield _record("rate", queue, name.decode(), {"tat": tat, "seen": seen})


def _values(part: Part, queue: str) -> Iterator[Record]:
    for name, value in sorted(part.pairs("value", queue).items()):
        ends, created = unpack_from(">dd", value)
        times = {"expires_at": ends or None, "created_at": created}
        yield _record("value", queue, name.decode(), {"value": value[TIMES:], **times})


def _counters(part: Part, queue: str) -> Iterator[Record]:
    found = part.pairs("counter", queue)
    for field, counted in sorted(found.items()):
        if field[:1] == b"n":
            name = field[1:].decode()
            created = float(found.get(b"t" + field[1:], b"0"))
            yield _record("counter", queue, name, {"number": int(counted), "created_at": created})


def _locks(part: Part, queue: str) -> Iterator[Record]:
    for name, told in sorted(part.pairs("lock", queue).items()):
        yield _record("lock", queue, name.decode(), json.loads(told))


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
