"""What queues have besides their jobs, on its way out and in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from hueycore.model.documents import parsed
from hueycore.model.records import FIELDS, Record
from hueycore.storage.sql.dialect import Connection
from hueycore.storage.sql.enqueue import describe_queue
from hueycore.storage.sql.keys import settle, settle_task

#: Where each kind stands: its table, and the column of its name.
_TABLES = {
    "queue": ("queue", "''"),
    "periodic": ("periodic", "name"),
    "limit": ("limit", "task"),
    "rate": ("key", "name"),
    **dict.fromkeys(("value", "counter", "lock"), ("value", "name")),
    **dict.fromkeys(
        ("revoked-task", "revoked-id", "paused-task", "paused-scheduler"), ("flag", "name")
    ),
}
#: Rows that are nothing to others: what a running consumer takes away with it, a rate at rest.
_ALSO = {"periodic": "origin <> 'process'", "rate": "tat is not null"}
#: Tables that have several kinds.
_OF_KIND = ("value", "flag")
_TRUTHS = ("events", "once")
PAGE = 500


def pages(con: Connection, queues: Sequence[str]) -> Iterator[list[Record]]:
    """All that these queues have, or all queues."""
    for kind, fields in FIELDS.items():
        table, name = _TABLES[kind]
        columns = ", ".join(f'"{field}"' for field in fields)
        where, values = ["true"], list[Any]()
        if queues:
            where.append(con.dialect.among("queue"))
            values.append(con.dialect.listed(queues))
        if table in _OF_KIND:
            where.append("kind = ?")
            values.append(kind)
        where.append(_ALSO.get(kind, "true"))
        found = con.pages(
            f"""
            select queue, {name}, {columns} from huey_{table}
            where {" and ".join(where)} order by 1, 2
            """,
            values,
        )
        page = []
        for row in found:
            page.append(_record(kind, fields, row))
            if len(page) == PAGE:
                yield page
                page = []
        found.close()
        if page:
            yield page


def _record(kind: str, fields: Sequence[str], row: Sequence[Any]) -> Record:
    values = dict(zip(fields, row[2:], strict=True))
    for name in _TRUTHS:
        if name in values:
            values[name] = bool(values[name])
    if "options" in values:
        values["options"] = parsed(str(values["options"]))
    for name in ("payload", "value"):
        if values.get(name) is not None:
            values[name] = bytes(values[name])
    return Record(kind, row[0], row[1], values)


def bring_in(con: Connection, records: Sequence[Record], if_exists: str) -> list[str]:
    """What ``Transfer.load_records`` says, in the caller's transaction."""
    outcomes = [_bring_one(con, one, if_exists == "replace") for one in records]
    for kind, queue, name, _ in records:
        if kind == "paused-task":
            settle_task(con, queue, name)
        elif kind == "rate":
            settle(con, queue, [name])
    return outcomes


def _bring_one(con: Connection, one: Record, replace: bool) -> str:
    ends = one.fields.get("until", one.fields.get("expires_at"))
    if one.kind == "lock" or (ends is not None and ends <= con.now()):
        return "left"
    if one.kind == "queue":
        return _describe(con, one)
    table, name = _TABLES[one.kind]
    kind = {"kind": one.kind} if table in _OF_KIND else {}
    key = {"queue": one.queue, **kind, name: one.name}
    if replace:
        same = " and ".join(f"{column} = :{column}" for column in key)
        con.execute(f"delete from huey_{table} where {same}", key)
    row = {**key, **_stored(one)}
    changed = con.execute(
        f"""
        insert into huey_{table} ({", ".join(f'"{column}"' for column in row)})
        values ({", ".join("?" * len(row))}) on conflict do nothing
        """,
        tuple(row.values()),
    ).rowcount
    return "loaded" if changed else "exists"


def _stored(one: Record) -> dict[str, Any]:
    values = {name: one.fields.get(name) for name in FIELDS[one.kind]}
    for name in _TRUTHS:
        if name in values:
            values[name] = int(bool(values[name]))
    if "options" in values:
        values["options"] = json.dumps(values["options"] or {})
    if "payload" in values:
        values["payload"] = values["payload"] or b""
    return values


def _describe(con: Connection, one: Record) -> str:
    """A queue's own row stays, and takes over what it does not say."""
    known = con.execute("select 1 from huey_queue where queue = ?", (one.queue,)).fetchall()
    describe_queue(con, one.queue, None)
    fields = {"queue": one.queue, **_stored(one)}
    con.execute(
        """
        update huey_queue set serializer = coalesce(serializer, :serializer),
            created_at = case when created_at < :created_at then created_at else :created_at end
        where queue = :queue
        """,
        fields,
    )
    paused = con.execute(
        """
        update huey_queue set paused_at = :paused_at, paused_until = :paused_until,
            paused_by = :paused_by, pause_reason = :pause_reason
        where queue = :queue and paused_at is null and :paused_at is not null
        """,
        fields,
    ).rowcount
    if one.fields.get("events"):
        con.execute("update huey_queue set events = 1 where queue = ?", (one.queue,))
        con.dialect.record_events(con, True)
    return "exists" if known and not paused else "loaded"
