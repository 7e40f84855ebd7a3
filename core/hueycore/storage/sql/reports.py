"""Figures for operators: rates, percentiles, groups of dead letters. Read only."""

from __future__ import annotations

import math
from operator import attrgetter
from typing import Any

from hueycore.model.histogram import read
from hueycore.model.jobs import Selector
from hueycore.model.keys import HeldKeys
from hueycore.model.reports import DeadGroup, Metric, SeenTask
from hueycore.model.states import State
from hueycore.storage.protocol.queries import LOOKED, Queries
from hueycore.storage.sql.dialect import Connection
from hueycore.storage.sql.heldkeys import held_keys
from hueycore.storage.sql.metrics import folded
from hueycore.storage.sql.part import Part
from hueycore.storage.sql.queries import queue_names
from hueycore.storage.sql.selector import by_state, conditions

_METRIC = """queue, minute, task, done, retried, dead, revoked, expired, run_s, run_max,
    run_hist, wait_hist"""

#: A minute that does not come.
_NEVER = 2**31 - 1


class Reports(Part, Queries):
    def metrics(self, since: float, until: float | None = None) -> list[Metric]:
        def body(con: Connection) -> list[Metric]:
            first = max(1, int(since // 60))
            end = _NEVER if until is None else math.ceil(until / 60)
            query = f"""
                select {_METRIC} from huey_metric where queue = ? and minute >= ? and minute < ?
            """
            found = [
                _to_metric(row)
                for queue in queue_names(con)
                for row in con.execute(query, (queue, first, end)).fetchall()
            ]
            return sorted(found, key=attrgetter("minute", "queue", "task"))

        return self.db.read(body, snapshot=True)

    def totals(self) -> list[Metric]:
        def body(con: Connection) -> list[Metric]:
            found: dict[tuple[str, str], Metric] = {}
            for queue in queue_names(con):
                rows = con.execute(
                    f"""
                    select {_METRIC} from huey_metric
                    where queue = ? and (minute = 0 or minute > ?) order by minute, task
                    """,
                    (queue, folded(con, queue)),
                ).fetchall()
                for row in map(_to_metric, rows):
                    key = (queue, row.task)
                    found[key] = found[key].plus(row) if key in found else row._replace(minute=0)
            return [found[key] for key in sorted(found)]

        return self.db.read(body, snapshot=True)

    def arrivals(self, since: float) -> dict[str, int]:
        def body(con: Connection) -> dict[str, int]:
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
            few = con.dialect.rows_only if 4 * (last - low) < last - first else ""
            rows = con.execute(
                f"select queue, count(*) from huey_job {few} where seq >= ? group by queue",
                (low,),
            ).fetchall()
            return dict(rows)

        return self.db.read(body, snapshot=True)

    def due(self) -> dict[str, float]:
        def body(con: Connection) -> dict[str, float]:
            rows = con.execute(
                """
                select queue, (
                    select min(run_at) from huey_job
                    where huey_job.queue = huey_queue.queue and state = 'scheduled') as next
                from huey_queue where exists (
                    select 1 from huey_job
                    where huey_job.queue = huey_queue.queue and state = 'scheduled')
                """
            ).fetchall()
            return dict(rows)

        return self.db.read(body)

    def held_keys(self, limit: int = 100, most: int = LOOKED) -> HeldKeys:
        return self.db.read(lambda con: held_keys(con, limit, most), snapshot=True)

    def ahead(self, seq: int) -> int:
        def body(con: Connection) -> int:
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
        others = Selector(states=tuple(state for state in State if state is not State.DONE))

        def body(con: Connection) -> list[SeenTask]:
            found = _seen(con, others)
            for queue in queue_names(con):
                found += _seen_done(con, queue)
            merged: dict[tuple[str, str], SeenTask] = {}
            for one in found:
                same = merged.get(one[:2], one._replace(jobs=0))
                last = max(same.last, one.last)
                merged[one[:2]] = one._replace(jobs=same.jobs + one.jobs, last=last)
            return sorted(merged.values())

        return self.db.read(body, snapshot=True)

    def dead_groups(self, selector: Selector, *, by_task: bool = True) -> list[DeadGroup]:
        task = "task" if by_task else "'*'"

        def body(con: Connection) -> list[DeadGroup]:
            where, values = conditions(con.dialect, selector._replace(states=(State.DEAD,)))
            last = con.dialect.of_last("errors", "type")
            since = [con.now() - 3600 * hours for hours in (1, 3, 24, 72, 168)]
            recent = ", ".join(["count(*) filter (where finished_at > ?)"] * len(since))
            rows = con.execute(
                f"""
                select count(*), {task} as named, coalesce({last}, reason, '?') as error, {recent},
                    min(finished_at), max(finished_at)
                from huey_job where {where} group by named, error order by 1 desc, 2, 3
                """,
                (*since, *values),
            ).fetchall()
            return [DeadGroup._make((*row[:3], tuple(row[3:8]), *row[8:])) for row in rows]

        return self.db.read(body)


def _seen(con: Connection, selector: Selector) -> list[SeenTask]:
    """The tasks of jobs, from their rows."""
    columns = "queue, task, coalesce(finished_at, enqueued_at) as at"
    chosen, values = by_state(con.dialect, selector, columns)
    rows = con.execute(
        f"select queue, task, count(*), max(at) from ({chosen}) as chosen group by queue, task",
        values,
    ).fetchall()
    return [SeenTask._make(row) for row in rows]


def _seen_done(con: Connection, queue: str) -> list[SeenTask]:
    """The tasks of the jobs that are done, from their endings since the oldest of them; from their
    rows as far as those endings are not counted any more."""
    (oldest,) = con.execute(
        """
        select min(finished_at) from huey_job
        where queue = ? and state = 'done' and finished_at is not null
        """,
        (queue,),
    ).fetchone()
    if oldest is None:
        return []
    (first,) = con.execute(
        "select min(minute) from huey_metric where queue = ? and minute > 0", (queue,)
    ).fetchone()
    done = Selector(queues=(queue,), states=(State.DONE,))
    found = []
    if first is None:
        found = _seen(con, done)
    elif oldest < 60.0 * first:
        found = _seen(con, done._replace(where=(("finished_at", "<", 60.0 * first),)))
    rows = con.execute(
        """
        select queue, task, sum(done), 60.0 * max(minute) from huey_metric
        where queue = ? and minute > 0 and minute >= ? and done > 0 group by queue, task
        """,
        (queue, int(oldest // 60)),
    ).fetchall()
    return found + [SeenTask._make(row) for row in rows]


def _to_metric(row: tuple[Any, ...]) -> Metric:
    return Metric._make((*row[:10], read(row[10]), read(row[11])))
