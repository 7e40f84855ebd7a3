"""What became of runs, written. Each ending is fenced by its claim: a run that was taken away from
its worker cannot end the job any more."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from hueycore.model.endings import (
    Blocked,
    Completed,
    Dead,
    Done,
    Ending,
    Expired,
    Failure,
    Released,
    Retry,
    Revoked,
    Snoozed,
)
from hueycore.model.events import Said
from hueycore.model.jobs import Claim, Ended
from hueycore.model.states import Asked, State
from hueycore.storage.sql.edges import follow, forget
from hueycore.storage.sql.handlers import call_handler
from hueycore.storage.sql.joblog import write_said
from hueycore.storage.sql.keys import settle, settle_keys_of
from hueycore.storage.sql.metrics import Tally
from hueycore.storage.sql.part import GROUP, grouped, insert_rows, listed, placeholders
from hueycore.storage.sql.unique import GIVES_WAY
from hueycore.system import clock

#: Attempts whose errors a row keeps, the newest ones.
KEPT_ERRORS = 25

_WON = "where seq = ? and claim = ? and state = 'running'"
_STORE_RESULT = "insert or replace into huey_result (seq, queue, result)"
_GROUP = placeholders(GROUP, 5)
_LEAVE = "worker = null, claimed_at = null, cancel_requested = 0"

#: started_at, finished_at, taken, seq, claim
_DoneRow = tuple[float, float, bool | None, int, int]


class Applied(NamedTuple):
    """The endings that were lost, those that became ``revoked``, and whether a key was settled."""

    lost: list[Ended]
    stopped: list[Ended]
    settled: bool = False


def apply_endings(con: sqlite3.Connection, queue: str, endings: Sequence[Ended]) -> Applied:
    """Write endings in the caller's transaction, with all that follows."""
    tally = Tally(queue)
    keys: set[str] = set()
    said: list[tuple[Claim, Said]] = []
    done: list[Ended] = []
    others: list[Ended] = []
    for ended in endings:
        if ended.claim.key_name is not None:
            keys.add(ended.claim.key_name)
        if ended.said is not None:
            said.append((ended.claim, ended.said))
        (done if type(ended.ending) is Done else others).append(ended)
    if said:
        write_said(con, queue, said)
    if others:
        others = _without_completed(con, others, done)
    stopped: list[Ended] = []
    lost = _end_done(con, queue, done) if done else []
    for ended in others:
        ending = _end_other(con, queue, ended, tally)
        if ending is None:
            lost.append(ended)
        elif type(ending) is not type(ended.ending):
            stopped.append(ended)
    if lost:
        gone = {ended.claim[:2] for ended in lost}
        done = [ended for ended in done if ended.claim[:2] not in gone]
    tally.done(done)
    stages = [ended.claim for ended in done if ended.claim.next is not None or ended.claim.inputs]
    if stages:
        follow(con, [stage.seq for stage in stages if stage.next is not None], delivered=True)
        forget(con, [stage.seq for stage in stages if stage.inputs])
    tally.write(con)
    if keys:
        settle(con, queue, keys)
    return Applied(lost, stopped, bool(keys))


def _without_completed(
    con: sqlite3.Connection, endings: Sequence[Ended], done: list[Ended]
) -> list[Ended]:
    """Leave out what the application has committed itself. Only the holder of a claim makes a job
    done: one that is so under this claim was ended by this run. What is ``Done`` otherwise joins
    ``done``."""
    found: list[Ended] = []
    for ended in endings:
        if isinstance(ended.ending, Completed):
            if con.execute(
                "select 1 from huey_job where seq = ? and claim = ? and state = 'done'",
                ended.claim[:2],
            ).fetchall():
                continue
            ended = ended._replace(ending=ended.ending.otherwise)
        (done if type(ended.ending) is Done else found).append(ended)
    return found


def end_waiting(
    con: sqlite3.Connection, seqs: Sequence[int], state: State, reason: str | None, now: float
) -> int:
    """Waiting rows become final without a run; their followers learn of it."""
    changed = con.execute(
        """
        update huey_job set state = ?, reason = ?, finished_at = ?
        where seq in (select value from json_each(?))
            and state in ('scheduled', 'pending', 'blocked')
        """,
        (state, reason, now, listed(seqs)),
    ).rowcount
    follow(con, seqs, delivered=False)
    settle_keys_of(con, seqs)
    return changed


def error_entry(
    failure: Failure, attempt: int, at: float, run_s: float, worker: str, *, counted: bool = True
) -> str:
    """One element of the row's ``errors``. Not ``counted``: the run was given back, no attempt."""
    return json.dumps(
        {
            "at": at,
            "attempt": attempt,
            "type": failure.type,
            "message": failure.message,
            "traceback": failure.traceback,
            "run_s": round(run_s, 6),
            "worker": worker,
            "counted": counted,
        }
    )


def add_error(con: sqlite3.Connection, seq: int, entry: str) -> None:
    """Append an entry. Of runs that were given back one after another only the last is kept: a job
    that waits for its turn a hundred times must not lose the errors of its attempts."""
    con.execute(
        """
        update huey_job set errors = json_insert(
            case when json_extract(errors, '$[#-1].counted') = 0
                    and json_extract(:entry, '$.counted') = 0
                then json_remove(errors, '$[#-1]')
                when json_array_length(coalesce(errors, '[]')) >= :most
                then json_remove(errors, '$[0]') else coalesce(errors, '[]') end,
            '$[#]', json(:entry))
        where seq = :seq
        """,
        {"most": KEPT_ERRORS, "entry": entry, "seq": seq},
    )


def _end_done(con: sqlite3.Connection, queue: str, endings: list[Ended]) -> list[Ended]:
    rows: list[_DoneRow] = []
    results: list[tuple[int, str, bytes]] = []
    now = clock.now()
    for claim, ending, started_at, run_s, _ in endings:
        started = started_at or now
        result = ending.result  # type: ignore[union-attr]
        taken = None if result is None else ending.private  # type: ignore[union-attr]
        rows.append((started, started + run_s, taken, claim.seq, claim.claim))
        if result is not None:
            results.append((claim.seq, queue, result))
    changed = _make_done(con, rows)
    lost: list[Ended] = []
    if changed != len(rows):
        lost = [e for e, row in zip(endings, rows, strict=True) if not _is_done(con, row)]
        gone = {ended.claim[:2] for ended in lost}
        results = [
            (ended.claim.seq, queue, ended.ending.result)  # type: ignore[union-attr]
            for ended in endings
            if ended.claim[:2] not in gone and ended.ending.result is not None  # type: ignore[union-attr]
        ]
    insert_rows(con, _STORE_RESULT, results)
    return lost


def _make_done(con: sqlite3.Connection, rows: list[_DoneRow]) -> int:
    """How many were ended. A whole group is one step of one statement: a third less work than row
    by row, and the interpreter's lock is given away once."""
    groups, rest = grouped(rows)
    changed = 0
    for group in groups:
        changed += con.execute(
            f"""
            update huey_job set state = 'done', reason = null, started_at = over.column1,
                finished_at = over.column2, taken = over.column3, {_LEAVE}
            from (values {_GROUP}) as over
            -- The plus: by number, not by the index of those that run.
            where seq = over.column4 and claim = over.column5 and +state = 'running'
            """,  # noqa: S608  constants of this file
            group,
        ).rowcount
    changed += con.executemany(
        f"""
        update huey_job set state = 'done', reason = null, started_at = ?, finished_at = ?,
            taken = ?, {_LEAVE} {_WON}
        """,  # noqa: S608
        rest,
    ).rowcount
    return changed


def _is_done(con: sqlite3.Connection, row: _DoneRow) -> bool:
    return bool(
        con.execute(
            """
            select 1 from huey_job
            where seq = ? and claim = ? and state = 'done' and finished_at = ?
            """,
            (row[3], row[4], row[1]),
        ).fetchall()
    )


def _end_other(con: sqlite3.Connection, queue: str, ended: Ended, tally: Tally) -> Ending | None:
    """Write an ending; the one that was written, None when the claim is lost."""
    claim, ending = ended.claim, ended.ending
    row = con.execute(
        f"""
        select cancel_requested, (select name from huey_worker where id = worker)
        from huey_job {_WON}
        """,  # noqa: S608
        claim[:2],
    ).fetchone()
    if row is None:
        return None
    cancelled, worker = row
    now = clock.now()
    if isinstance(ending, Dead | Retry | Snoozed | Revoked) and ending.failure is not None:
        counted = not isinstance(ending, Snoozed)
        entry = error_entry(
            ending.failure, claim.attempt, now, ended.run_s, worker or "", counted=counted
        )
        add_error(con, claim.seq, entry)
    if cancelled in (Asked.STOP, Asked.INTERRUPT) and _gives_back(ending):
        ending = Revoked()
    if isinstance(ending, Dead | Revoked | Expired):
        _finish(con, queue, ended, ending, now)
    else:
        _put_back(con, ended, ending, now)
        if isinstance(ending, Blocked):
            settle(con, queue, [ending.key])
    tally.other(ended, ending)
    return ending


def _gives_back(ending: Ending) -> bool:
    """Whether the job would run again, or has died of being stopped."""
    if isinstance(ending, Dead):
        return ending.reason == "interrupted"
    return isinstance(ending, Retry | Snoozed | Released | Blocked)


def _finish(
    con: sqlite3.Connection, queue: str, ended: Ended, ending: Dead | Revoked | Expired, now: float
) -> None:
    claim = ended.claim
    state = {Dead: State.DEAD, Revoked: State.REVOKED, Expired: State.EXPIRED}[type(ending)]
    reason = None if isinstance(ending, Expired) else ending.reason
    unstarted = ended.started_at is None and not isinstance(ending, Dead)
    con.execute(
        f"""
        update huey_job set state = ?, reason = ?, finished_at = ?,
            started_at = coalesce(?, started_at), taken = ?, attempt = attempt - ?, {_LEAVE} {_WON}
        """,  # noqa: S608
        (
            state, reason, now, ended.started_at, None if ending.result is None else 0,
            unstarted, *claim[:2],
        ),
    )  # fmt: skip
    if ending.result is not None:
        insert_rows(con, _STORE_RESULT, [(claim.seq, queue, ending.result)])
    if claim.next is not None:
        follow(con, [claim.seq], delivered=False)
    if isinstance(ending, Dead) or (isinstance(ending, Revoked) and ending.cause is not None):
        call_handler(con, claim.seq, ending.cause)


def _put_back(
    con: sqlite3.Connection,
    ended: Ended,
    ending: Retry | Snoozed | Released | Blocked | Done | Completed,
    now: float,
) -> None:
    claim = ended.claim
    state, run_at, uncounted = State.PENDING, claim.run_at, 1
    retries, retry_delay, key = claim.retries, claim.retry_delay, claim.key_name
    match ending:
        case Retry():
            run_at = now if ending.run_at is None else ending.run_at
            state = State.SCHEDULED if run_at > now else State.PENDING
            retries, retry_delay, uncounted = ending.retries, ending.retry_delay, 0
        case Snoozed():
            run_at = ending.run_at
            state = State.SCHEDULED
        case Blocked():
            key = ending.key
    if key is not None and state is State.PENDING:
        state = State.BLOCKED  # whose turn it is, settle() says
    con.execute(
        f"""
        update huey_job set state = ?, run_at = ?, retries = ?, retry_delay = ?, key_name = ?,
            unique_until = {GIVES_WAY}, started_at = coalesce(?, started_at),
            attempt = attempt - ?, {_LEAVE} {_WON}
        """,  # noqa: S608
        (state, run_at, retries, retry_delay, key, ended.started_at, uncounted, *claim[:2]),
    )
