"""Schedules: what consumers declare, what people store, and the fire that happens once.

A row outlives the consumers, so that the next one knows what was missed. Which of them have it in
their code is noted apart, in huey_declared: with old and new releases side by side none of them
forgets what another still fires.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hueycore.model.documents import parsed
from hueycore.model.schedules import Coming, Fire, Periodic
from hueycore.storage.protocol import schedules as protocol
from hueycore.storage.sql.dialect import Connection
from hueycore.storage.sql.enqueue import describe_queue, insert_due
from hueycore.storage.sql.part import Part

_FIELDS = Periodic._fields
_PERIODIC = ", ".join(_FIELDS)


class Schedules(Part, protocol.Schedules):
    def declare_periodic(self, schedules: Sequence[Periodic], worker: int | None = None) -> None:
        def body(con: Connection) -> None:
            describe_queue(con, self.queue, self.serializer)
            declare(con, self.queue, schedules, worker)

        self.db.transact(body)

    def schedule_periodic(self, one: Periodic) -> bool:
        def body(con: Connection) -> bool:
            describe_queue(con, self.queue, self.serializer)
            taken = con.execute(
                """
                select 1 from huey_periodic where queue = ? and name = ? and origin <> 'stored'
                """,
                (self.queue, one.name),
            ).fetchall()
            if not taken:
                _store(con, self.queue, one._replace(origin="stored"))
                self.sign(con, "schedule", what=one.name)
            return not taken

        stored = self.db.transact(body)
        self.ring()
        return stored

    def remove_periodic(self, name: str) -> bool:
        def body(con: Connection) -> bool:
            gone = con.execute(
                "delete from huey_periodic where queue = ? and name = ? and origin = 'stored'",
                (self.queue, name),
            ).rowcount
            if gone:
                self.sign(con, "unschedule", what=name)
            return gone > 0

        return self.db.transact(body)

    def pause_periodic(
        self, names: Sequence[str], *, by: str | None = None, reason: str | None = None
    ) -> list[str]:
        def body(con: Connection) -> list[str]:
            d = con.dialect
            rows = con.execute(
                f"""
                update huey_periodic set paused_at = coalesce(paused_at, ?), paused_by = ?,
                    pause_reason = ?
                where queue = ? and {d.among("name")} returning name
                """,
                (con.now(), by, reason, self.queue, d.listed(names)),
            ).fetchall()
            for (name,) in rows:
                self.sign(con, "pause", what=name, reason=reason)
            return [row[0] for row in rows]

        return self.db.transact(body)

    def resume_periodic(self, names: Sequence[str]) -> list[str]:
        def body(con: Connection) -> list[str]:
            d = con.dialect
            rows = con.execute(
                f"""
                update huey_periodic set paused_at = null, paused_by = null, pause_reason = null
                where queue = ? and {d.among("name")}
                    and paused_at is not null
                returning name
                """,
                (self.queue, d.listed(names)),
            ).fetchall()
            for (name,) in rows:
                self.sign(con, "resume", what=name)
            return [row[0] for row in rows]

        resumed = self.db.transact(body)
        self.ring()
        return resumed

    def coming_periodic(self, now: float, declared: Sequence[str]) -> Coming:
        def body(con: Connection) -> Coming:
            d = con.dialect
            names = d.listed(declared)
            due = con.execute(
                f"""
                select {_PERIODIC} from huey_periodic
                where queue = ? and next_run <= ? and paused_at is null
                    and (origin = 'stored' or {d.among("name")})
                order by next_run, name
                """,
                (self.queue, now, names),
            ).fetchall()
            (following,) = con.execute(
                """
                select min(next_run) from huey_periodic
                where queue = ? and next_run > ? and paused_at is null
                """,
                (self.queue, now),
            ).fetchone()
            lost = con.execute(
                f"""
                select value from {d.each("declared")} where not exists (
                    select 1 from huey_periodic where queue = ? and name = value)
                """,
                (names, self.queue),
            ).fetchall()
            return Coming([_to_periodic(row) for row in due], following, [row[0] for row in lost])

        return self.db.read(body)

    def fire(self, fires: Sequence[Fire]) -> list[str]:
        def body(con: Connection) -> list[Fire]:
            moved = [one for one in fires if _move_on(con, self.queue, one)]
            if any(one.jobs for one in moved):
                describe_queue(con, self.queue, self.serializer)
                insert_due(con, self.queue, moved)
            return moved

        moved = self.db.transact(body)
        if any(one.jobs for one in moved):
            self.ring()
        return [one.name for one in moved]

    def periodic(self, *, whole: bool = False) -> list[Periodic]:
        def body(con: Connection) -> list[Periodic]:
            rows = con.execute(
                f"""
                select {_PERIODIC} from huey_periodic where ? or queue = ? order by queue, name
                """,
                (whole, self.queue),
            ).fetchall()
            return [_to_periodic(row) for row in rows]

        return self.db.read(body)


def declare(con: Connection, queue: str, schedules: Sequence[Periodic], worker: int | None) -> None:
    """What ``declare_periodic`` says, in the caller's transaction."""
    before = _declared(con, worker)
    for one in schedules:
        _store(con, queue, one, again=one.name in before)
    names = [one.name for one in schedules]
    _note_declared(con, queue, names, worker)
    _forget(con, queue, names, before)


def forget_declarations(con: Connection, worker: int) -> None:
    """A worker is gone, in the caller's transaction: so are the schedules that it declared while
    it ran, unless another one has them too."""
    con.execute("delete from huey_declared where worker = ?", (worker,))
    con.execute(
        """
        delete from huey_periodic where origin = 'process'
            and not exists (select 1 from huey_declared mine
                where mine.queue = huey_periodic.queue and mine.name = huey_periodic.name)
        """
    )


def _move_on(con: Connection, queue: str, one: Fire) -> bool:
    last = one.jobs[-1] if one.jobs else None
    changed = con.execute(
        """
        update huey_periodic set next_run = ?,
            last_run = coalesce(?, last_run), last_id = coalesce(?, last_id)
        where queue = ? and name = ? and next_run = ? and paused_at is null
        """,
        (
            one.next_run,
            last and last.scheduled_for,
            last and last.id,
            queue,
            one.name,
            one.seen,
        ),
    ).rowcount
    return changed == 1


def _to_periodic(row: tuple[Any, ...]) -> Periodic:
    """A row in the order of _PERIODIC."""
    one = Periodic(*row)
    options = parsed(str(one.options))
    return one._replace(options=options if isinstance(options, dict) else {})


def _declared(con: Connection, worker: int | None) -> set[str]:
    rows = con.execute("select name from huey_declared where worker = ?", (worker,)).fetchall()
    return {row[0] for row in rows}


def _note_declared(con: Connection, queue: str, names: Sequence[str], worker: int | None) -> None:
    con.execute("delete from huey_declared where worker = ?", (worker,))
    if worker is not None:
        con.executemany(
            "insert into huey_declared (queue, name, worker) values (?, ?, ?)",
            [(queue, name, worker) for name in names],
        )


def _forget(con: Connection, queue: str, names: Sequence[str], before: set[str]) -> None:
    """Drop the rows of code that no worker has: of those that this one had ``before``, of all if
    it had none."""
    d = con.dialect
    con.execute(
        f"""
        delete from huey_periodic where queue = :queue and origin <> 'stored'
            and not {d.among("name", ":names")}
            and (:all or {d.among("name", ":before")})
            and name not in (select name from huey_declared where queue = :queue)
        """,
        {
            "queue": queue,
            "names": d.listed(names),
            "all": not before,
            "before": d.listed(sorted(before)),
        },
    )


def _store(con: Connection, queue: str, one: Periodic, *, again: bool = False) -> None:
    """Write a row. ``again``: its worker declared it before, so what stands there is not older."""
    con.execute(
        f"""
        insert into huey_periodic (queue, name, task, schedule, tz, catch_up, grace, next_run,
            payload, preview, options, origin)
        values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        on conflict (queue, name) do update set
            task = excluded.task, catch_up = excluded.catch_up, grace = excluded.grace,
            payload = excluded.payload, preview = excluded.preview, options = excluded.options,
            next_run = case when huey_periodic.schedule = excluded.schedule
                    and huey_periodic.tz {con.dialect.same} excluded.tz
                then huey_periodic.next_run else excluded.next_run end,
            schedule = excluded.schedule, tz = excluded.tz,
            origin = case when huey_periodic.origin = 'code' then 'code' else excluded.origin end
        where not ? and (huey_periodic.origin <> 'stored' or excluded.origin = 'stored')
        """,
        (
            queue,
            one.name,
            one.task,
            one.schedule,
            one.tz,
            one.catch_up,
            one.grace,
            one.next_run,
            one.payload,
            one.preview,
            json.dumps(one.options),
            one.origin,
            again,
        ),
    )
