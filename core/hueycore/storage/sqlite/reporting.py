"""Figures for operators: rates, percentiles, groups of dead letters. Read only."""

from __future__ import annotations

import json
import sqlite3

from hueycore import clock
from hueycore.storage.rows import DeadGroup, Metric, Selector
from hueycore.storage.sqlite.looking import conditions
from hueycore.storage.sqlite.room import Room
from hueycore.storage.words import State

_LAST_ERROR = "coalesce(json_extract(errors, '$[#-1].type'), reason, '?')"


class Reporting(Room):
    def metrics(self, since: float) -> list[Metric]:
        """What ended per queue, minute and task since a time (POSIX seconds), oldest first."""

        def body(con: sqlite3.Connection) -> list[Metric]:
            rows = con.execute(
                """
                select queue, minute, task, done, retried, dead, revoked, expired, run_s, run_max,
                    run_hist, wait_hist
                from huey_metric where minute >= ? order by minute, queue, task
                """,
                (int(since // 60),),
            ).fetchall()
            return [Metric._make((*row[:10], _counts(row[10]), _counts(row[11]))) for row in rows]

        return self.db.read(body)

    def arrivals(self, since: float) -> dict[str, int]:
        """Jobs enqueued per queue since a time. Numbers grow with time, so the first one of the
        window is found by halving, without an index on times; what was purged is not counted."""

        def body(con: sqlite3.Connection) -> dict[str, int]:
            low, high = con.execute(
                "select coalesce(min(seq), 1), coalesce(max(seq), 0) from huey_job"
            ).fetchone()
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
            rows = con.execute(
                "select queue, count(*) from huey_job where seq >= ? group by queue", (low,)
            ).fetchall()
            return dict(rows)

        return self.db.read(body, snapshot=True)

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


def _counts(text: str) -> dict[int, int]:
    return {int(number): count for number, count in json.loads(text).items()}
