"""What the keys of a queue say: declared limits, outside locks, slots in use, rates."""

from __future__ import annotations

from functools import cached_property

from hueycore.model.limits import Limit, Rate
from hueycore.storage.sql.dialect import Connection, Pages

#: Rows of one key that one transaction moves at most: a limit may be lifted over a long queue.
MOVES = 500


class KeyView:
    """What the keys of a queue say at this moment, read as far as it is asked."""

    def __init__(self, con: Connection, queue: str) -> None:
        self.con, self.queue, self.now = con, queue, con.now()
        self._tats: dict[str, float] = {}

    @cached_property
    def limits(self) -> dict[str, Limit]:
        return read_limits(self.con, self.queue)

    @cached_property
    def _paused(self) -> dict[str, float | None]:
        rows = self.con.execute(
            """
            select name, until from huey_flag
            where queue = ? and kind = 'paused-task' and (until is null or until > ?)
            """,
            (self.queue, self.now),
        ).fetchall()
        return dict(rows)

    @property
    def next_resume(self) -> float | None:
        """When the next pause of a task ends by itself."""
        return min((until for until in self._paused.values() if until is not None), default=None)

    def outside_lock(self, key: str) -> tuple[bool, float | None]:
        """Whether a lock holds the whole key back, and when its lease ends if it has one."""
        row = self.con.execute(
            """
            select expires_at from huey_value
            where queue = ? and kind = 'lock' and name = ?
                and (expires_at is null or expires_at > ?)
            """,
            (self.queue, key, self.now),
        ).fetchone()
        return (False, None) if row is None else (True, row[0])

    def used(self, key: str) -> tuple[int, int]:
        """How many jobs of a key run, and how many are about to."""
        d = self.con.dialect
        rows = self.con.execute(
            f"""
            select state, count(*) from huey_job
            where queue = ? and key_name = ? and finished_at is null
                and state in ('pending', 'running')
                and (state = 'running' or not {d.among("task")})
            group by state
            """,
            (self.queue, key, d.listed(self._paused)),
        ).fetchall()
        found = dict(rows)
        return found.get("running", 0), found.get("pending", 0)

    def blocked(self, key: str) -> Pages:
        """(seq, task, priority) of what waits for a key, in running order."""
        d = self.con.dialect
        return self.con.pages(
            f"""
            select seq, task, priority from huey_job
            where queue = ? and key_name = ? and state = 'blocked' and waits = 0
                and not {d.among("task")}
            order by priority desc, run_at, seq
            """,
            (self.queue, key, d.listed(self._paused)),
        )

    def pending(self, key: str) -> list[tuple[float, int, str]]:
        """(priority, seq, task) of what is about to run, the last one first."""
        d = self.con.dialect
        return self.con.execute(
            f"""
            select priority, seq, task from huey_job
            where queue = ? and key_name = ? and finished_at is null and state = 'pending'
                and not {d.among("task")}
            order by priority, run_at desc, seq desc limit ?
            """,
            (self.queue, key, d.listed(self._paused), MOVES),
        ).fetchall()

    def tat(self, name: str) -> float:
        """The theoretical arrival time of a rate. When the clock was set back it goes with it: what
        was to be waited then is to be waited now, and not a day."""
        if name not in self._tats:
            row = self.con.execute(
                "select tat, seen from huey_key where queue = ? and name = ? and tat is not null",
                (self.queue, name),
            ).fetchone()
            self._tats[name] = 0.0 if row is None else row[0]
            if row is not None and row[1] > self.now:
                self.set_tat(name, row[0] - (row[1] - self.now))
        return self._tats[name]

    def set_tat(self, name: str, tat: float) -> None:
        self._tats[name] = tat
        self.con.execute(
            """
            insert into huey_key (queue, name, tat, seen) values (?, ?, ?, ?)
            on conflict (queue, name) do update set tat = excluded.tat, seen = excluded.seen
            """,
            (self.queue, name, tat, self.now),
        )

    def wake_at(self, key: str, due: float | None) -> None:
        """Settle the key again at ``due``, if not before."""
        if due is None:
            self.con.execute(
                """
                update huey_key set due = null where queue = ? and name = ? and due is not null
                """,
                (self.queue, key),
            )
        else:
            self.con.execute(
                f"""
                insert into huey_key (queue, name, due) values (?, ?, ?)
                on conflict (queue, name) do update set due = excluded.due
                where huey_key.due {self.con.dialect.differs} excluded.due
                """,
                (self.queue, key, due),
            )


def read_limits(con: Connection, queue: str) -> dict[str, Limit]:
    """What the tasks of a queue declare, by name."""
    rows = con.execute(
        "select task, key_name, at_once, rate, per, burst from huey_limit where queue = ?",
        (queue,),
    ).fetchall()
    return {
        task: Limit(task, key, at_once, None if rate is None else Rate(rate, per, burst))
        for task, key, at_once, rate, per, burst in rows
    }
