"""The operator's verbs: revoke, requeue, reschedule, pause, purge. All are synced."""

from __future__ import annotations

import sqlite3

from hueycore.model.jobs import Changed, JobRef, Selector
from hueycore.model.states import FINAL, WAITING, Asked, State
from hueycore.storage.sql.edges import NEEDED, revive
from hueycore.storage.sql.endings import end_waiting
from hueycore.storage.sql.enqueue import delete_jobs
from hueycore.storage.sql.keys import settle_keys_of
from hueycore.storage.sql.part import Room, listed
from hueycore.storage.sql.queries import conditions
from hueycore.storage.sql.stages import orphans
from hueycore.storage.sql.unique import doubled
from hueycore.system import clock

#: A retry is used up by every attempt but one that a crash or the last failure ended.
_RESET = """
    update huey_job set attempt = 0,
        retries = retries + max(0, attempt - crashes - (reason is not 'crashed'))
    where seq in (select value from json_each(?))
"""
_LATER = """
    update huey_job set run_at = run_at + ?,
        state = case when state = 'pending' or (state = 'blocked' and waits = 0) then 'scheduled'
            else state end
    where seq = ?
"""


class Steering(Room):
    def revoke(
        self, selector: Selector, reason: str | None = None, *, interrupt: bool = False
    ) -> Changed:
        """Waiting jobs end revoked, running ones are asked to stop: by their worker's force if
        ``interrupt``, where its kind can."""
        asked = Asked.INTERRUPT if interrupt else Asked.STOP

        def body(con: sqlite3.Connection) -> Changed:
            found = _select(con, selector)
            waiting = [job for job, state in found if state in WAITING]
            running = [job for job, state in found if state is State.RUNNING]
            end_waiting(
                con, [j.seq for j in waiting], State.REVOKED, reason or "revoked", clock.now()
            )
            con.execute(
                """
                update huey_job set cancel_requested = max(cancel_requested, ?)
                where seq in (select value from json_each(?)) and state = 'running'
                """,
                (asked, listed(job.seq for job in running)),
            )
            self.sign(con, "revoke", waiting + running, reason=reason)
            failed = [(job, f"already {state}") for job, state in found if state in FINAL]
            return Changed(len(found), waiting + running, failed)

        return self.db.transact(body)

    def call_off(self, selector: Selector) -> Changed:
        """Running jobs that were asked to stop are asked no more."""

        def body(con: sqlite3.Connection) -> Changed:
            found = _select(con, selector)
            rows = con.execute(
                """
                update huey_job set cancel_requested = 0
                where seq in (select value from json_each(?)) and cancel_requested in (1, 2)
                returning seq
                """,
                (listed(job.seq for job, _ in found),),
            ).fetchall()
            asked = {row[0] for row in rows}
            changed = [job for job, _ in found if job.seq in asked]
            self.sign(con, "call-off", changed)
            failed = [(job, f"is {state}") for job, state in found if job.seq not in asked]
            return Changed(len(found), changed, failed)

        return self.db.transact(body)

    def note_overdue(self, seq: int, claim: int) -> bool:
        """The process of this run is about to be killed because its time is over: recovery then
        ends it as a timeout, or revoked if it was to be interrupted. False when it has ended."""
        return self.db.transact(
            lambda con: (
                con.execute(
                    """
                    update huey_job
                    set cancel_requested = case cancel_requested
                        when :interrupt then :interrupt else :overdue end
                    where seq = :seq and claim = :claim and state = 'running'
                    """,
                    {
                        "interrupt": Asked.INTERRUPT,
                        "overdue": Asked.OVERDUE,
                        "seq": seq,
                        "claim": claim,
                    },
                ).rowcount
                > 0
            ),
            durable=False,
        )

    def requeue(
        self,
        selector: Selector,
        *,
        run_at: float | None = None,
        retries: int | None = None,
        reset: bool = False,
        apart: float = 0.0,
        reason: str | None = None,
    ) -> Changed:
        """Final jobs (revoked, expired, dead, done) wait again; their history is kept, and
        ``reason`` stays on their rows until they end. Stages that were revoked because of their
        end wait for them again; what had delivered before delivers nothing more.

        They run at ``run_at``, else at the time they were due when that is yet to come, else now;
        each ``apart`` seconds after the one before. ``reset`` gives back the attempts and the
        retries that they have used up. One whose unique key another job has by now fails, as a
        ``duplicate``.
        """

        def body(con: sqlite3.Connection) -> Changed:
            found = _select(con, selector)
            final = [job for job, state in found if state in FINAL]
            barred = {**doubled(con, final), **orphans(con, [job.seq for job in final])}
            final = [job for job in final if job.seq not in barred]
            which = listed(job.seq for job in final)
            now = clock.now()
            if reset:
                con.execute(_RESET, (which,))
            con.execute(
                """
                update huey_job set
                    state = case when waits > 0 then 'blocked'
                        when coalesce(:run_at, run_at) > :now then 'scheduled'
                        when key_name is not null then 'blocked' else 'pending' end,
                    run_at = max(coalesce(:run_at, run_at), :now),
                    retries = coalesce(:retries, retries), reason = :reason, finished_at = null,
                    taken = null, ticket = null, crashes = 0, expires_at = case
                        when expires_at <= :now then null else expires_at end
                where seq in (select value from json_each(:which))
                """,
                {
                    "run_at": run_at,
                    "now": now,
                    "retries": retries,
                    "reason": reason,
                    "which": which,
                },
            )
            revive(con, [job.seq for job in final])
            # Now that they all wait again: what one of them needs of another stays.
            con.execute(
                f"""
                delete from huey_result where seq in (select seq from huey_job
                    where seq in (select value from json_each(?)) and not {NEEDED})
                """,  # noqa: S608
                (which,),
            )
            if apart:
                later = [(place * apart, job.seq) for place, job in enumerate(final) if place]
                con.executemany(_LATER, later)
            self.sign(con, "requeue", final, reason=reason)
            settle_keys_of(con, [job.seq for job in final])
            failed = [(job, f"still {state}") for job, state in found if state not in FINAL]
            failed += [(job, barred[job.seq]) for job, _ in found if job.seq in barred]
            return Changed(len(found), final, failed)

        changed = self.db.transact(body)
        self.ring()
        return changed

    def reschedule(
        self,
        selector: Selector,
        *,
        run_at: float | None = None,
        priority: float | None = None,
        expires_at: float | None = None,
        reason: str | None = None,
    ) -> Changed:
        """Waiting jobs get another time, priority or expiry; ids are kept, and ``reason`` stays on
        their rows until they end."""

        def body(con: sqlite3.Connection) -> Changed:
            found = _select(con, selector)
            movable = [job for job, state in found if state in WAITING]
            con.execute(
                """
                update huey_job set
                    priority = coalesce(:priority, priority), run_at = coalesce(:run_at, run_at),
                    expires_at = coalesce(:expires_at, expires_at),
                    reason = coalesce(:reason, reason),
                    state = case when state = 'blocked' and waits > 0 then state
                        when coalesce(:run_at, run_at) > :now then 'scheduled'
                        when key_name is not null then 'blocked' else 'pending' end
                where seq in (select value from json_each(:which))
                """,
                {
                    "priority": priority,
                    "run_at": run_at,
                    "expires_at": expires_at,
                    "reason": reason,
                    "now": clock.now(),
                    "which": listed(job.seq for job in movable),
                },
            )
            self.sign(con, "reschedule", movable, reason=reason)
            settle_keys_of(con, [job.seq for job in movable])
            failed = [(job, f"is {state}") for job, state in found if state not in WAITING]
            return Changed(len(found), movable, failed)

        changed = self.db.transact(body)
        self.ring()
        return changed

    def purge(self, selector: Selector, limit: int = 1000) -> int:
        """Delete up to ``limit`` final jobs that no waiting job needs; counted in the queue row."""

        def body(con: sqlite3.Connection) -> int:
            where, values = conditions(selector)
            rows = con.execute(
                f"""
                select seq, queue from huey_job
                where {where} and finished_at is not null and not {NEEDED} limit ?
                """,  # noqa: S608
                (*values, limit),
            ).fetchall()
            self.sign(con, "purge", number=len(rows))
            return purge_rows(con, rows)

        return self.db.transact(body)

    def flush(self) -> None:
        """Delete everything of this queue (Huey's ``flush``); running jobs end as lost claims."""

        def body(con: sqlite3.Connection) -> None:
            while True:
                rows = con.execute(
                    "select seq from huey_job where queue = ? limit 10000", (self.queue,)
                ).fetchall()
                if not rows:
                    break
                delete_jobs(con, [row[0] for row in rows])
            # What tasks declare (huey_limit) is the code's; nobody would declare it again.
            for table in ("value", "flag", "periodic", "metric", "event", "key"):
                con.execute(f"delete from huey_{table} where queue = ?", (self.queue,))  # noqa: S608
            self.sign(con, "flush")

        self.db.transact(body)


def _select(con: sqlite3.Connection, selector: Selector) -> list[tuple[JobRef, State]]:
    where, values = conditions(selector)
    rows = con.execute(
        f"select seq, id, task, state from huey_job where {where} order by seq limit ?",  # noqa: S608
        (*values, -1 if selector.limit is None else selector.limit),
    ).fetchall()
    return [(JobRef(*row[:3]), State(row[3])) for row in rows]


def purge_rows(con: sqlite3.Connection, rows: list[tuple[int, str]]) -> int:
    """Delete (seq, queue) rows and count them where the queue is described."""
    for queue in {row[1] for row in rows}:
        gone = delete_jobs(con, [seq for seq, owner in rows if owner == queue])
        con.execute("update huey_queue set purged = purged + ? where queue = ?", (gone, queue))
    return len(rows)
