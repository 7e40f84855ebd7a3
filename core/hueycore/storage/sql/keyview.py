"""What the keys of a queue say: declared limits, outside locks, slots in use, rates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from hueycore.model.limits import Limit, Rate
from hueycore.storage.sql.dialect import Connection, Dialect, Pages, Rows
from hueycore.storage.sql.part import insert_rows

#: Rows of one key that one transaction moves at most: a limit may be lifted over a long queue.
MOVES = 500


class Rates:
    """What the rates of a queue remember."""

    def __init__(self, con: Connection, queue: str) -> None:
        self.con, self.queue, self.now = con, queue, con.now()
        self._tats: dict[str, float] = {}

    def tat(self, name: str) -> float:
        """The theoretical arrival time of a rate."""
        if name not in self._tats:
            row = self.con.execute(
                "select tat, seen from huey_key where queue = ? and name = ?", (self.queue, name)
            ).fetchone()
            self._remember(name, *(row or (None, None)))
        return self._tats[name]

    def set_tat(self, name: str, tat: float) -> None:
        self._tats[name] = tat
        self.con.ask(
            """
            insert into huey_key (queue, name, tat, seen) values (?, ?, ?, ?)
            on conflict (queue, name) do update set tat = excluded.tat, seen = excluded.seen
            """,
            (self.queue, name, tat, self.now),
        )

    def _remember(self, name: str, tat: float | None, seen: float | None) -> None:
        """When the clock was set back the rate goes with it: what was to be waited then is to be
        waited now, and not a day."""
        self._tats[name] = tat or 0.0
        if tat is not None and seen is not None and seen > self.now:
            self.set_tat(name, tat - (seen - self.now))


@cache
def _said(d: Dialect) -> str:
    return f"""
        select 'key' as kind, name, null as key, tat as at, seen as per, due,
            null as at_once, null as rate, null as burst
        from huey_key where queue = :queue and {d.among("name", ":names")}
        union all
        select 'limit', task, key_name, null, per, null, at_once, rate, burst
        from huey_limit where queue = :queue
        union all
        select 'paused', name, null, until, null, null, null, null, null from huey_flag
        where queue = :queue and kind = 'paused-task' and (until is null or until > :now)
        union all
        select 'lock', name, null, expires_at, null, null, null, null, null from huey_value
        where queue = :queue and kind = 'lock' and {d.among("name", ":names")}
            and (expires_at is null or expires_at > :now)
    """


@cache
def _used(d: Dialect) -> str:
    return f"""
        select key_name, state, count(*) from huey_job
        where queue = ? and {d.among("key_name")} and finished_at is null
            and state in ('pending', 'running') and (state = 'running' or not {d.among("task")})
        group by key_name, state
    """


class KeyView(Rates):
    """What some keys of a queue say at this moment: each question is put for all of them at once.
    ``limits`` are those of the queue's tasks."""

    def __init__(self, con: Connection, queue: str, names: Iterable[str]) -> None:
        super().__init__(con, queue)
        self.limits: dict[str, Limit] = {}
        self._paused: dict[str, float | None] = {}
        self._locks: dict[str, float | None] = {}
        self._dues: dict[str, float | None] = {}
        self._slots: dict[tuple[str, str], int] = {}
        self._counted: set[str] = set()
        self._counting: tuple[set[str], Rows] | None = None
        self.look(names)

    def look(self, names: Iterable[str]) -> None:
        """Look at these keys as well."""
        d = self.con.dialect
        new = sorted(set(names) - self._tats.keys())
        if not new:
            return
        self._tats |= dict.fromkeys(new, 0.0)
        values = {"queue": self.queue, "now": self.now, "names": d.listed(new)}
        for kind, name, key, at, per, due, *limit in self.con.execute(_said(d), values).fetchall():
            if kind == "limit":
                at_once, rate, burst = limit
                self.limits[name] = Limit(
                    name, key, at_once, None if rate is None else Rate(rate, per, burst)
                )
            elif kind == "paused":
                self._paused[name] = at
            elif kind == "lock":
                self._locks[name] = at
            else:
                self._dues[name] = due
                self._remember(name, at, per)

    @property
    def next_resume(self) -> float | None:
        """When the next pause of a task ends by itself."""
        return min((until for until in self._paused.values() if until is not None), default=None)

    def outside_lock(self, key: str) -> tuple[bool, float | None]:
        """Whether a lock holds the whole key back, and when its lease ends if it has one."""
        return key in self._locks, self._locks.get(key)

    def used(self, key: str) -> tuple[int, int]:
        """How many jobs of a key run, and how many are about to."""
        while key not in self._counted:
            self._counted, rows = self._counting or self._count()
            self._counting = None
            self._slots = {(key, state): number for key, state, number in rows.fetchall()}
        return self._slots.get((key, "running"), 0), self._slots.get((key, "pending"), 0)

    def count_again(self) -> None:
        """Jobs were moved."""
        self._counted, self._counting = set(), None

    def count_ahead(self) -> None:
        """What limits say will be asked for."""
        if self.limits and self.con.dialect.is_far and not (self._counted or self._counting):
            self._counting = self._count()

    def _count(self) -> tuple[set[str], Rows]:
        d = self.con.dialect
        free = [name for name in self._tats if name not in self._locks]
        values = (self.queue, d.listed(free), d.listed(self._paused))
        return set(self._tats), self.con.ask(_used(d), values)

    def blocked(self, keys: Iterable[str]) -> Iterator[Pages]:
        """(seq, task, priority) of what waits for each key, in running order."""
        d = self.con.dialect
        paused = d.listed(self._paused)
        return self.con.many_pages(
            f"""
            select seq, task, priority from huey_job
            where queue = ? and key_name = ? and state = 'blocked' and waits = 0
                and not {d.among("task")}
            order by priority desc, run_at, seq
            """,
            [(self.queue, key, paused) for key in keys],
        )

    def pending(self, key: str) -> list[tuple[float, int, str]]:
        """(priority, seq, task) of what is about to run, the last one first. The order
        chooses no index: all that is pending would be read in it, for the few of a key."""
        d = self.con.dialect
        return self.con.execute(
            f"""
            select priority, seq, task from huey_job
            where queue = ? and key_name = ? and finished_at is null and state = 'pending'
                and not {d.among("task")}
            order by {d.unindexed("priority")}, run_at desc, seq desc limit ?
            """,
            (self.queue, key, d.listed(self._paused), MOVES),
        ).fetchall()

    def wake_at(self, dues: Mapping[str, float | None]) -> None:
        """Settle each key again at its time, if not before; None: not for the sake of time."""
        changed = {key: due for key, due in dues.items() if self._dues.get(key) != due}
        self._dues |= changed
        rows = [(self.queue, key, due) for key, due in changed.items()]
        into = "insert into huey_key (queue, name, due)"
        conflict = "on conflict (queue, name) do update set due = excluded.due"
        if len(rows) == 1:
            self.con.ask(f"{into} values (?, ?, ?) {conflict}", rows[0])
        else:
            insert_rows(self.con, into, rows, conflict)


def tat_now(tat: float | None, seen: float | None, now: float) -> float:
    """What a rate remembers, for who only reads: see ``Rates``."""
    return (tat or 0.0) - max(0.0, (seen or 0.0) - now)


def read_limits(con: Connection, queue: str) -> dict[str, Limit]:
    """What the tasks of a queue declare, by name."""
    rows = con.execute(
        """
        select task, key_name, at_once, rate, per, burst from huey_limit
        where queue = ? order by task
        """,
        (queue,),
    ).fetchall()
    return {
        task: Limit(task, key, at_once, None if rate is None else Rate(rate, per, burst))
        for task, key, at_once, rate, per, burst in rows
    }
