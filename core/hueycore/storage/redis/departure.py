"""Jobs on their way out: rows with all that other keys say of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import islice
from secrets import token_hex
from typing import NamedTuple, TypeVar

from hueycore.exceptions import StorageError
from hueycore.model.departure import FIRST, Groups, arranged, next_size, parted
from hueycore.model.events import LogLine
from hueycore.model.jobs import Cargo, Selector
from hueycore.model.ties import together
from hueycore.storage.redis.batches import batches_of
from hueycore.storage.redis.part import Part
from hueycore.storage.redis.rows import Row, fetch
from hueycore.storage.redis.scripts import KEYS
from hueycore.storage.redis.selection import condition, find, numbers
from hueycore.storage.redis.stages import read_inputs
from hueycore.storage.redis.ties import neighbours
from hueycore.system import clock

#: Seconds that the copy of a dump which was cut off stays on the server, and after which a dump
#: that goes on says that it needs it.
COPY_TTL, RENEWAL = 3600, 60.0

T = TypeVar("T")


class Copy(Part):
    """The keys of some queues as they were at one moment: the server's own copies of them."""

    def __init__(self, part: Part, queues: Sequence[str]) -> None:
        self.client, self.queue, self._queues = part.client, part.queue, list(queues)
        self._mark = f"copy-{token_hex(8)}:"
        self._renewed = clock.monotonic()
        #: By queue, how many of its keys there were.
        self._number: dict[str, int] = {}

    def key(self, name: str, queue: str | None = None) -> str:
        return super().key(self._mark + name, queue or self.queue)

    def queue_names(self) -> list[str]:
        return self._queues

    def make(self) -> None:
        """One queue after the other: each may be on a server of its own."""
        for queue in self._queues:
            pairs = [(super(Copy, self).key(name, queue), self.key(name, queue)) for name in KEYS]
            self._number[queue] = self.client.copy(pairs, COPY_TTL)

    def lasting(self, pages: Iterable[T]) -> Iterator[T]:
        """What was read while the copy was there. Raises ``StorageError`` when it is gone."""
        for page in pages:
            self._renew()
            yield page
        self._renew()

    def _renew(self) -> None:
        if clock.monotonic() - self._renewed < RENEWAL:
            return
        for queue, number in self._number.items():
            there = self.ask(*(("EXPIRE", self.key(name, queue), COPY_TTL) for name in KEYS))
            if sum(there) < number:
                raise StorageError("the server's copy of the queue is gone: dump it again")
        self._renewed = clock.monotonic()

    def remove(self) -> None:
        for queue in self._queues:
            self.client.call("UNLINK", *(self.key(name, queue) for name in KEYS))


@contextmanager
def copied(part: Part, queues: Sequence[str]) -> Iterator[Copy]:
    copy = Copy(part, queues)
    try:
        copy.make()
        yield copy
    finally:
        with suppress(StorageError):  # they go by themselves
            copy.remove()


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
    selector = selector._replace(queues=(queue,), sort="seq", limit=None)
    matches, told, size = condition(selector), set[int](), FIRST
    coming = {n for n, one in batches_of(part, queue).items() if one["state"] != "in"}

    def is_meant(row: Row) -> bool:
        return bool(matches(row)) and row["batch"] not in coming

    seqs = iter(_numbers(part, queue, selector))
    while some := list(islice(seqs, size)):
        fresh = fetch(part, queue, [seq for seq in some if seq not in told])
        found = packed(part, [row for row in fresh if is_meant(row)])
        told.difference_update(some)
        groups = _groups(part, queue, found)
        wanted = sorted({seq for members in groups.values() for seq in members if seq > some[-1]})
        later = packed(part, [row for row in fetch(part, queue, wanted) if is_meant(row)])
        told.update(one.row.seq for one in later)
        if found:
            by_seq = {one.row.seq: one for one in (*found, *later)}
            page = pack(part, queue, arranged(by_seq, groups), groups)
            yield page
            size = next_size(page)


def _numbers(part: Part, queue: str, selector: Selector) -> Iterable[int]:
    """Numbers in their order, among which are those of the selected jobs."""
    if selector.keys:
        return [row.seq for row in find(part, selector, texts=False)]
    return numbers(part, queue, selector.states)


def pack(part: Part, queue: str, found: Sequence[Packed], groups: Groups) -> list[Cargo]:
    """These jobs with what else there is of them. Those of a group of ``groups`` hang together,
    any other job takes along what it was given."""
    here = [one.row.seq for one in found]
    logs = read_logs(part, queue, here)
    handlers = part.many("HMGET", "handler", here, queue)
    inputs = part.many("HMGET", "input", here, queue)
    given = {seq for seq, data in zip(here, inputs, strict=True) if data is not None}
    given |= {one.row.seq for one in found if one.row["inputs"] and one.row.seq not in groups}
    first, torn = parted(groups, here)
    given |= torn
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


def read_logs(
    part: Part, queue: str, seqs: Sequence[int], after: int = 0
) -> dict[int, list[LogLine]]:
    """The lines of some jobs, by number; none of a job that has none."""
    places = [
        (seq, line)
        for seq, about in zip(seqs, part.many("HMGET", "log", seqs, queue), strict=True)
        if about is not None
        for line in _lines(about, after)
    ]
    fields = [f"{seq}:{line}" for seq, line in places]
    found: dict[int, list[LogLine]] = {}
    for (seq, line), told in zip(places, part.many("HMGET", "log", fields, queue), strict=True):
        if told is not None:
            found.setdefault(seq, []).append(LogLine._make((*json.loads(told), line)))
    return found


def _lines(about: bytes, after: int) -> range:
    first, last = map(int, about.split())
    return range(max(first, after + 1), last + 1)
