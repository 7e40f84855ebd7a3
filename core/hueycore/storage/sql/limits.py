"""Holding jobs back: what tasks declare, and rates that runs ask for. Keys themselves: keys.py."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from functools import cache

from hueycore.model.limits import Limit, Rate
from hueycore.storage.protocol import limits as protocol
from hueycore.storage.protocol.upkeep import Upkeep
from hueycore.storage.sql import clockback
from hueycore.storage.sql.dialect import Connection, Dialect
from hueycore.storage.sql.keys import settle, settle_in
from hueycore.storage.sql.keyview import KeyView, Rates, read_limits, tat_now
from hueycore.storage.sql.part import Part


@cache
def stranded(d: Dialect) -> str:
    """Blocked jobs that should not be: the next ones of their keys, when nobody outside holds the
    key, no rate counts, it was not put off, and fewer jobs run or are about to than their tasks
    allow."""
    return f"""
    with paused(queue, task) as (select queue, name from huey_flag where kind = 'paused-task'),
    keys(queue, name) as materialized (
        select distinct queue, key_name from huey_job
        where state = 'blocked' and key_name is not null and waits = 0),
    heads(seq) as (
        select (
            select seq from huey_job job
            where job.queue = keys.queue and key_name = keys.name and state = 'blocked'
                and waits = 0
                and not exists (select 1 from paused where queue = job.queue and task = job.task)
            order by priority desc, run_at, seq limit 1)
        from keys
        where not exists (
                select 1 from huey_value lock
                where lock.queue = keys.queue and lock.kind = 'lock' and lock.name = keys.name)
            and not exists (
                select 1 from huey_key
                where huey_key.queue = keys.queue and huey_key.name = keys.name
                    and due is not null)
            and not {d.is_put_off("keys.queue", "keys.name")})
    select head.seq, head.key_name, head.queue from huey_job head
        left join huey_limit using (queue, task)
    where head.seq in (select seq from heads)
        and case when huey_limit.task is null then true else coalesce(at_once, 1) > (
            select count(*) from huey_job other
            where other.queue = head.queue and other.key_name = head.key_name
                and other.finished_at is null and other.state in ('pending', 'running')
                and (other.state = 'running' or not exists (
                    select 1 from paused
                    where paused.queue = other.queue and paused.task = other.task))) end
"""


class Limits(Part, protocol.Limits, Upkeep):
    def declare_limits(self, limits: Sequence[Limit], known: Collection[str] | None = None) -> None:
        declared = {limit.task: limit for limit in limits}
        names = set(declared) if known is None else set(known) | set(declared)

        def changed(con: Connection) -> set[str]:
            stored = read_limits(con, self.queue)
            return {name for name in names if stored.get(name) != declared.get(name)}

        def body(con: Connection) -> None:
            d = con.dialect
            changes = changed(con)
            con.execute(
                f"delete from huey_limit where queue = ? and {d.among('task')}",
                (self.queue, d.listed(changes)),
            )
            con.executemany(
                "insert into huey_limit values (?, ?, ?, ?, ?, ?, ?)",
                [(self.queue, *_flat(declared[name])) for name in changes if name in declared],
            )
            settle(con, self.queue, _blocked_keys(con, self.queue, changes))

        if self.db.read(changed):
            self.db.transact(body)
            self.ring()

    def limits(self) -> list[Limit]:
        found = self.db.read(lambda con: read_limits(con, self.queue))
        return [found[name] for name in sorted(found)]

    def spend(self, name: str, rate: Rate, job: tuple[int, int] | None) -> float | None:
        def body(con: Connection) -> float | None:
            view = Rates(con, self.queue)
            tickets = _tickets(con, job) if job is not None else None
            if tickets and name in tickets:
                if tickets[name] > view.now:
                    return float(tickets[name])
                del tickets[name]
                _write_tickets(con, job, tickets)
                return None
            tat = view.tat(name)
            slot = rate.slot(tat)
            if slot > view.now and tickets is None:
                return slot
            view.set_tat(name, rate.after(tat, view.now))
            if slot <= view.now:
                return None
            assert tickets is not None
            _write_tickets(con, job, {**tickets, name: slot})
            return slot

        return self.db.transact(body, durable=False)

    def spent(self, name: str, rate: Rate) -> int:
        def body(con: Connection) -> int:
            view = Rates(con, self.queue)
            return rate.spent(view.tat(name), view.now)

        return self.db.read(body)

    def reset_rate(self, name: str) -> None:
        def body(con: Connection) -> list[int]:
            con.execute(
                "update huey_key set tat = null, seen = null where queue = ? and name = ?",
                (self.queue, name),
            )
            return settle(con, self.queue, [name])

        if self.db.transact(body, durable=False):
            self.ring()

    def key_due(self, queue: str, name: str, task: str) -> float | None:
        def body(con: Connection) -> float | None:
            limit = read_limits(con, queue).get(task)
            if limit is None or limit.rate is None:
                return None
            row = con.execute(
                "select tat, seen from huey_key where queue = ? and name = ?", (queue, name)
            ).fetchone()
            now, (tat, seen) = con.now(), row or (None, None)
            return limit.rate.due(tat_now(tat, seen, now), now)

        return self.db.read(body)

    def mend(self, *, set_back: bool = False) -> list[str]:
        if set_back:
            clockback.bring_back(self.db, self.queue)

        def body(con: Connection) -> list[str]:
            _go_back_with_the_clock(con, self.queue)
            con.execute(_FORGET, (self.queue, con.now()))
            settle(con, self.queue, con.dialect.take_up(con, self.queue))
            keys = _stranded(con, self.queue)
            settle(con, self.queue, keys)
            return keys

        if not self.db.read(lambda con: _needs_mending(con, self.queue)):
            return []
        keys = self.db.transact(body, durable=False)
        self.ring()
        return keys


def _stranded(con: Connection, queue: str) -> list[str]:
    rows = con.execute(stranded(con.dialect)).fetchall()
    return sorted(key for _, key, theirs in rows if theirs == queue)


def _needs_mending(con: Connection, queue: str) -> bool:
    now = con.now()
    old = con.execute(
        """
        select 1 from huey_key
        where queue = ? and (seen > ? or (coalesce(tat, 0) <= ? and due is null)) limit 1
        """,
        (queue, now, now),
    ).fetchall()
    late = con.execute(
        f"select 0 where false {con.dialect.put_off_at}", {"queue": queue}
    ).fetchone()
    return bool(old or late or _stranded(con, queue))


def _go_back_with_the_clock(con: Connection, queue: str) -> None:
    now = con.now()
    rows = con.execute(
        "select name, seen from huey_key where queue = ? and seen > ?", (queue, now)
    ).fetchall()
    if rows:
        _bring_forward(con, queue, {name: seen - now for name, seen in rows})
        names = [name for name, _ in rows]
        settle_in(KeyView(con, queue, names), names)


def _bring_forward(con: Connection, queue: str, sooner: dict[str, float]) -> None:
    """The slots of rates that jobs were promised come so many seconds earlier."""
    rows = con.execute(
        """
        select seq, ticket from huey_job
        where queue = ? and state = 'scheduled' and ticket is not null
        """,
        (queue,),
    ).fetchall()
    moved = []
    for seq, text in rows:
        tickets = json.loads(text)
        earlier = {name: at - sooner.get(name, 0) for name, at in tickets.items()}
        if earlier != tickets:
            by = sum(sooner.get(name, 0) for name in tickets)
            moved.append((by, json.dumps(earlier), seq))
    con.executemany("update huey_job set run_at = run_at - ?, ticket = ? where seq = ?", moved)


_FORGET = "delete from huey_key where queue = ? and coalesce(tat, 0) <= ? and due is null"


def _flat(limit: Limit) -> tuple[object, ...]:
    return (limit.task, limit.key, limit.at_once, *(limit.rate or (None, None, None)))


def _blocked_keys(con: Connection, queue: str, tasks: Collection[str]) -> set[str]:
    """The keys that block jobs of some tasks."""
    d = con.dialect
    rows = con.execute(
        f"""
        select distinct key_name from huey_job
        where queue = ? and state = 'blocked' and waits = 0
            and {d.among("task")} and key_name is not null
        """,
        (queue, d.listed(tasks)),
    ).fetchall()
    return {row[0] for row in rows}


def _tickets(con: Connection, job: tuple[int, int]) -> dict[str, float] | None:
    """What a running job was promised; None when its claim is lost."""
    row = con.execute(
        "select ticket from huey_job where seq = ? and claim = ? and state = 'running'", job
    ).fetchone()
    if row is None:
        return None
    found: dict[str, float] = json.loads(row[0]) if row[0] else {}
    return found


def _write_tickets(con: Connection, job: tuple[int, int] | None, tickets: dict[str, float]) -> None:
    assert job is not None
    con.execute(
        "update huey_job set ticket = ? where seq = ?",
        (json.dumps(tickets) if tickets else None, job[0]),
    )
