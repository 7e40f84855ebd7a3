"""What became of runs, written. Each ending is fenced by its claim: a run that was taken away from
its worker cannot end the job any more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from hueycore.model import rest
from hueycore.model.endings import (
    Blocked,
    Completed,
    Dead,
    Done,
    Ending,
    Expired,
    Released,
    Retry,
    Revoked,
    Snoozed,
)
from hueycore.model.events import Said
from hueycore.model.jobs import Claim, Ended
from hueycore.model.states import Asked, State
from hueycore.storage.sql.dialect import Connection
from hueycore.storage.sql.done import LEAVE, WON, end_done, store_results
from hueycore.storage.sql.edges import follow, forget
from hueycore.storage.sql.failures import add_error
from hueycore.storage.sql.handlers import call_handler
from hueycore.storage.sql.joblog import write_notes
from hueycore.storage.sql.keys import settle, settle_keys_of
from hueycore.storage.sql.metrics import Tally
from hueycore.storage.sql.release import release
from hueycore.storage.sql.rest import expiry
from hueycore.storage.sql.unique import GIVES_WAY


class Applied(NamedTuple):
    """The endings that were lost, those that became ``revoked``, those that could not be written
    and why, and whether keys have let jobs go."""

    lost: list[Ended]
    stopped: list[Ended]
    unwritable: list[tuple[Ended, str]] = []  # noqa: RUF012  a NamedTuple default, never changed
    freed: bool = False


def apply_endings(con: Connection, queue: str, endings: Sequence[Ended]) -> Applied:
    """Write endings in the caller's transaction, with all that follows."""
    tally = Tally(queue)
    keys: set[str] = set()
    said: list[tuple[Claim, Said]] = []
    done: list[Ended] = []
    others: list[Ended] = []
    completed: list[Ended] = []
    for ended in endings:
        if ended.claim.key_name is not None:
            keys.add(ended.claim.key_name)
        if ended.said is not None:
            said.append((ended.claim, ended.said))
        (done if type(ended.ending) is Done else others).append(ended)
    if said:
        write_notes(con, queue, said)
    if others:
        others = release(con, _without_completed(con, others, done, completed))
    stopped: list[Ended] = []
    lost = end_done(con, queue, done) if done else []
    for ended in others:
        ending = _end_other(con, queue, ended, tally)
        if ending is None:
            lost.append(ended)
        elif type(ending) is not type(ended.ending):
            stopped.append(ended)
        elif isinstance(ending, Blocked):
            keys.add(ending.key)
    if lost:
        gone = {ended.claim[:2] for ended in lost}
        done = [ended for ended in done if ended.claim[:2] not in gone]
    _go_on(con, [*done, *completed], tally)
    tally.write(con)
    return Applied(lost, stopped, freed=bool(settle(con, queue, keys)))


def go_on(con: Connection, queue: str, done: Sequence[Ended]) -> None:
    """Write what follows from runs that are ``done`` already, but for their keys."""
    tally = Tally(queue)
    _go_on(con, done, tally)
    tally.write(con)


def _go_on(con: Connection, done: Sequence[Ended], tally: Tally) -> None:
    tally.done(done)
    stages = [ended.claim for ended in done if ended.claim.next is not None or ended.claim.inputs]
    if stages:
        follow(con, [stage.seq for stage in stages if stage.next is not None], delivered=True)
        forget(con, [stage.seq for stage in stages if stage.inputs])


def _without_completed(
    con: Connection, endings: Sequence[Ended], done: list[Ended], completed: list[Ended]
) -> list[Ended]:
    """Leave out what the application has committed itself. Only the holder of a claim makes a job
    done: one that is so under this claim was ended by this run. It joins ``completed`` when its
    consequences are to be written yet; what is ``Done`` otherwise joins ``done``."""
    found: list[Ended] = []
    for ended in endings:
        if isinstance(ended.ending, Completed):
            if con.execute(
                "select 1 from huey_job where seq = ? and claim = ? and state = 'done'",
                ended.claim[:2],
            ).fetchall():
                if con.dialect.completed(con, "seq", ended.claim.seq):
                    completed.append(ended)
                continue
            ended = ended._replace(ending=ended.ending.otherwise)
        (done if type(ended.ending) is Done else found).append(ended)
    return found


def end_waiting(
    con: Connection, seqs: Sequence[int], state: State, reason: str | None, now: float
) -> int:
    """Waiting rows become final without a run; their followers learn of it."""
    d = con.dialect
    changed = con.execute(
        f"""
        update huey_job set state = ?, reason = ?, finished_at = ?
        where {d.among("seq")} and state in ('scheduled', 'pending', 'blocked')
        """,
        (state, reason, now, d.listed(seqs)),
    ).rowcount
    follow(con, seqs, delivered=False)
    settle_keys_of(con, seqs)
    return changed


def _end_other(con: Connection, queue: str, ended: Ended, tally: Tally) -> Ending | None:
    """Write an ending; the one that was written, None when the claim is lost."""
    claim, ending = ended.claim, ended.ending
    row = con.execute(
        f"""
        select cancel_requested, (select name from huey_worker where id = worker)
        from huey_job {WON}
        """,
        claim[:2],
    ).fetchone()
    if row is None:
        return None
    cancelled, worker = row
    now = con.now()
    if isinstance(ending, Dead | Retry | Snoozed | Revoked) and ending.failure is not None:
        counted = not isinstance(ending, Snoozed)
        add_error(con, claim, ending.failure, now, ended.run_s, worker or "", counted=counted)
    if cancelled in (Asked.STOP, Asked.INTERRUPT) and _gives_back(ending):
        ending = Revoked()
    if isinstance(ending, Dead | Revoked | Expired):
        _finish(con, queue, ended, ending, now)
    else:
        _put_back(con, ended, ending, now)
    tally.other(ended, ending)
    return ending


def _gives_back(ending: Ending) -> bool:
    """Whether the job would run again, or has died of being stopped."""
    if isinstance(ending, Dead):
        return ending.reason == "interrupted"
    return isinstance(ending, Retry | Snoozed | Released | Blocked)


def _finish(
    con: Connection, queue: str, ended: Ended, ending: Dead | Revoked | Expired, now: float
) -> None:
    claim = ended.claim
    state = {Dead: State.DEAD, Revoked: State.REVOKED, Expired: State.EXPIRED}[type(ending)]
    reason = None if isinstance(ending, Expired) else ending.reason
    unstarted = ended.started_at is None and not isinstance(ending, Dead)
    con.execute(
        f"""
        update huey_job set state = ?, reason = ?, finished_at = ?,
            started_at = coalesce(?, started_at), taken = ?, attempt = attempt - ?, {LEAVE} {WON}
        """,
        (
            state,
            reason,
            now,
            ended.started_at,
            None if ending.result is None else 0,
            int(unstarted),
            *claim[:2],
        ),
    )
    if ending.result is not None:
        store_results(con, [(claim.seq, queue, ending.result)])
    if claim.next is not None:
        follow(con, [claim.seq], delivered=False)
    if isinstance(ending, Dead) or (isinstance(ending, Revoked) and ending.cause is not None):
        call_handler(con, claim.seq, ending.cause)


def _put_back(
    con: Connection,
    ended: Ended,
    ending: Retry | Snoozed | Released | Blocked | Done | Completed,
    now: float,
) -> None:
    claim = ended.claim
    retries, retry_delay, key = claim.retries, claim.retry_delay, claim.key_name
    state, run_at, uncounted, delay = rest.ready(key), claim.run_at, 1, 0.0
    again: float | None = None  # when another run may begin, and its time to expire with it
    match ending:
        case Retry():
            run_at = now
            if ending.run_at is not None:
                # Though that may be over by now: its signals say so, and "enqueued" is to follow.
                state, run_at = State.SCHEDULED, ending.run_at
            again = max(run_at, now)
            retries, retry_delay, uncounted = ending.retries, ending.retry_delay, 0
            delay = ending.delay
        case Snoozed():
            state, run_at, delay = State.SCHEDULED, ending.run_at, ending.delay
            again = max(run_at, now)
        case Blocked():
            key = ending.key
            state = rest.ready(key)
    con.execute(
        f"""
        update huey_job set state = ?, run_at = ?, delay = ?, retries = ?, retry_delay = ?,
            expires_at = {expiry("?")},
            key_name = ?, unique_until = {GIVES_WAY}, started_at = coalesce(?, started_at),
            attempt = attempt - ?, {LEAVE} {WON}
        """,
        (
            state,
            run_at,
            delay,
            retries,
            retry_delay,
            again,
            key,
            ended.started_at,
            uncounted,
            *claim[:2],
        ),
    )
