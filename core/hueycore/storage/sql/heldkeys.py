"""Who has a key, and who waits for it: one answer about all queues."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hueycore.model.jobs import Job, Selector
from hueycore.model.keys import NAMED, HeldKey, HeldKeys, Standing
from hueycore.model.states import State
from hueycore.storage.sql.dialect import Connection
from hueycore.storage.sql.keyview import read_limits, tat_now
from hueycore.storage.sql.queries import queue_names, to_job
from hueycore.storage.sql.selector import LIST, find


def held_keys(con: Connection, limit: int, most: int) -> HeldKeys:
    """For the reports, within one snapshot."""
    standing, whole = Standing(), True
    keyed = Selector(states=(State.RUNNING,), where=(("key_name", "!=", None),))
    standing.run(to_job(row) for row in find(con, keyed))
    for queue in queue_names(con):
        standing.limits[queue] = read_limits(con, queue)
        lines = _lines(con, queue, most)
        standing.behind.update({(queue, name): number for name, number in lines.items()})
        whole = whole and sum(lines.values()) < most
    keys = standing.longest()
    chosen: dict[str, list[str]] = {}
    for queue, name in keys[:limit]:
        chosen.setdefault(queue, []).append(name)
    found = {
        (key.queue, key.name): key
        for queue, names in chosen.items()
        for key in _held(con, standing, queue, names)
    }
    return HeldKeys([found[key] for key in keys[:limit]], whole and len(keys) <= limit)


def _lines(con: Connection, queue: str, most: int) -> dict[str, int]:
    """How many wait for each key."""
    rows = con.execute(
        """
        select key_name, count(*) from (
            select key_name from huey_job
            where queue = ? and state = 'blocked' and waits = 0 and key_name is not null
            order by key_name limit ?
        ) as first group by key_name
        """,
        (queue, most),
    ).fetchall()
    return dict(rows)


def _held(
    con: Connection, standing: Standing, queue: str, names: Sequence[str]
) -> Iterator[HeldKey]:
    d, now = con.dialect, con.now()
    listed = d.listed(names)
    ready = con.execute(
        f"""
        select key_name, count(*) from huey_job
        where queue = ? and {d.among("key_name")} and finished_at is null and state = 'pending'
        group by key_name
        """,
        (queue, listed),
    ).fetchall()
    times = con.execute(
        f"select name, tat, seen from huey_key where queue = ? and {d.among('name')}",
        (queue, listed),
    ).fetchall()
    of_ready, of_times = dict(ready), {row[0]: row[1:] for row in times}
    for name, first in zip(names, list(_first(con, queue, names)), strict=True):
        tat, seen = of_times.get(name, (None, None))
        yield standing.held(
            (queue, name),
            now,
            ready=of_ready.get(name, 0),
            first=first,
            tat=tat_now(tat, seen, now),
        )


def _first(con: Connection, queue: str, names: Sequence[str]) -> Iterator[list[Job]]:
    """The first of those that wait for each key, in running order."""
    every = con.many_pages(
        f"""
        select {LIST} from huey_job
        where queue = ? and key_name = ? and state = 'blocked' and waits = 0
        order by priority desc, run_at, seq limit {NAMED}
        """,
        [(queue, name) for name in names],
    )
    for rows in every:
        found = [to_job(row) for row in rows]
        rows.close()
        yield found
