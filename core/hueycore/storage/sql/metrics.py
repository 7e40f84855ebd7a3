"""Counting endings per minute and task, in the transaction of the endings themselves.

The row of minute 0 holds what a task did in all the minutes up to the one that is noted in
``huey_meta``: totals that only grow, although the minutes are purged."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from operator import itemgetter
from typing import Any

from hueycore.model.endings import Dead, Ending, Expired, Retry, Revoked
from hueycore.model.histogram import bucket, read
from hueycore.model.jobs import Claim, Ended
from hueycore.storage.sql.dialect import Connection, Dialect

#: ``json.dumps`` with separators makes an encoder each time.
_encode = json.JSONEncoder(separators=(",", ":")).encode
#: Rows that one transaction adds to the totals.
FOLDED = 300
#: Queue, minute, task.
_Key = tuple[str, int, str]
_COUNTED = ("done", "retried", "dead", "revoked", "expired")


@cache
def _add(d: Dialect) -> str:
    sums = (*_COUNTED, "run_s")
    return f"""
        insert into huey_metric (queue, minute, task, {", ".join(_COUNTED)}, run_s, run_max,
            run_hist, wait_hist)
        values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        on conflict (queue, minute, task) do update set
            {", ".join(f"{name} = huey_metric.{name} + excluded.{name}" for name in sums)},
            run_max = {d.greatest}(huey_metric.run_max, excluded.run_max),
            run_hist = {d.added("huey_metric.run_hist", "excluded.run_hist")},
            wait_hist = {d.added("huey_metric.wait_hist", "excluded.wait_hist")}
    """


class _Line:
    """What one task did: since the transaction began, or in several stored minutes."""

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

    def absorb(self, row: tuple[Any, ...]) -> None:
        """Add a stored line, its columns from ``done`` on."""
        for name, number in zip(_COUNTED, row, strict=False):
            self.counts[name] += number
        self.run_s += row[5]
        self.run_max = max(self.run_max, row[6])
        for hist, text in ((self.run_hist, row[7]), (self.wait_hist, row[8])):
            for number, count in read(text).items():
                hist[number] += count

    def add_to(self, con: Connection, key: _Key) -> None:
        """Add this line to the stored one."""
        d = con.dialect
        run_hist, wait_hist = ("{}", "{}") if d.adds_histograms else _stored(con, key)
        con.execute(
            _add(d),
            (
                *key,
                *(self.counts[name] for name in _COUNTED),
                self.run_s,
                self.run_max,
                _merged(run_hist, self.run_hist),
                _merged(wait_hist, self.wait_hist),
            ),
        )


class Tally:
    """The endings of one transaction."""

    def __init__(self, queue: str) -> None:
        self._queue = queue
        self._lines: dict[str, _Line] = defaultdict(_Line)

    def done(self, endings: Sequence[Ended]) -> None:
        for claim, _, started, run_s, _ in endings:
            line = self._lines[claim.task]
            line.counts["done"] += 1
            line.run(claim, started, run_s)

    def other(self, ended: Ended, ending: Ending) -> None:
        name = _COUNTERS.get(type(ending))
        if name is not None:
            line = self._lines[ended.claim.task]
            line.counts[name] += 1
            line.run(ended.claim, ended.started_at, ended.run_s)

    def write(self, con: Connection) -> None:
        minute = int(con.now() // 60)
        # In order: others may do the same at this moment, and wait for each other's rows.
        for task, line in sorted(self._lines.items(), key=itemgetter(0)):
            line.add_to(con, (self._queue, minute, task))


def _stored(con: Connection, key: _Key) -> tuple[str, str]:
    """The histograms of a line."""
    row = con.execute(
        "select run_hist, wait_hist from huey_metric where queue = ? and minute = ? and task = ?",
        key,
    ).fetchone()
    return row or ("{}", "{}")


def folded(con: Connection, queue: str) -> int:
    """The last minute that the totals of a queue contain."""
    row = con.execute("select value from huey_meta where name = ?", (_mark(queue),)).fetchone()
    return int(row[0]) if row and row[0].isdecimal() and len(row[0]) < 19 else 0


def fold(con: Connection, queue: str, now: float) -> bool:
    """Add the minutes that are over to the totals of each task, some at a time; True when there may
    be more."""
    last, end = folded(con, queue), int(now // 60) - 1
    until = _some(con, queue, last, end)
    rows = con.execute(
        """
        select task, done, retried, dead, revoked, expired, run_s, run_max, run_hist, wait_hist
        from huey_metric where queue = ? and minute > ? and minute < ?
        """,
        (queue, last, until),
    ).fetchall()
    lines: dict[str, _Line] = defaultdict(_Line)
    for row in rows:
        lines[row[0]].absorb(row[1:])
    for task, line in lines.items():
        line.add_to(con, (queue, 0, task))
    if rows:
        con.execute(
            """
            insert into huey_meta (name, value) values (?, ?)
            on conflict (name) do update set value = excluded.value
            """,
            (_mark(queue), str(until - 1)),
        )
    return until < end


def _some(con: Connection, queue: str, last: int, end: int) -> int:
    """The minute before which ``FOLDED`` rows are, or those of one minute; at most ``end``."""
    rows = con.execute(
        """
        select minute from huey_metric where queue = ? and minute > ? and minute < ?
        order by minute limit ?
        """,
        (queue, last, end, FOLDED + 1),
    ).fetchall()
    if len(rows) <= FOLDED:
        return end
    first, until = rows[0][0], rows[-1][0]
    return int(max(first + 1, until))


def _mark(queue: str) -> str:
    return f"folded {queue}"


_COUNTERS: dict[type, str] = {
    Retry: "retried",
    Dead: "dead",
    Revoked: "revoked",
    Expired: "expired",
}


def _merged(stored: str, added: dict[int, int]) -> str:
    counts = read(stored)
    for number, count in added.items():
        counts[number] = counts.get(number, 0) + count
    return _encode(counts)
