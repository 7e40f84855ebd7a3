"""Figures for operators: rates, percentiles, groups of dead letters. Read only."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from hueycore.model.jobs import Selector
from hueycore.model.reports import DeadGroup, Metric, SeenTask
from hueycore.model.states import State
from hueycore.storage.sql.metrics import folded
from hueycore.storage.sql.part import Room
from hueycore.storage.sql.queries import conditions
from hueycore.system import clock

_METRIC = """m.queue, minute, task, done, retried, dead, revoked, expired, run_s, run_max,
    run_hist, wait_hist"""
_LAST_ERROR = "coalesce(json_extract(errors, '$[#-1].type'), reason, '?')"


class Reporting(Room):
    def metrics(self, since: float) -> list[Metric]:
        """What ended per queue, minute and task since a time (POSIX seconds), oldest first."""

        def body(con: sqlite3.Connection) -> list[Metric]:
            rows = con.execute(
                f"""
                select {_METRIC} from huey_queue q cross join huey_metric m
                    on m.queue = q.queue and m.minute >= ?
                order by minute, m.queue, task
                """,  # noqa: S608
                (max(1, int(since // 60)),),
            ).fetchall()
            return [_to_metric(row) for row in rows]

        return self.db.read(body)

    def totals(self) -> list[Metric]:
        """What ended per queue and task, ever: numbers that only grow. Their minute is 0."""

        def body(con: sqlite3.Connection) -> list[Metric]:
            found: dict[tuple[str, str], Metric] = {}
            for (queue,) in con.execute("select queue from huey_queue order by queue").fetchall():
                rows = con.execute(
                    f"""
                    select {_METRIC} from huey_metric m
                    where queue = ? and (minute = 0 or minute > ?) order by minute, task
                    """,  # noqa: S608
                    (queue, folded(con, queue)),
                ).fetchall()
                for row in map(_to_metric, rows):
                    key = (queue, row.task)
                    found[key] = _sum(found[key], row) if key in found else row._replace(minute=0)
            return [found[key] for key in sorted(found)]

        return self.db.read(body, snapshot=True)

    def arrivals(self, since: float) -> dict[str, int]:
        """Jobs enqueued per queue since a time. Numbers grow with time, so the first one of the
        window is found by halving, without an index on times; what was purged is not counted."""

        def body(con: sqlite3.Connection) -> dict[str, int]:
            # Asked for one by one: both in one query would read every row.
            first = con.execute("select coalesce(min(seq), 1) from huey_job").fetchone()[0]
            last = con.execute("select coalesce(max(seq), 0) from huey_job").fetchone()[0]
            low, high = first, last
            while low <= high:
                middle = (low + high) // 2
                row = con.execute(
                    "select seq, enqueued_at from huey_job where seq >= ? order by seq limit 1",
                    (middle,),
                ).fetchone()
                if row[1] < since:
                    low = row[0] + 1
                else:
                    high = middle - 1
            # The index of ids is smaller than the rows, but can only be read as a whole.
            few = "not indexed" if 4 * (last - low) < last - first else ""
            rows = con.execute(
                f"select queue, count(*) from huey_job {few} where seq >= ? group by queue",  # noqa: S608
                (low,),
            ).fetchall()
            return dict(rows)

        return self.db.read(body, snapshot=True)

    def due(self) -> dict[str, float]:
        """When the next scheduled job of each queue that has one is due."""

        def body(con: sqlite3.Connection) -> dict[str, float]:
            rows = con.execute(
                """
                select queue, (
                    select min(run_at) from huey_job
                    where huey_job.queue = huey_queue.queue and state = 'scheduled') as next
                from huey_queue where next is not null
                """
            ).fetchall()
            return dict(rows)

        return self.db.read(body)

    def ahead(self, seq: int) -> int:
        """How many pending jobs run before this one."""

        def body(con: sqlite3.Connection) -> int:
            return int(
                con.execute(
                    """
                    select count(*) from huey_job other, huey_job mine
                    where mine.seq = ? and other.queue = mine.queue and other.state = 'pending'
                        and (-other.priority, other.run_at, other.seq)
                            < (-mine.priority, mine.run_at, mine.seq)
                    """,
                    (seq,),
                ).fetchone()[0]
            )

        return self.db.read(body)

    def tasks_seen(self) -> list[SeenTask]:
        """Every task that jobs of the file name, registered anywhere or not. Reads every row."""

        def body(con: sqlite3.Connection) -> list[SeenTask]:
            rows = con.execute(
                """
                select queue, task, count(*), max(coalesce(finished_at, enqueued_at))
                from huey_job group by queue, task order by queue, task
                """
            ).fetchall()
            return [SeenTask._make(row) for row in rows]

        return self.db.read(body)

    def dead_groups(self, selector: Selector, *, by_task: bool = True) -> list[DeadGroup]:
        """Dead jobs by the error of their last attempt (and task), most frequent first, with how
        many died in the last 1 h, 3 h, 24 h, 3 d and 7 d."""
        where, values = conditions(selector._replace(states=(State.DEAD,)))
        task = "task" if by_task else "'*'"
        now = clock.now()
        hours = (1, 3, 24, 72, 168)
        recent = ", ".join(f"sum(finished_at > {now - 3600 * hour!r})" for hour in hours)

        def body(con: sqlite3.Connection) -> list[DeadGroup]:
            rows = con.execute(
                f"""
                select count(*), {task} as named, {_LAST_ERROR} as error, {recent},
                    min(finished_at), max(finished_at)
                from huey_job where {where} group by named, error order by 1 desc, 2, 3
                """,  # noqa: S608
                values,
            ).fetchall()
            return [DeadGroup._make((*row[:3], tuple(row[3:8]), *row[8:])) for row in rows]

        return self.db.read(body)


def _to_metric(row: tuple[Any, ...]) -> Metric:
    return Metric._make((*row[:10], _counts(row[10]), _counts(row[11])))


def _sum(one: Metric, other: Metric) -> Metric:
    """Two lines of one task as one; the histograms of the first are added to in place."""
    for mine, more in ((one.run_hist, other.run_hist), (one.wait_hist, other.wait_hist)):
        for number, count in more.items():
            mine[number] = mine.get(number, 0) + count
    return one._replace(
        done=one.done + other.done,
        retried=one.retried + other.retried,
        dead=one.dead + other.dead,
        revoked=one.revoked + other.revoked,
        expired=one.expired + other.expired,
        run_s=one.run_s + other.run_s,
        run_max=max(one.run_max, other.run_max),
    )


def _counts(text: str) -> dict[int, int]:
    return {int(number): count for number, count in json.loads(text).items()}
