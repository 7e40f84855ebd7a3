"""The operator's verbs: revoke, requeue, reschedule, pause, purge. All are synced."""

from __future__ import annotations

from hueycore.model.jobs import Changed, JobRef, Selector
from hueycore.model.states import FINAL, WAITING, Asked, State
from hueycore.storage.protocol import operators as protocol
from hueycore.storage.protocol.workers import Workers
from hueycore.storage.sql import rest
from hueycore.storage.sql.dialect import Connection, Dialect
from hueycore.storage.sql.edges import NEEDED, revive
from hueycore.storage.sql.endings import end_waiting
from hueycore.storage.sql.enqueue import delete_jobs
from hueycore.storage.sql.keys import settle_keys_of
from hueycore.storage.sql.part import Part
from hueycore.storage.sql.selector import conditions, find
from hueycore.storage.sql.stages import orphans
from hueycore.storage.sql.unique import doubled


def _reset(d: Dialect) -> str:
    """Give back what attempts have used up: each of them a retry, but one that a crash or the last
    failure ended."""
    return f"""
        update huey_job set attempt = 0, retries = retries + {d.greatest}(0, attempt - crashes
            - case when reason {d.differs} 'crashed' then 1 else 0 end)
        where {d.among("seq")}
    """


_LATER = """
    update huey_job set run_at = run_at + :later,
        expires_at = case when expires_in is null then expires_at else expires_at + :later end,
        state = case when state = 'pending' or (state = 'blocked' and waits = 0) then 'scheduled'
            else state end
    where seq = :seq
"""


class Operators(Part, Workers, protocol.Operators):
    def _is_wide(self, selector: Selector) -> bool:
        """Whether jobs of other queues may be selected."""
        return selector.queues != (self.queue,)

    def revoke(
        self, selector: Selector, reason: str | None = None, *, interrupt: bool = False
    ) -> Changed:
        asked = Asked.INTERRUPT if interrupt else Asked.STOP

        def body(con: Connection) -> Changed:
            d = con.dialect
            found = _select(con, selector)
            waiting = [job for job, state in found if state in WAITING]
            running = [job for job, state in found if state is State.RUNNING]
            end_waiting(
                con, [j.seq for j in waiting], State.REVOKED, reason or "revoked", con.now()
            )
            con.execute(
                f"""
                update huey_job set cancel_requested = {d.greatest}(cancel_requested, ?)
                where {d.among("seq")} and state = 'running'
                """,
                (asked, d.listed(job.seq for job in running)),
            )
            self.sign(con, "revoke", waiting + running, reason=reason)
            failed = [(job, f"already {state}") for job, state in found if state in FINAL]
            return Changed(len(found), waiting + running, failed)

        return self.db.transact(body, whole=self._is_wide(selector))

    def call_off(self, selector: Selector) -> Changed:
        def body(con: Connection) -> Changed:
            d = con.dialect
            found = _select(con, selector)
            rows = con.execute(
                f"""
                update huey_job set cancel_requested = 0
                where {d.among("seq")} and cancel_requested in (1, 2)
                returning seq
                """,
                (d.listed(job.seq for job, _ in found),),
            ).fetchall()
            asked = {row[0] for row in rows}
            changed = [job for job, _ in found if job.seq in asked]
            self.sign(con, "call-off", changed)
            failed = [(job, f"is {state}") for job, state in found if job.seq not in asked]
            return Changed(len(found), changed, failed)

        return self.db.transact(body, whole=self._is_wide(selector))

    def note_overdue(self, seq: int, claim: int) -> bool:
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
        def body(con: Connection) -> Changed:
            d = con.dialect
            found = _select(con, selector)
            final = [job for job, state in found if state in FINAL]
            barred = {**doubled(con, final), **orphans(con, [job.seq for job in final])}
            final = [job for job in final if job.seq not in barred]
            which = d.listed(job.seq for job in final)
            now = con.now()
            if reset:
                con.execute(_reset(d), (which,))
            con.execute(
                f"""
                update huey_job set
                    state = case when waits > 0 then 'blocked'
                        else {rest.state("coalesce(:run_at, run_at)")} end,
                    run_at = {d.greatest}(coalesce(:run_at, run_at), :now),
                    delay = case when waits > 0 then delay else 0 end,
                    retries = coalesce(:retries, retries), reason = :reason, finished_at = null,
                    taken = null, ticket = null, crashes = 0, expires_at = case
                        when waits = 0 and expires_in is not null
                            then {d.greatest}(coalesce(:run_at, run_at), :now) + expires_in
                        when expires_at <= :now then null else expires_at end
                where {d.among("seq", ":which")}
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
                    where {d.among("seq")} and not {NEEDED})
                """,
                (which,),
            )
            if apart:
                later = [
                    {"later": place * apart, "seq": job.seq}
                    for place, job in enumerate(final)
                    if place
                ]
                con.executemany(_LATER, later)
            self.sign(con, "requeue", final, reason=reason)
            settle_keys_of(con, [job.seq for job in final])
            failed = [(job, f"still {state}") for job, state in found if state not in FINAL]
            failed += [(job, barred[job.seq]) for job, _ in found if job.seq in barred]
            return Changed(len(found), final, failed)

        changed = self.db.transact(body, whole=self._is_wide(selector))
        self.ring()
        return changed

    def reschedule(
        self,
        selector: Selector,
        *,
        run_at: float | None = None,
        priority: float | None = None,
        expires_at: float | None = None,
        expires_in: float | None = None,
        reason: str | None = None,
    ) -> Changed:
        def body(con: Connection) -> Changed:
            d = con.dialect
            found = _select(con, selector)
            movable = [job for job, state in found if state in WAITING]
            con.execute(
                f"""
                update huey_job set
                    priority = coalesce(:priority, priority), run_at = coalesce(:run_at, run_at),
                    delay = case when waits > 0 or :run_at is null then delay else 0 end,
                    expires_in = case when :expires_at is null
                        then coalesce(:expires_in, expires_in) end,
                    expires_at = case when :expires_at is not null then :expires_at
                        when waits = 0 and (:run_at is not null or :expires_in is not null)
                            then coalesce({d.greatest}(coalesce(:run_at, run_at), :now)
                                + coalesce(:expires_in, expires_in), expires_at)
                        else expires_at end,
                    reason = coalesce(:reason, reason),
                    state = case when state = 'blocked' and waits > 0 then state
                        else {rest.state("coalesce(:run_at, run_at)")} end
                where {d.among("seq", ":which")}
                """,
                {
                    "priority": priority,
                    "run_at": run_at,
                    "expires_at": expires_at,
                    "expires_in": expires_in,
                    "reason": reason,
                    "now": con.now(),
                    "which": d.listed(job.seq for job in movable),
                },
            )
            self.sign(con, "reschedule", movable, reason=reason)
            settle_keys_of(con, [job.seq for job in movable])
            failed = [(job, f"is {state}") for job, state in found if state not in WAITING]
            return Changed(len(found), movable, failed)

        changed = self.db.transact(body, whole=self._is_wide(selector))
        self.ring()
        return changed

    def purge(self, selector: Selector, limit: int = 1000) -> int:
        def look(con: Connection) -> list[int]:
            where, values = conditions(con.dialect, selector)
            rows = con.execute(
                f"""
                select seq from huey_job
                where {where} and finished_at is not null and not {NEEDED} limit ?
                """,
                (*values, limit),
            ).fetchall()
            return [row[0] for row in rows]

        # Looked for before anybody is kept from writing; what has changed since stays.
        found = self.db.read(look)

        def body(con: Connection) -> int:
            d = con.dialect
            where, values = conditions(d, selector)
            rows = con.execute(
                f"""
                select seq, queue from huey_job {d.rows_only}
                where {d.among("seq")} and {where} and finished_at is not null and not {NEEDED}
                """,
                (d.listed(found), *values),
            ).fetchall()
            self.sign(con, "purge", number=len(rows))
            return purge_rows(con, rows)

        return self.db.transact(body, whole=self._is_wide(selector))

    def flush(self) -> None:
        def body(con: Connection) -> None:
            # In the order of the numbers: no index knows all jobs of a queue.
            query = "select seq from huey_job where queue = ? and seq > ? order by seq limit 10000"
            seqs = [0]
            while seqs:
                rows = con.execute(query, (self.queue, seqs[-1])).fetchall()
                seqs = [row[0] for row in rows]
                delete_jobs(con, seqs)
            # What tasks declare (huey_limit) is the code's; nobody would declare it again.
            for table in ("value", "flag", "periodic", "metric", "event", "key"):
                con.execute(f"delete from huey_{table} where queue = ?", (self.queue,))
            # A load that was begun begins anew: what it has brought may be gone.
            d = con.dialect
            con.execute(f"delete from huey_meta where {d.glob('name')}", (d.pattern("load/*"),))
            self.sign(con, "flush")

        self.db.transact(body)


def _select(con: Connection, selector: Selector) -> list[tuple[JobRef, State]]:
    rows = find(con, selector._replace(sort="seq"), "seq, id, task, state")
    return [(JobRef(*row[:3]), State(row[3])) for row in rows]


def purge_rows(con: Connection, rows: list[tuple[int, str]]) -> int:
    """Delete (seq, queue) rows and count them where the queue is described."""
    for queue in {row[1] for row in rows}:
        gone = delete_jobs(con, [seq for seq, owner in rows if owner == queue])
        con.execute("update huey_queue set purged = purged + ? where queue = ?", (gone, queue))
    return len(rows)
