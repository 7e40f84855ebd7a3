"""What ``sql/reports.py`` says, of rows in Redis."""

from __future__ import annotations

import math
from collections.abc import Iterable
from operator import attrgetter
from struct import pack
from typing import Any

from hueycore.model.jobs import Selector
from hueycore.model.keys import HeldKeys
from hueycore.model.reports import DeadGroup, Metric, SeenTask
from hueycore.model.states import State
from hueycore.storage.protocol.queries import LOOKED, Queries
from hueycore.storage.redis.heldkeys import held_keys
from hueycore.storage.redis.messagepack import unpack
from hueycore.storage.redis.part import Part
from hueycore.storage.redis.rows import fetch, pages
from hueycore.storage.redis.scripts import keys_of, script
from hueycore.storage.redis.selection import find

#: Numbers that ``arrivals`` reads the rows of; of more it knows the minute.
_READ = 50_000


class Reports(Part, Queries):
    def metrics(self, since: float, until: float | None = None) -> list[Metric]:
        first, end = max(1, int(since // 60)), math.inf if until is None else math.ceil(until / 60)
        found = [one for queue in self.queue_names() for one in self._minutes(queue, first, end)]
        return sorted(found, key=attrgetter("minute", "queue", "task"))

    def _minutes(self, queue: str, first: int, end: float = math.inf) -> list[Metric]:
        """From a minute on, before another. A consumer's clock may be ahead of the server's."""
        last = int(min(self.client.now() // 60 + 1, end - 1))
        tasks = [task.decode() for task in self.client.call("HKEYS", self.key("total", queue))]
        size = self.client.call("HLEN", self.key("metric", queue))
        if (last + 1 - first) * len(tasks) < size:
            names = [f"{minute} {task}" for minute in range(first, last + 1) for task in tasks]
            lines: Iterable[Any] = zip(
                names, self.many("HMGET", "metric", names, queue), strict=True
            )
        else:
            lines = ((name.decode(), data) for name, data in self.pairs("metric", queue).items())
        found = []
        for name, data in lines:
            minute, _, task = name.partition(" ")
            if data is not None and first <= int(minute) < end:
                found.append(_to_metric(queue, int(minute), task, data))
        return found

    def totals(self) -> list[Metric]:
        found = []
        for queue in self.queue_names():
            flat = self.client.run(script("totals"), keys_of(queue), ("0", "{}"))
            found += [
                _to_metric(queue, 0, task.decode(), data)
                for task, data in zip(flat[::2], flat[1::2], strict=True)
            ]
        return sorted(found, key=attrgetter("queue", "task"))

    def arrivals(self, since: float) -> dict[str, int]:
        counts = {queue: self._arrived(queue, since) for queue in self.queue_names()}
        return {queue: number for queue, number in counts.items() if number}

    def _arrived(self, queue: str, since: float) -> int:
        firsts = {int(minute): int(seq) for minute, seq in self.pairs("arrival", queue).items()}
        last = int(self.client.call("HGET", self.key("queue", queue), "seq") or 0)
        minute = int(since // 60)
        started = [seq for at, seq in firsts.items() if at >= minute]
        if firsts and minute < min(firsts):
            started.append(1)
        if not started:
            return 0
        low = min(started)
        read = min(last, low + _READ - 1)
        number = 0
        for page in pages(self, queue, range(low, read + 1), texts=False):
            number += sum(row["enqueued_at"] >= since for row in page)
        return number + (last - read)

    def due(self) -> dict[str, float]:
        found = {}
        for queue in self.queue_names():
            first = self.client.call("ZRANGE", self.key("scheduled", queue), 0, 0, "WITHSCORES")
            if first:
                found[queue] = float(first[1])
        return found

    def held_keys(self, limit: int = 100, most: int = LOOKED) -> HeldKeys:
        return held_keys(self, limit, most)

    def ahead(self, seq: int, *, queue: str | None = None) -> int:
        rows = fetch(self, queue or self.queue, [seq], texts=False)
        if not rows:
            return 0
        row = rows[0]
        member = _member(row["run_at"], row.seq)
        if row["state"] == State.PENDING:
            return int(self.client.call("ZRANK", self.key("pending", queue), member) or 0)
        score: str = repr(-float(row["priority"]))
        number = int(self.client.call("ZCOUNT", self.key("pending", queue), "-inf", f"({score}"))
        same = self.client.call("ZRANGEBYSCORE", self.key("pending", queue), score, score)
        return number + sum(bool(one < member) for one in same)

    def tasks_seen(self) -> list[SeenTask]:
        found: list[SeenTask] = []
        others = tuple(state for state in State if state is not State.DONE)
        for queue in self.queue_names():
            found += self._seen(Selector(queues=(queue,), states=others))
            found += self._seen_done(queue)
        merged: dict[tuple[str, str], SeenTask] = {}
        for one in found:
            same = merged.get(one[:2], one._replace(jobs=0))
            last = max(same.last, one.last)
            merged[one[:2]] = one._replace(jobs=same.jobs + one.jobs, last=last)
        return sorted(merged.values())

    def _seen(self, selector: Selector) -> list[SeenTask]:
        found: dict[tuple[str, str], SeenTask] = {}
        for row in find(self, selector, texts=False):
            at = row["enqueued_at"] if row["finished_at"] is None else row["finished_at"]
            same = found.get((row.queue, row["task"]))
            last = at if same is None else max(at, same.last)
            number = 1 if same is None else same.jobs + 1
            found[row.queue, row["task"]] = SeenTask(row.queue, row["task"], number, last)
        return list(found.values())

    def _seen_done(self, queue: str) -> list[SeenTask]:
        oldest = self.client.call("ZRANGE", self.key(State.DONE, queue), 0, 0, "WITHSCORES")
        if not oldest:
            return []
        counted = self._minutes(queue, 1)
        first = min((line.minute for line in counted), default=None)
        done = Selector(queues=(queue,), states=(State.DONE,))
        found: list[SeenTask] = []
        if first is None:
            found = self._seen(done)
        elif float(oldest[1]) < 60.0 * first:
            found = self._seen(done._replace(where=(("finished_at", "<", 60.0 * first),)))
        for line in counted:
            if line.minute >= int(float(oldest[1]) // 60) and line.done:
                found.append(SeenTask(queue, line.task, line.done, 60.0 * line.minute))
        return found

    def dead_groups(self, selector: Selector, *, by_task: bool = True) -> list[DeadGroup]:
        now = self.client.now()
        since = [now - 3600 * hours for hours in (1, 3, 24, 72, 168)]
        groups: dict[tuple[str, str], list[float]] = {}
        for row in find(self, selector._replace(states=(State.DEAD,), limit=None, sort="seq")):
            job = row.job()
            error = job.errors[-1].get("type") if job.errors else None
            if row.errors and not row.errors.startswith(("{", "[")):
                error = None
            task = job.task if by_task else "*"
            key = (task, str(error or job.reason or "?"))
            groups.setdefault(key, []).append(row["finished_at"])
        found = [
            DeadGroup(
                len(ends),
                *key,
                tuple(sum(end > at for end in ends) for at in since),
                min(ends),
                max(ends),
            )
            for key, ends in groups.items()
        ]
        return sorted(found, key=lambda one: (-one.number, one.task, one.error))


def _member(run_at: float, seq: int) -> bytes:

    return pack(">dQ", run_at, seq)


def _to_metric(queue: str, minute: int, task: str, data: bytes) -> Metric:
    try:
        done, retried, dead, revoked, expired, *more = unpack(data)
        run_s, run_max, run_hist, wait_hist = more[:4]
    except (LookupError, ValueError, TypeError):  # somebody else wrote there
        return Metric(queue, minute, task, 0, 0, 0, 0, 0, 0.0, 0.0, {}, {})
    return Metric(
        queue,
        minute,
        task,
        done,
        retried,
        dead,
        revoked,
        expired,
        float(run_s),
        float(run_max),
        _hist(run_hist),
        _hist(wait_hist),
    )


def _hist(flat: Any) -> dict[int, int]:
    if not isinstance(flat, list):
        return {}
    return dict(zip(flat[::2], flat[1::2], strict=False))
