"""What time does: due jobs, expired jobs, periodic tasks."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from hueycore import clock
from hueycore.storage.rows import JobRef, NewJob, Periodic
from hueycore.storage.sqlite.endings import end_waiting
from hueycore.storage.sqlite.enqueue import describe_queue, insert_jobs
from hueycore.storage.sqlite.room import Room, listed
from hueycore.storage.words import State

_FIELDS = Periodic._fields
_PERIODIC = ", ".join(_FIELDS)


class Scheduling(Room):
    def promote(self, limit: int = 500) -> list[JobRef]:
        """Due scheduled jobs become pending. They keep ``run_at``, their place in the order."""
        due = self.next_run_at()
        if due is None or due > clock.now():
            return []

        def body(con: sqlite3.Connection) -> list[JobRef]:
            rows = con.execute(
                """
                select seq, id, task from huey_job
                where queue = ? and state = 'scheduled' and run_at <= ? order by run_at, seq limit ?
                """,
                (self.queue, clock.now(), limit),
            ).fetchall()
            con.execute(
                """
                update huey_job set state = 'pending'
                where seq in (select value from json_each(?))
                """,
                (listed(row[0] for row in rows),),
            )
            return [JobRef(*row) for row in rows]

        promoted = self.db.transact(body, durable=False)
        if promoted:
            self.ring()
        return promoted

    def next_run_at(self) -> float | None:
        raise NotImplementedError

    def expire(self, limit: int = 500) -> list[tuple[JobRef, State]]:
        """Waiting jobs past ``expires_at`` become expired; with the state they were in."""
        query = """
            select seq, id, task, state from huey_job
            where queue = ? and expires_at <= ? and expires_at is not null
                and state in ('scheduled', 'pending', 'blocked') limit ?
        """

        def body(con: sqlite3.Connection) -> list[tuple[JobRef, State]]:
            now = clock.now()
            rows = con.execute(query, (self.queue, now, limit)).fetchall()
            end_waiting(con, [row[0] for row in rows], State.EXPIRED, None, now)
            return [(JobRef(*row[:3]), State(row[3])) for row in rows]

        if not self.db.read(
            lambda con: con.execute(query, (self.queue, clock.now(), 1)).fetchall()
        ):
            return []
        return self.db.transact(body, durable=False)

    def declare_periodic(self, schedules: Sequence[Periodic]) -> None:
        """Store what the application declares. An unchanged schedule keeps its ``next_run``, so
        what was missed while no consumer ran is known; what is declared no more is forgotten."""

        def body(con: sqlite3.Connection) -> None:
            names = listed(one.name for one in schedules)
            con.execute(
                """
                delete from huey_periodic where queue = ? and declared
                    and name not in (select value from json_each(?))
                """,
                (self.queue, names),
            )
            for one in schedules:
                _store(con, self.queue, one)

        self.db.transact(body)

    def fire(self, name: str, seen: float, next_run: float, jobs: Sequence[NewJob]) -> bool:
        """If ``next_run`` is still ``seen``: move it on and enqueue ``jobs``, in one transaction.
        False: another scheduler was first."""

        def body(con: sqlite3.Connection) -> bool:
            changed = con.execute(
                """
                update huey_periodic set next_run = ?,
                    last_run = coalesce(?, last_run), last_id = coalesce(?, last_id)
                where queue = ? and name = ? and next_run = ?
                """,
                (
                    next_run,
                    jobs[-1].scheduled_for if jobs else None,
                    jobs[-1].id if jobs else None,
                    self.queue,
                    name,
                    seen,
                ),
            ).rowcount
            if changed and jobs:
                describe_queue(con, self.queue, self.serializer)
                insert_jobs(con, self.queue, jobs)
            return changed == 1

        fired = self.db.transact(body)
        if fired and jobs:
            self.ring()
        return fired

    def periodic(self) -> list[Periodic]:
        """The stored schedules of this queue by name."""

        def body(con: sqlite3.Connection) -> list[Periodic]:
            rows = con.execute(
                f"select {_PERIODIC} from huey_periodic where queue = ? order by name",  # noqa: S608
                (self.queue,),
            ).fetchall()
            return [to_periodic(row) for row in rows]

        return self.db.read(body)

    def remove_periodic(self, name: str) -> bool:
        """Forget a schedule; False when there was none."""
        return self.db.transact(
            lambda con: (
                con.execute(
                    "delete from huey_periodic where queue = ? and name = ?", (self.queue, name)
                ).rowcount
                > 0
            )
        )


def to_periodic(row: tuple[Any, ...]) -> Periodic:
    """A row in the order of _PERIODIC."""
    values = dict(zip(_FIELDS, row, strict=True))
    values["declared"] = bool(values["declared"])
    return Periodic(**values)


def _store(con: sqlite3.Connection, queue: str, one: Periodic) -> None:
    con.execute(
        """
        insert into huey_periodic (queue, name, task, schedule, tz, catch_up, grace, next_run,
            payload, declared)
        values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        on conflict (queue, name) do update set
            task = excluded.task, catch_up = excluded.catch_up, grace = excluded.grace,
            payload = excluded.payload, declared = excluded.declared,
            next_run = case when schedule = excluded.schedule and tz is excluded.tz
                then next_run else excluded.next_run end,
            schedule = excluded.schedule, tz = excluded.tz
        """,
        (
            queue, one.name, one.task, one.schedule, one.tz, one.catch_up, one.grace,
            one.next_run, one.payload, one.declared,
        ),
    )  # fmt: skip
