"""The choice of what is claimed: the jobs that may run now, in running order."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cache
from typing import Any

from hueycore.exceptions import StorageMoved
from hueycore.model.jobs import Claim, JobRef, Want
from hueycore.model.states import State
from hueycore.storage.sql.dialect import Connection, Dialect, Rows
from hueycore.storage.sql.endings import end_waiting
from hueycore.storage.sql.keys import Admission

#: Expired and revoked jobs that one exchange clears away at most.
_SWEEP = 500
_QUEUE_PAUSED = "paused-queue"
#: Everything that holds jobs of a ``:queue`` back.
FLAGS = f"""
    select kind, name, until, once from huey_flag where queue = :queue
    union all
    select '{_QUEUE_PAUSED}', queue, paused_until, 0 from huey_queue
    where queue = :queue and paused_at is not null
"""


def candidates(d: Dialect, payload: str, condition: str) -> str:
    """Pending jobs in running order, each row a Claim. The first values are those of ``payload``,
    the queue, ``Want.suspects`` and ``Want.last_chance``."""
    return f"""
        select job.seq, job.claim + 1, job.id, job.task, {payload}, job.attempt + 1,
            job.retries, job.retry_delay, job.retry_backoff, job.priority, job.run_at,
            job.expires_at, job.scheduled_for, job.timeout, {d.crashes}, job.max_crashes,
            job.at_most_once, job.key_name, job.next, job.inputs
        from huey_job job left join huey_payload payload using (seq)
        where job.queue = ? and job.state = 'pending' and (? or {d.crashes} = 0)
            and (? or {d.crashes} = 0 or {d.crashes} < job.max_crashes - 1) and {condition}
        order by job.priority desc, job.run_at, job.seq
    """


@cache
def _candidates(d: Dialect) -> str:
    condition = f"not {d.among('job.task')} and (? is null or job.seq = ?)"
    return candidates(d, "payload.payload", condition)


@cache
def _claim(d: Dialect) -> str:
    return f"""
        update huey_job set state = 'running', worker = ?, claimed_at = ?, claim = claim + 1,
            attempt = attempt + 1, ran_by = (select name from huey_worker where id = ?)
        where {d.among("seq")}
            and exists (select 1 from huey_worker where id = ? and pid = ? and started_at = ?)
    """


class Pick:
    """One group of claims, chosen in running order under the write lock."""

    def __init__(self, con: Connection, queue: str, want: Want, durable: bool) -> None:
        self.con, self.queue, self.want, self.durable = con, queue, want, durable
        self.now = con.now()
        self.claims: list[Claim] = []
        self.revoked: list[JobRef] = []
        self.expired: list[JobRef] = []
        self.needs_sync = False
        self.held: str | None = None
        self._bytes = 0
        self._keys = Admission(con, queue, want.free)
        self._flags: dict[tuple[str, str], tuple[float | None, int]] = {}

    @property
    def again(self) -> bool:
        """Whether another transaction may claim what this one could not."""
        return self.needs_sync or self._keys.is_full

    def claim(self, worker: int, since: float | None) -> None:
        self._keys.look_ahead()
        self._flags = self._load_flags()
        if (_QUEUE_PAUSED, self.queue) in self._flags:
            return
        self._choose()
        if self.claims and not self.write(worker, since).rowcount:
            # A claim of nobody could never be given back.
            raise StorageMoved(f"worker {worker} was taken for dead; it must start again")
        if any(claim.key_name is not None for claim in self.claims):
            self.con.dialect.outlive(self.con)
        self._keys.settle()
        for refs, state, reason in (
            (self.revoked, State.REVOKED, "revoked"),
            (self.expired, State.EXPIRED, None),
        ):
            if refs:
                end_waiting(self.con, [ref.seq for ref in refs], state, reason, self.now)

    def write(self, worker: int, since: float | None) -> Rows:
        """Write the claims down; no row is changed when the worker is gone."""
        d = self.con.dialect
        seqs = d.listed(claim.seq for claim in self.claims)
        values = (worker, self.now, worker, seqs, worker, os.getpid(), since)
        return self.con.execute(_claim(d), values)

    def _load_flags(self) -> dict[tuple[str, str], tuple[float | None, int]]:
        """Everything that holds jobs back, in one statement: each costs the worker threads a
        hand-over of the interpreter's lock."""
        rows = self.con.execute(FLAGS, {"queue": self.queue}).fetchall()
        return {
            (kind, name): (until, once)
            for kind, name, until, once in rows
            if until is None or until > self.now
        }

    def _choose(self) -> None:
        paused = [name for kind, name in self._flags if kind == "paused-task"]
        d, want = self.con.dialect, self.want
        rows = self.con.pages(
            _candidates(d),
            (self.queue, want.suspects, want.last_chance, d.listed(paused), want.only, want.only),
        )
        # What is not admitted is not read, however large its payload is.
        self.choose(rows)
        rows.close()

    def choose(self, rows: Iterable[Any]) -> None:
        """Fill the group from candidates."""
        for row in rows:
            if not self._admit(Claim._make(row)):
                break

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
        want, claimed = self.want, len(self.claims)
        if claimed >= want.free and claimed >= self._group(claim):
            return False
        size = self._bytes + len(claim.payload or b"")
        if size > want.bytes and claimed:
            self.held = "bytes"
            return False
        if claim.key_name is not None and not self._keys.admit(claim):
            return not self._keys.is_full
        self._bytes = size
        self.claims.append(claim)
        return not claim.crashes

    def _group(self, claim: Claim) -> int:
        """The size of a group that this one may be in. What must not run twice waits in none where
        nobody could tell that it has not begun."""
        if claim.at_most_once and not self.con.dialect.sees_starts:
            return 0
        return self.want.quick.get(claim.task, 0)

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
