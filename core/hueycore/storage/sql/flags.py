"""Standing orders: revoked tasks and ids, paused queues, tasks and schedulers. All are synced."""

from __future__ import annotations

import sqlite3
from typing import Any

from hueycore.model.flags import Revocation
from hueycore.storage.sql.keys import settle_task
from hueycore.storage.sql.part import Room
from hueycore.system import clock

_FIELDS = ", ".join(Revocation._fields)
PAUSED_SCHEDULER = "paused-scheduler"
PAUSED_TASK = "paused-task"


class Standing(Room):
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
        """Revoke a task, or an id that no job has yet, from now on (``until`` POSIX seconds,
        or for the next run only)."""
        order = Revocation(self.queue, kind, name, until, once, clock.now(), reason, by)

        def body(con: sqlite3.Connection) -> None:
            con.execute(
                f"insert or replace into huey_flag ({_FIELDS}) values (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
                order,
            )
            self.sign(con, _verb(kind, "revoke", "pause"), what=name or kind, reason=reason)
            if kind == PAUSED_TASK:
                settle_task(con, self.queue, name)

        self.db.transact(body)

    def clear_revocation(self, kind: str, name: str) -> bool:
        """Take a standing revocation back; False when there was none in force."""

        def body(con: sqlite3.Connection) -> bool:
            rows = con.execute(
                "delete from huey_flag where queue = ? and kind = ? and name = ? returning until",
                (self.queue, kind, name),
            ).fetchall()
            if kind == PAUSED_TASK:
                settle_task(con, self.queue, name)
            in_force = bool(rows) and (rows[0][0] is None or rows[0][0] > clock.now())
            if in_force:
                self.sign(con, _verb(kind, "requeue", "resume"), what=name or kind)
            return in_force

        return self.db.transact(body)

    def revocation(self, kind: str, name: str) -> Revocation | None:
        """The standing revocation of a task or an id, None when none is in force."""

        def body(con: sqlite3.Connection) -> Revocation | None:
            row = con.execute(
                f"""
                select {_FIELDS} from huey_flag
                where queue = ? and kind = ? and name = ? and (until is null or until > ?)
                """,  # noqa: S608
                (self.queue, kind, name, clock.now()),
            ).fetchone()
            return None if row is None else _order(row)

        return self.db.read(body)

    def revocations(self) -> list[Revocation]:
        """Every standing order of the file: revoked tasks and ids, paused tasks and schedulers."""

        def body(con: sqlite3.Connection) -> list[Revocation]:
            rows = con.execute(
                f"""
                select {_FIELDS} from huey_flag
                where until is null or until > ? order by queue, kind, name
                """,  # noqa: S608
                (clock.now(),),
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
        """Nothing of this queue, or of one task, is claimed from now on (until POSIX seconds);
        what runs goes on. ``scheduler``: jobs are, but periodic tasks do not fire.

        Jobs of a paused task that wait to run hold no slot of their key meanwhile: another task
        that shares it goes on."""
        if task is not None or scheduler:
            kind = PAUSED_SCHEDULER if scheduler else PAUSED_TASK
            self.set_revocation(kind, task or "", until=until, reason=reason, by=by)
            return
        now = clock.now()

        def body(con: sqlite3.Connection) -> None:
            con.execute(
                """
                insert into huey_queue (queue, paused_at, paused_until, paused_by, pause_reason,
                    created_at)
                values (:queue, :now, :until, :by, :reason, :now)
                on conflict do update set paused_at = :now, paused_until = :until,
                    paused_by = :by, pause_reason = :reason
                """,
                {"queue": self.queue, "now": now, "until": until, "by": by, "reason": reason},
            )
            self.sign(con, "pause", reason=reason)

        self.db.transact(body)

    def resume(self, *, task: str | None = None, scheduler: bool = False) -> bool:
        """Undo ``pause``; False when nothing was paused. Periodic runs that were missed are made
        up for as their ``catch_up`` says."""
        if scheduler:
            resumed = self.clear_revocation(PAUSED_SCHEDULER, "")
        elif task is not None:
            resumed = self.clear_revocation(PAUSED_TASK, task)
        else:
            resumed = self.db.transact(self._resume_queue)
        self.ring()
        return resumed

    def _resume_queue(self, con: sqlite3.Connection) -> bool:
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


def _verb(kind: str, of_revocation: str, of_pause: str) -> str:
    return of_pause if kind.startswith("paused") else of_revocation


def _order(row: tuple[Any, ...]) -> Revocation:
    order = Revocation._make(row)
    return order._replace(once=bool(order.once))
