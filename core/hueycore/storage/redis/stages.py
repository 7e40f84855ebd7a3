"""Jobs that hang together, read by those that come after them. How they are joined and what follows
from their ends: births.lua, follow.lua."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator, Sequence
from struct import pack
from typing import Any

from hueycore.model.jobs import Job
from hueycore.model.plan import Input
from hueycore.model.states import FINAL, State
from hueycore.storage.protocol.queries import Queries
from hueycore.storage.protocol.workers import Workers
from hueycore.storage.redis.messagepack import unpack
from hueycore.storage.redis.part import Part
from hueycore.storage.redis.rows import Row, fetch

#: What a parent has given to its followers, in ``delivered``.
RESULT, NONE, FAILED = 1, 2, 3


class Stages(Part, Workers, Queries):
    def inputs(self, seq: int) -> list[Input]:
        return read_inputs(self, self.queue, seq)

    def is_handled(self, seq: int) -> bool:
        return bool(self.client.call("HEXISTS", self.key("handler"), seq))

    def culprit(self, seq: int, *, queue: str | None = None) -> Job | None:
        found = _culprit(self, queue or self.queue, seq)
        return None if found is None or found.seq == seq else found.job()

    def stages(self, seq: int, limit: int = 1000, *, queue: str | None = None) -> list[Job]:
        rows = _whole(self, queue or self.queue, seq)
        return [rows[number].job() for number in sorted(rows)[:limit]]


def parents_of(part: Part, queue: str, row: Row) -> list[Row]:
    """The jobs that one waits, or waited, for, in the order of their slots."""
    seqs = listed(part, queue, b"n" + pack(">Q", row.seq))
    found = fetch(part, queue, seqs)
    source = row["source"]
    if source is not None and source not in seqs:
        found += fetch(part, queue, [source])
    return found


def listed(part: Part, queue: str, start: bytes) -> list[int]:
    """The numbers at the ends of the members of ``child`` that begin so."""
    members = part.client.call(
        "ZRANGEBYLEX", part.key("child", queue), b"[" + start, b"(" + start + b"\xff" * 13
    )
    return [int.from_bytes(member[-8:], "big") for member in members]


def _around(part: Part, queue: str, row: Row) -> Iterator[int]:
    """The numbers of all that is tied to a job, or was born of it, or it of that."""
    yield from filter(None, (row["next"], row["source"]))
    number = pack(">Q", row.seq)
    yield from listed(part, queue, b"n" + number)
    yield from listed(part, queue, b"s" + number)
    yield from listed(part, queue, b"i" + row["id"].encode() + b"\0")
    if row["inputs"]:
        ids = [one[2] for one in _given(part, queue, row.seq) if not one[1]]
        yield from (int(seq) for seq in part.many("HMGET", "id", ids, queue) if seq is not None)


def _whole(part: Part, queue: str, seq: int) -> dict[int, Row]:
    whole: dict[int, Row] = {}
    new = {seq}
    while new:
        rows = fetch(part, queue, sorted(new))
        whole |= {row.seq: row for row in rows}
        new = {other for row in rows for other in _around(part, queue, row)} - whole.keys()
        new -= {one for one in new if one in whole}
    return whole


def _given(part: Part, queue: str, seq: int) -> list[list[Any]]:
    """What came along with a job: slot, listed, id, state, result, error."""
    data = part.client.call("HGET", part.key("input", queue), seq)
    return [] if data is None else list(unpack(data))


def read_inputs(part: Part, queue: str, seq: int, without: Container[int] = ()) -> list[Input]:
    """See ``Workers.inputs``. Not those of the parents ``without``."""
    found = [
        Input(
            slot if listed else None,
            id_.decode(),
            State(state.decode()),
            result,
            json.loads(error or "null"),
        )
        for slot, listed, id_, state, result, error in _given(part, queue, seq)
    ]
    for row in fetch(part, queue, [seq]):
        parents = [one for one in parents_of(part, queue, row) if one.seq not in without]
        seqs = [parent.seq for parent in parents]
        results = dict(zip(seqs, part.many("HMGET", "result", seqs, queue), strict=True))
        for parent in parents:
            slot = parent["slot"] if parent["next"] == seq else None
            one = _input(part, parent, slot, results[parent.seq])
            if one is not None:
                found.append(one)
    # Of a chord that came over half done, some are here and some are there.
    return sorted(found, key=lambda one: one.slot or 0)


def _input(part: Part, row: Row, slot: int | None, result: bytes | None) -> Input | None:
    id_, state, taken = row["id"], row["state"], row["taken"]
    if not row["delivered"]:
        return None
    if state not in FINAL:
        # It runs again; what it has given stands until it ends.
        state = State.DEAD if row["delivered"] == FAILED else State.DONE
        taken = None if row["delivered"] == NONE else 0
    if state == State.DONE:
        if taken is None:
            return Input(slot, id_, State.DONE)
        return None if result is None else Input(slot, id_, State.DONE, result)
    if row["reason"] == "upstream":
        row = _culprit(part, row.queue, row.seq) or row
        id_, state = row["id"], row["state"]
        result = part.client.call("HGET", part.key("result", row.queue), row.seq)
    if state == State.DEAD or result is not None:
        errors = row.job().errors
        return Input(slot, id_, State.DEAD, result, errors[-1] if errors else None)
    return Input(slot, id_, State(state))


def _culprit(part: Part, queue: str, seq: int) -> Row | None:
    """What a stage that was never run because of another one is traced back to; the stage itself
    where that was purged."""
    seen: dict[int, Row] = {}
    todo: Sequence[Row] = fetch(part, queue, [seq])
    while todo:
        following: list[Row] = []
        for row in todo:
            seen[row.seq] = row
            if row["reason"] == "upstream":
                following += _ended(parents_of(part, queue, row))
        todo = [row for row in following if row.seq not in seen]
    guilty = [
        row
        for number, row in sorted(seen.items())
        if row["reason"] != "upstream" and row["finished_at"] is not None
    ]
    return guilty[0] if guilty else None


def _ended(parents: Iterable[Row]) -> list[Row]:
    return [row for row in parents if not row["delivered"] and row["finished_at"] is not None]
