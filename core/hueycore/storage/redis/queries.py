"""What ``sql/queries.py`` says, of rows in Redis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from struct import unpack

from hueycore.model.events import LogLine
from hueycore.model.jobs import Job, Newest, Selector
from hueycore.model.reports import Depth, QueueRow
from hueycore.model.states import Asked, State
from hueycore.storage.protocol import queries as protocol
from hueycore.storage.protocol.workers import Workers
from hueycore.storage.redis.departure import read_logs
from hueycore.storage.redis.messagepack import unpack_row
from hueycore.storage.redis.newest import newest
from hueycore.storage.redis.part import Part, number, text
from hueycore.storage.redis.rows import PLACES, fetch
from hueycore.storage.redis.selection import count, find, is_seq

ABOUT = ("serializer", "paused_at", "paused_until", "paused_by", "pause_reason", "purged",
          "created_at", "events")  # fmt: skip


class Queries(Part, Workers, protocol.Queries):
    def jobs(self, selector: Selector) -> list[Job]:
        return [row.job() for row in find(self, selector)]

    def newest(self, selector: Selector, most: int = protocol.LOOKED) -> Newest:
        return newest(self, selector, most)

    def count(self, selector: Selector) -> int:
        return count(self, selector)

    def count_by_task(self, selector: Selector) -> dict[str, int]:
        rows = find(self, selector._replace(limit=None, sort="seq"), texts=False)
        found = Counter(row["task"] for row in rows)
        return dict(sorted(found.items(), key=lambda one: (-one[1], one[0])))

    def job(self, key: str) -> Job | None:
        others = [name for name in self.queue_names() if name != self.queue]
        for queue in (self.queue, *others):
            seq = self.client.call("HGET", self.key("id", queue), key)
            if seq is not None:
                rows = fetch(self, queue, [int(seq)])
                if rows:
                    return rows[0].job()
        for queue in (self.queue, *others) if is_seq(key) else ():
            rows = fetch(self, queue, [int(key)])
            if rows:
                return rows[0].job()
        return None

    def payload(self, seq: int, *, queue: str | None = None) -> bytes | None:
        found: bytes | None = self.client.call("HGET", self.key("payload", queue), seq)
        return found

    def payloads(self, jobs: Sequence[Job]) -> list[bytes | None]:
        found: dict[tuple[str, int], bytes | None] = {}
        for queue in dict.fromkeys(job.queue for job in jobs):
            seqs = [job.seq for job in jobs if job.queue == queue]
            payloads = self.client.call("HMGET", self.key("payload", queue), *seqs)
            found |= {(queue, seq): each for seq, each in zip(seqs, payloads, strict=True)}
        return [found[job.queue, job.seq] for job in jobs]

    def log(self, seq: int, after: int = 0, *, queue: str | None = None) -> list[LogLine]:
        return read_logs(self, queue or self.queue, [seq], after).get(seq, [])

    def depths(self, states: Collection[State] = tuple(State)) -> list[Depth]:
        found = []
        for queue in self.queue_names():
            asked = [state for state in State if state in states]
            counts = self.ask(*(("ZCARD", self.key(state, queue)) for state in asked))
            for state, size in zip(asked, counts, strict=True):
                oldest = self._oldest(queue) if state is State.PENDING and size else None
                if size:
                    found.append(Depth(queue, state, size, oldest))
        return found

    def _oldest(self, queue: str) -> float | None:
        """The smallest ``run_at`` of pending jobs: that of the first one of some priority."""
        key, low, found = self.key(State.PENDING, queue), "-inf", list[float]()
        while first := self.client.call(
            "ZRANGEBYSCORE", key, low, "+inf", "WITHSCORES", "LIMIT", 0, 1
        ):
            member, score = first
            found.append(unpack(">d", member[:8])[0])
            low = f"({score.decode()}"
        return min(found, default=None)

    def queues(self) -> list[QueueRow]:
        found = []
        for queue in self.queue_names():
            about = self.client.call("HMGET", self.key("queue", queue), *ABOUT)
            serializer, at, until, by, reason, purged, created, events = about
            if created is not None:
                found.append(
                    QueueRow(
                        queue,
                        text(serializer),
                        number(at),
                        number(until),
                        text(by),
                        text(reason),
                        int(purged or 0),
                        float(created),
                        events == b"1",
                    )
                )
        return found

    def cancel_requested(self, seqs: Sequence[int], *, interrupt: bool = False) -> list[int]:
        asked = (Asked.INTERRUPT,) if interrupt else (Asked.STOP, Asked.INTERRUPT)
        place = PLACES["cancel_requested"]
        rows = [unpack_row(data) for data in self.many("HMGET", "row", list(seqs)) if data]
        return [row[0] for row in rows if row[place] in asked]
