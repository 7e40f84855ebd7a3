"""The plain exchange in two messages, the second of which commits: nobody else waits for more than
one answer under the lock of the queue.

Plain are runs that returned, without a key and without followers, and claims that nothing holds
back. Any number of them go on beside each other: each passes over the jobs that another one has in
hand. What else is met is left to one who is alone in the queue, and to the statements of
``storage.sql``, which say the same."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING

from hueycore.exceptions import StorageError
from hueycore.model.endings import Done
from hueycore.model.jobs import Claim, Ended, Want
from hueycore.storage.postgres.dialect import DIALECT
from hueycore.storage.sql.done import LEAVE
from hueycore.storage.sql.endings import Applied
from hueycore.storage.sql.exchange import Exchanges, Outcome, outcome
from hueycore.storage.sql.metrics import Tally
from hueycore.storage.sql.pick import FLAGS, Pick, candidates

if TYPE_CHECKING:
    from hueycore.storage.postgres.database import Database
    from hueycore.storage.sql.dialect import Connection, Rows

#: The greatest number of candidates that one statement asks for.
_MOST = 4096

# Found by number alone: the index of what runs would be read as a whole, once for each of them.
_DONE = f"""
    update huey_job set state = 'done', reason = null, started_at = over.started,
        finished_at = over.finished, taken = over.taken, {LEAVE}
    from unnest(cast(? as bigint[]), cast(? as integer[]), cast(? as double precision[]),
        cast(? as double precision[]), cast(? as integer[]))
        as over (seq, claim, started, finished, taken)
    where huey_job.seq = over.seq and huey_job.claim = over.claim and state || '' = 'running'
        and worker + 0 = ?
    returning huey_job.seq
"""
_RESULTS = """
    insert into huey_result (seq, queue, result)
    select over.seq, ?, over.result
    from unnest(cast(? as bigint[]), cast(? as bytea[])) as over (seq, result)
    on conflict (seq) do update set result = excluded.result
"""
#: No row when nothing holds jobs back, and the worker may claim.
_HELD_BACK = f"""
    {FLAGS} union all
    select 'gone', '', null, 0 where not exists (
        select 1 from huey_worker
        where id = :worker and pid = :pid and started_at = :since)
"""
#: A row of nothing in place of candidates that others have in hand, all of them. Whether there are
#: any is asked only then: the index is full of entries of jobs that are over, until a VACUUM.
_NOTHING = (None,) * len(Claim._fields)
_IN_HAND = f"""
    select {", ".join(["null"] * len(_NOTHING))}
    where not exists (select 1 from free) and exists (
        select 1 from huey_job where queue = ? and state = 'pending'
        order by priority desc, run_at, seq limit 1)
"""


class NotPlain(Exception):
    """The exchange is none of this room."""


class Hot(Exchanges):
    db: Database
    #: Whether the last exchange met nothing for which it had to be alone.
    _beside = True

    def _together(self, worker: int, endings: Sequence[Ended], want: Want) -> Outcome:
        if want.only is None and all(_is_plain(ended) for ended in endings):
            try:
                return self._plain(worker, endings, want)
            except NotPlain:
                pass
        return super()._together(worker, endings, want)

    def _plain(self, worker: int, endings: Sequence[Ended], want: Want) -> Outcome:
        tally = Tally(self.queue)
        tally.done(endings)
        alone = False

        def first(con: Connection, beside: bool) -> Callable[[], Outcome] | None:
            ended = _end(con, worker, self.queue, endings)
            pick = _PlainPick(con, self.queue, want, durable=False)
            pick.ask(worker, self._since.get(worker), beside)
            if ended is not None and len(ended.fetchall()) != len(endings):
                raise NotPlain  # some are lost
            if not pick.answer():
                return None

            def rest() -> Outcome:
                if pick.claims:
                    pick.write(worker, self._since.get(worker))
                self.alive.note(con, worker)
                tally.write(con)  # last: others wait for its rows
                return outcome(Applied([], []), pick)

            return rest

        def otherwise(con: Connection) -> Outcome:
            nonlocal alone
            alone = True
            self.alive.note(con, worker)
            tally.write(con)
            return outcome(Applied([], []), self._claim(con, worker, want, durable=False))

        try:
            if self._beside:
                found = self.db.exchange_beside(partial(first, beside=True))
                if found is not None:
                    return found
            found = self.db.exchange(partial(first, beside=False), otherwise)
            self._beside = not alone
            return found
        except Exception as error:
            cause = error.__cause__ if isinstance(error, StorageError) else error
            if isinstance(cause, Exception) and DIALECT.refuses(cause):
                raise NotPlain from error  # one of them cannot be written
            raise


def _is_plain(ended: Ended) -> bool:
    claim = ended.claim
    return (
        type(ended.ending) is Done
        and ended.said is None
        and claim.key_name is None
        and claim.next is None
        and not claim.inputs
    )


def _end(con: Connection, worker: int, queue: str, endings: Sequence[Ended]) -> Rows | None:
    """Its rows are those that were ended."""
    if not endings:
        return None
    now = con.now()
    seqs, claims, starts, ends, taken, results, of = [], [], [], [], [], [], []
    for claim, ending, started_at, run_s, _ in endings:
        assert isinstance(ending, Done)
        started = started_at or now
        seqs.append(claim.seq)
        claims.append(claim.claim)
        starts.append(started)
        ends.append(started + run_s)
        taken.append(None if ending.result is None else int(ending.private))
        if ending.result is not None:
            of.append(claim.seq)
            results.append(ending.result)
    ended = con.execute(_DONE, (seqs, claims, starts, ends, taken, worker))
    if results:
        con.execute(_RESULTS, (queue, of, results))
    return ended


@cache
def _candidates(most: int, beside: bool) -> str:
    """A payload that may be too large with all the others is left out."""
    payload = "case when octet_length(payload.payload) <= ? then payload.payload end"
    # A number in the text, for the planner to see.
    found = f"{candidates(DIALECT, payload, 'true')} limit {most}"
    if not beside:
        return found
    free = f"{found} for no key update of job skip locked"
    return f"with free as ({free}) select * from free union all {_IN_HAND}"


class _PlainPick(Pick):
    #: There are jobs, and others had all of them in hand: not all of those are claimed.
    _passed_over = False

    @property
    def again(self) -> bool:
        return self._passed_over or super().again

    def ask(self, worker: int, since: float | None, beside: bool) -> None:
        self._held_back: Rows | None = None
        want = self.want
        if want.free <= 0:
            return
        me = {"worker": worker, "pid": os.getpid(), "since": since}
        self._held_back = self.con.execute(_HELD_BACK, {"queue": self.queue, **me})
        # A power of two: few statements to prepare.
        self._most = min(_MOST, 1 << (max(want.free, *want.quick.values(), 1) - 1).bit_length())
        values = want.bytes // self._most, self.queue, want.suspects, want.last_chance
        self._rows = self.con.execute(
            _candidates(self._most, beside), (*values, self.queue) if beside else values
        )

    def answer(self) -> bool:
        """Choose the claims; False when something is in the way."""
        if self._held_back is None:
            return True
        if self._held_back.fetchall():
            return False
        rows = self._rows.fetchall()
        self._passed_over = rows == [_NOTHING]
        try:
            self.choose([] if self._passed_over else rows)
        except NotPlain:
            return False
        return True

    def _admit(self, claim: Claim) -> bool:
        if claim.key_name is not None or claim.payload is None:
            raise NotPlain
        if claim.expires_at is not None and claim.expires_at <= self.now:
            raise NotPlain
        return super()._admit(claim)
