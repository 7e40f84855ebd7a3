"""Jobs on their way out: rows with all that other keys say of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from secrets import token_hex
from typing import NamedTuple

from hueycore.exceptions import StorageError
from hueycore.model.events import LogLine
from hueycore.model.jobs import Cargo, Selector
from hueycore.model.ties import together
from hueycore.storage.redis.batches import batches_of
from hueycore.storage.redis.part import Part
from hueycore.storage.redis.rows import Row, fetch
from hueycore.storage.redis.scripts import KEYS
from hueycore.storage.redis.selection import find
from hueycore.storage.redis.stages import read_inputs
from hueycore.storage.redis.ties import neighbours

#: Jobs of a page: of the first one, and at most. Bytes of their arguments and results, about.
FIRST, PAGE, PAGE_BYTES = 50, 500, 8_000_000
#: Seconds that the copy of a dump which was cut off stays on the server.
COPY_TTL = 3600


class Copy(Part):
    """The keys of some queues as they were at one moment: the server's own copies of them."""

    def __init__(self, part: Part, queues: Sequence[str]) -> None:
        self.client, self.queue, self._queues = part.client, part.queue, list(queues)
        self._mark = f"copy-{token_hex(8)}:"

    def key(self, name: str, queue: str | None = None) -> str:
        return super().key(self._mark + name, queue or self.queue)

    def queue_names(self) -> list[str]:
        return self._queues


@contextmanager
def copied(part: Part, queues: Sequence[str]) -> Iterator[Copy]:
    """One queue after the other: each may be on a server of its own."""
    copy = Copy(part, queues)
    try:
        for queue in queues:
            pairs = [(part.key(name, queue), copy.key(name, queue)) for name in KEYS]
            copies = [("COPY", key, to, "REPLACE") for key, to in pairs]
            part.ask(*copies, *(("EXPIRE", to, COPY_TTL) for _, to in pairs))
        yield copy
    finally:
        with suppress(StorageError):  # they go by themselves
            for queue in queues:
                part.client.call("UNLINK", *(copy.key(name, queue) for name in KEYS))


class Packed(NamedTuple):
    row: Row
    payload: bytes | None
    result: bytes | None


def packed(part: Part, rows: Sequence[Row]) -> list[Packed]:
    """Rows of one queue with their bytes."""
    if not rows:
        return []
    queue, seqs = rows[0].queue, [row.seq for row in rows]
    payloads = part.many("HMGET", "payload", seqs, queue)
    results = part.many("HMGET", "result", seqs, queue)
    return [Packed(*one) for one in zip(rows, payloads, results, strict=True)]


def pages(part: Part, queue: str, selector: Selector) -> Iterator[list[Cargo]]:
    """The selected jobs of a queue: see ``Transfer.dump``."""
    chosen = find(part, selector._replace(queues=(queue,), sort="seq", limit=None), texts=False)
    coming = {n for n, one in batches_of(part, queue).items() if one["state"] != "in"}
    seqs = [row.seq for row in chosen if row["batch"] not in coming]
    wanted, told, size, at = set(seqs), set[int](), FIRST, 0
    while at < len(seqs):
        some = seqs[at : at + size]
        fresh = [seq for seq in some if seq not in told]
        found = packed(part, fetch(part, queue, fresh))
        groups = _groups(part, queue, found)
        last = some[-1]
        later = {seq for members in groups.values() for seq in members if seq > last} & wanted
        told |= later
        found += packed(part, fetch(part, queue, sorted(later)))
        if found:
            yield pack(part, queue, _arranged(found, groups), groups)
        at += size
        weight = sum(len(one.payload or b"") + len(one.result or b"") for one in found)
        size = min(PAGE, max(1, size * PAGE_BYTES // max(1, weight)))


def pack(
    part: Part, queue: str, found: Sequence[Packed], groups: Mapping[int, Sequence[int]]
) -> list[Cargo]:
    """These jobs with what else there is of them. Those of a group of ``groups`` hang together,
    any other job takes along what it was given."""
    here = [one.row.seq for one in found]
    logs = _logs(part, queue, here)
    handlers = part.many("HMGET", "handler", here, queue)
    inputs = part.many("HMGET", "input", here, queue)
    given = {seq for seq, data in zip(here, inputs, strict=True) if data is not None}
    given |= {one.row.seq for one in found if one.row["inputs"] and one.row.seq not in groups}
    first: dict[int, int] = {}
    for members in {id(members): members for members in groups.values()}.values():
        present = [seq for seq in members if seq in {*here}]
        if len(present) > 1:
            first |= dict.fromkeys(present, present[0])
        if len(present) < len(members):
            given |= set(present)
    return [
        Cargo(
            row.job(),
            payload,
            result,
            read_inputs(part, queue, row.seq, first) if row.seq in given else (),
            logs.get(row.seq, ()),
            None if handler is None else handler.decode(),
            row["delivered"],
            first.get(row.seq, 0),
        )
        for (row, payload, result), handler in zip(found, handlers, strict=True)
    ]


def _groups(part: Part, queue: str, found: Sequence[Packed]) -> dict[int, list[int]]:
    tied = {
        row.seq: (row["next"], row["source"])
        for row, *_ in found
        if row["inputs"] or row["next"] is not None or row["source"] is not None
    }
    return together(tied, partial(neighbours, part, queue)) if tied else {}


def _arranged(found: Sequence[Packed], groups: Mapping[int, Sequence[int]]) -> list[Packed]:
    by_seq = {one.row.seq: one for one in found}
    arranged = []
    for one in found:
        for seq in groups.get(one.row.seq, (one.row.seq,)):
            if (member := by_seq.pop(seq, None)) is not None:
                arranged.append(member)
    return arranged


def read_log(part: Part, queue: str, seq: int, about: bytes | None, after: int) -> list[LogLine]:
    """The lines of a job; ``about`` says which there are."""
    if about is None:
        return []
    first, last = map(int, about.split())
    lines = range(max(first, after + 1), last + 1)
    found = part.many("HMGET", "log", [f"{seq}:{line}" for line in lines], queue)
    return [
        LogLine._make((*json.loads(told), line))
        for line, told in zip(lines, found, strict=True)
        if told is not None
    ]


def _logs(part: Part, queue: str, seqs: Sequence[int]) -> dict[int, list[LogLine]]:
    told = part.many("HMGET", "log", seqs, queue)
    return {
        seq: read_log(part, queue, seq, about, 0)
        for seq, about in zip(seqs, told, strict=True)
        if about is not None
    }
