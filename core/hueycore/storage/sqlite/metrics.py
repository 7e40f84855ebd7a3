"""Counting endings per minute and task, in the transaction of the endings themselves."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Sequence

from hueycore import clock
from hueycore.ending import Dead, Ending, Expired, Retry, Revoked
from hueycore.histogram import bucket
from hueycore.storage.rows import Claim, Ended


class _Line:
    """What one task did since the transaction began."""

    __slots__ = ("counts", "run_hist", "run_max", "run_s", "wait_hist")

    def __init__(self) -> None:
        self.counts: dict[str, int] = defaultdict(int)
        self.run_s = self.run_max = 0.0
        self.run_hist: dict[int, int] = defaultdict(int)
        self.wait_hist: dict[int, int] = defaultdict(int)

    def run(self, claim: Claim, started: float | None, run_s: float) -> None:
        if started is None:
            return
        self.run_s += run_s
        if run_s > self.run_max:
            self.run_max = run_s
        self.run_hist[bucket(run_s)] += 1
        self.wait_hist[bucket(started - claim.run_at)] += 1


class Tally:
    """The endings of one transaction."""

    def __init__(self, queue: str) -> None:
        self._queue = queue
        self._lines: dict[str, _Line] = defaultdict(_Line)

    def done(self, endings: Sequence[Ended]) -> None:
        for claim, _, started, run_s in endings:
            line = self._lines[claim.task]
            line.counts["done"] += 1
            line.run(claim, started, run_s)

    def other(self, ended: Ended, ending: Ending) -> None:
        name = _COUNTERS.get(type(ending))
        if name is not None:
            line = self._lines[ended.claim.task]
            line.counts[name] += 1
            line.run(ended.claim, ended.started_at, ended.run_s)

    def write(self, con: sqlite3.Connection) -> None:
        minute = int(clock.now() // 60)
        for task, line in self._lines.items():
            key = (self._queue, minute, task)
            row = con.execute(
                """
                select run_hist, wait_hist from huey_metric
                where queue = ? and minute = ? and task = ?
                """,
                key,
            ).fetchone()
            run_hist, wait_hist = row or ("{}", "{}")
            counts = line.counts
            con.execute(
                """
                insert into huey_metric (queue, minute, task, done, retried, dead, revoked, expired,
                    run_s, run_max, run_hist, wait_hist)
                values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                on conflict (queue, minute, task) do update set
                    done = done + excluded.done, retried = retried + excluded.retried,
                    dead = dead + excluded.dead, revoked = revoked + excluded.revoked,
                    expired = expired + excluded.expired, run_s = run_s + excluded.run_s,
                    run_max = max(run_max, excluded.run_max),
                    run_hist = excluded.run_hist, wait_hist = excluded.wait_hist
                """,
                (
                    *key, counts["done"], counts["retried"], counts["dead"], counts["revoked"],
                    counts["expired"], line.run_s, line.run_max,
                    _merged(run_hist, line.run_hist), _merged(wait_hist, line.wait_hist),
                ),
            )  # fmt: skip


_COUNTERS: dict[type, str] = {
    Retry: "retried",
    Dead: "dead",
    Revoked: "revoked",
    Expired: "expired",
}


def _merged(stored: str, added: dict[int, int]) -> str:
    counts = json.loads(stored)
    for number, count in added.items():
        counts[str(number)] = counts.get(str(number), 0) + count
    return json.dumps(counts, separators=(",", ":"))
