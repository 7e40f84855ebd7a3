"""Standing orders: revoked tasks and ids, paused queues, tasks and schedulers. All are synced."""

from __future__ import annotations

from typing import Any

from hueycore.model.flags import Revocation
from hueycore.storage.protocol.operators import Operators
from hueycore.storage.protocol.queries import Queries
from hueycore.storage.sql.dialect import Connection
from hueycore.storage.sql.keys import settle_task
from hueycore.storage.sql.part import Part

_FIELDS = ", ".join(Revocation._fields)
PAUSED_SCHEDULER = "paused-scheduler"
PAUSED_TASK = "paused-task"


class Flags(Part, Operators, Queries):
    def set_revocation(
        self,
        kind: str,
        name: str,
        *,
        until: float | None = None,
        once: bool = False,
        reason: str | None = None,
        by: str | None = None,
    ) -> None:
        order = Revocation(self.queue, kind, name, until, once, self.db.now(), reason, by)

        def body(con: Connection) -> None:
            set_order(con, order)
            self.sign(con, _verb(kind, "revoke", "pause"), what=name or kind, reason=reason)
            if kind == PAUSED_TASK:
                settle_task(con, self.queue, name)

        self.db.transact(body)

    def clear_revocation(self, kind: str, name: str) -> bool:
        def body(con: Connection) -> bool:
            rows = con.execute(
                "delete from huey_flag where queue = ? and kind = ? and name = ? returning until",
                (self.queue, kind, name),
            ).fetchall()
            if kind == PAUSED_TASK:
                settle_task(con, self.queue, name)
            in_force = bool(rows) and (rows[0][0] is None or rows[0][0] > con.now())
            if in_force:
                self.sign(con, _verb(kind, "requeue", "resume"), what=name or kind)
            return in_force

        return self.db.transact(body)

    def revocation(self, kind: str, name: str) -> Revocation | None:
        def body(con: Connection) -> Revocation | None:
            row = con.execute(
                f"""
                select {_FIELDS} from huey_flag
                where queue = ? and kind = ? and name = ? and (until is null or until > ?)
                """,
                (self.queue, kind, name, con.now()),
            ).fetchone()
            return None if row is None else _order(row)

        return self.db.read(body)

    def revocations(self) -> list[Revocation]:
        def body(con: Connection) -> list[Revocation]:
            rows = con.execute(
                f"""
                select {_FIELDS} from huey_flag
                where until is null or until > ? order by queue, kind, name
                """,
                (con.now(),),
            ).fetchall()
            return [_order(row) for row in rows]

        return self.db.read(body)

    def pause(
        self,
        *,
        task: str | None = None,
        scheduler: bool = False,
        until: float | None = None,
        by: str | None = None,
        reason: str | None = None,
    ) -> None:
        if task is not None or scheduler:
            kind = PAUSED_SCHEDULER if scheduler else PAUSED_TASK
            self.set_revocation(kind, task or "", until=until, reason=reason, by=by)
            return
        now = self.db.now()

        def body(con: Connection) -> None:
            con.execute(
                """
                insert into huey_queue (queue, paused_at, paused_until, paused_by, pause_reason,
                    created_at)
                values (:queue, :now, :until, :by, :reason, :now)
                on conflict (queue) do update set paused_at = :now, paused_until = :until,
                    paused_by = :by, pause_reason = :reason
                """,
                {"queue": self.queue, "now": now, "until": until, "by": by, "reason": reason},
            )
            self.sign(con, "pause", reason=reason)

        self.db.transact(body)

    def resume(self, *, task: str | None = None, scheduler: bool = False) -> bool:
        if scheduler:
            resumed = self.clear_revocation(PAUSED_SCHEDULER, "")
        elif task is not None:
            resumed = self.clear_revocation(PAUSED_TASK, task)
        else:
            resumed = self.db.transact(self._resume_queue)
        self.ring()
        return resumed

    def _resume_queue(self, con: Connection) -> bool:
        changed = con.execute(
            """
            update huey_queue set paused_at = null, paused_until = null, paused_by = null,
                pause_reason = null
            where queue = ? and paused_at is not null
            """,
            (self.queue,),
        ).rowcount
        if changed:
            self.sign(con, "resume")
        return changed > 0


def set_order(con: Connection, order: Revocation) -> None:
    """Write a standing order, in the place of an older one."""
    con.execute(
        f"""
        insert into huey_flag ({_FIELDS}) values (?, ?, ?, ?, ?, ?, ?, ?)
        on conflict (queue, kind, name) do update set
            until = excluded.until, once = excluded.once, since = excluded.since,
            reason = excluded.reason, by = excluded.by
        """,
        (*order[:4], int(order.once), *order[5:]),
    )


def _verb(kind: str, of_revocation: str, of_pause: str) -> str:
    return of_pause if kind.startswith("paused") else of_revocation


def _order(row: tuple[Any, ...]) -> Revocation:
    order = Revocation._make(row)
    return order._replace(once=bool(order.once))
