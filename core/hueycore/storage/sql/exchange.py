"""The heart: one transaction that applies the endings of finished runs and claims the next jobs."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from functools import partial

from hueycore.exceptions import StorageError, StorageMoved
from hueycore.model.jobs import Claim, Ended, Exchange, JobRef, Want
from hueycore.model.states import State
from hueycore.storage.sql.endings import Applied, apply_endings, end_waiting
from hueycore.storage.sql.keys import Admission
from hueycore.storage.sql.part import Room, listed
from hueycore.system import clock

#: A candidate row is a Claim.
_COLUMNS = """
    job.seq, job.claim + 1, job.id, job.task, payload.payload, job.attempt + 1, job.retries,
    job.retry_delay, job.retry_backoff, job.priority, job.run_at, job.expires_at,
    job.scheduled_for, job.timeout, job.crashes, job.max_crashes, job.at_most_once,
    job.key_name, job.next, job.inputs
"""
#: Expired and revoked jobs that one exchange clears away at most.
_SWEEP = 500
_QUEUE_PAUSED = "paused-queue"


class Exchanging(Room):
    def exchange(self, worker: int, endings: Sequence[Ended], want: Want) -> Exchange:
        """Apply the endings whose claim still stands, with all that follows from them, and claim
        what ``want`` allows in running order; both commit together.

        Synced to disk only when an ``at_most_once`` job is claimed: a power cut may undo any other
        claim or ending, and the job runs again. Without endings and without a pending job nothing
        is written."""
        if not endings and not (want.free > 0 and self.db.read(self._any_pending)):
            return Exchange([], [], [], [])

        def body(con: sqlite3.Connection) -> tuple[Exchange, _Pick, bool]:
            applied = apply_endings(con, self.queue, endings) if endings else Applied([], [])
            pick = self._claim(con, worker, want, durable=False)
            answer = Exchange(
                pick.claims, applied.lost, pick.revoked, pick.expired, stopped=applied.stopped
            )
            return answer, pick, applied.settled

        answer, pick, settled = self.db.transact(body, durable=False)
        while pick.again and not answer.claims:
            durable = pick.needs_sync
            try:
                pick = self.db.transact(
                    partial(self._claim, worker=worker, want=want, durable=durable), durable=durable
                )
            except StorageError:
                if endings or answer.revoked or answer.expired:
                    return answer  # that much is committed; the next exchange meets the error
                raise
            answer = Exchange(
                pick.claims, answer.lost, answer.revoked + pick.revoked,
                answer.expired + pick.expired, stopped=answer.stopped,
            )  # fmt: skip
        if settled:
            self.ring()  # perhaps a worker of another process takes the place
        return answer

    def _claim(self, con: sqlite3.Connection, worker: int, want: Want, durable: bool) -> _Pick:
        pick = _Pick(con, self.queue, want, durable)
        if want.free > 0:
            pick.claim(worker, self._since.get(worker))
        return pick

    def _any_pending(self, con: sqlite3.Connection) -> bool:
        return bool(
            con.execute(
                "select 1 from huey_job where queue = ? and state = 'pending' limit 1",
                (self.queue,),
            ).fetchall()
        )


class _Pick:
    """One group of claims, chosen in running order under the write lock."""

    def __init__(self, con: sqlite3.Connection, queue: str, want: Want, durable: bool) -> None:
        self.con, self.queue, self.want, self.durable = con, queue, want, durable
        self.now = clock.now()
        self.claims: list[Claim] = []
        self.revoked: list[JobRef] = []
        self.expired: list[JobRef] = []
        self.needs_sync = False
        self._keys = Admission(con, queue)

    @property
    def again(self) -> bool:
        """Whether another transaction may claim what this one could not."""
        return self.needs_sync or self._keys.is_full

    def claim(self, worker: int, since: float | None) -> None:
        self._flags = self._load_flags()
        if (_QUEUE_PAUSED, self.queue) in self._flags:
            return
        self._choose()
        if self.claims:
            seqs = listed(claim.seq for claim in self.claims)
            changed = self.con.execute(
                """
                update huey_job set state = 'running', worker = ?, claimed_at = ?,
                    claim = claim + 1, attempt = attempt + 1
                where seq in (select value from json_each(?))
                    and exists (
                        select 1 from huey_worker where id = ? and pid = ? and started_at = ?)
                """,
                (worker, self.now, seqs, worker, os.getpid(), since),
            ).rowcount
            if not changed:
                # A claim of nobody could never be given back.
                raise StorageMoved(f"worker {worker} was taken for dead; it must start again")
        self._keys.settle()
        for refs, state, reason in (
            (self.revoked, State.REVOKED, "revoked"),
            (self.expired, State.EXPIRED, None),
        ):
            if refs:
                end_waiting(self.con, [ref.seq for ref in refs], state, reason, self.now)

    def _load_flags(self) -> dict[tuple[str, str], tuple[float | None, int]]:
        """Everything that holds jobs back, in one statement: each costs the worker threads a
        hand-over of the interpreter's lock."""
        rows = self.con.execute(
            """
            select kind, name, until, once from huey_flag where queue = :queue
            union all
            select :paused, queue, paused_until, 0 from huey_queue
            where queue = :queue and paused_at is not null
            """,
            {"queue": self.queue, "paused": _QUEUE_PAUSED},
        ).fetchall()
        return {
            (kind, name): (until, once)
            for kind, name, until, once in rows
            if until is None or until > self.now
        }

    def _choose(self) -> None:
        paused = [name for kind, name in self._flags if kind == "paused-task"]
        cursor = self.con.execute(
            f"""
            select {_COLUMNS} from huey_job job left join huey_payload payload using (seq)
            where job.queue = ? and job.state = 'pending' and (? or job.crashes = 0)
                and (? or job.crashes = 0 or job.crashes < job.max_crashes - 1)
                and job.task not in (select value from json_each(?)) and (? is null or job.seq = ?)
            order by job.priority desc, job.run_at, job.seq
            """,  # noqa: S608  the columns are a constant of this file
            (
                self.queue,
                self.want.suspects,
                self.want.last_chance,
                listed(paused),
                self.want.only,
                self.want.only,
            ),
        )
        # Row by row: what is not admitted is not read, however large its payload is.
        for row in cursor:
            if not self._admit(Claim._make(row)):
                break
        cursor.close()

    def _admit(self, claim: Claim) -> bool:
        """Take a candidate, or put it aside; False ends the group. Nothing is skipped over but what
        its key holds back, so that a group never runs a job before one that should come first."""
        if claim.expires_at is not None and claim.expires_at <= self.now:
            self.expired.append(JobRef(claim.seq, claim.id, claim.task))
            return len(self.expired) < _SWEEP
        if self._flags and self._spend_revocation(claim):
            self.revoked.append(JobRef(claim.seq, claim.id, claim.task))
            return len(self.revoked) < _SWEEP
        if claim.crashes and self.claims:
            return False
        if claim.at_most_once and not self.durable:
            self.needs_sync = True
            return False
        if len(self.claims) >= max(self.want.quick.get(claim.task, 0), self.want.free):
            return False
        if claim.key_name is not None and not self._keys.admit(claim):
            return not self._keys.is_full
        self.claims.append(claim)
        return not claim.crashes

    def _spend_revocation(self, claim: Claim) -> bool:
        for key in (("revoked-id", claim.id), ("revoked-task", claim.task)):
            if key in self._flags:
                _, once = self._flags[key]
                if once or key[0] == "revoked-id":
                    del self._flags[key]
                    self.con.execute(
                        "delete from huey_flag where queue = ? and kind = ? and name = ?",
                        (self.queue, *key),
                    )
                return True
        return False
