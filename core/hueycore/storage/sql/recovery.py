"""What becomes of the jobs of a worker that died. All of it runs under the write lock and the
worker's number: nobody else can be doing the same."""

from __future__ import annotations

from functools import partial

from hueycore.model import rest
from hueycore.model.endings import Dead, Done, Failure, Released, Retry
from hueycore.model.jobs import Claim, Ended, JobRef, Recovered
from hueycore.model.states import Asked, State
from hueycore.storage.sql.dialect import Alive, Connection, Registered
from hueycore.storage.sql.edges import follow
from hueycore.storage.sql.endings import apply_endings, go_on
from hueycore.storage.sql.failures import add_error
from hueycore.storage.sql.handlers import call_handler
from hueycore.storage.sql.keys import free_locks, settle
from hueycore.storage.sql.periodic import forget_declarations
from hueycore.storage.sql.unique import GIVES_WAY
from hueycore.storage.sql.unwritable import Refused, attempt, end_unwritable
from hueycore.storage.sql.workerlog import log_worker

#: The columns of a claim; its payload is not read.
CLAIM = ", ".join("null" if field == "payload" else field for field in Claim._fields)


def recover_worker(con: Connection, worker: Registered, alive: Alive) -> list[Recovered]:
    """Take back everything that a dead worker held, and forget the worker."""
    same = con.execute(
        "select 1 from huey_worker where id = ? and pid = ? and started_at = ?",
        (worker.id, worker.pid, worker.started_at),
    ).fetchall()
    if not same:
        return []
    rows = con.execute(
        f"""
        select {CLAIM}, cancel_requested, claimed_at
        from huey_job where worker = ? and state = 'running' order by seq
        """,
        (worker.id,),
    ).fetchall()
    claims = [Claim._make(columns) for *columns, _, _ in rows]
    started = alive.began(con, worker, claims)
    recovered = []
    keys = _go_on_for(con, worker)
    for claim, (*_, asked, claimed_at) in zip(claims, rows, strict=True):
        keys.add(claim.key_name)
        began = claim.seq in started
        if began and asked == Asked.OVERDUE:
            step = partial(_end_overdue, con, worker, claim, claimed_at)
        else:
            step = partial(_take_back, con, worker, claim, Asked(asked) if asked else None, began)
        try:
            recovered.append(attempt(con, step))
        except Refused as error:
            end_unwritable(con, worker.queue, Ended(claim, Released()), error)
            job = JobRef(claim.seq, claim.id, claim.task)
            recovered.append(Recovered(job, State.DEAD, began, worker.name))
    log_worker(con, "worker-died", worker, len(recovered))
    con.execute("delete from huey_worker where id = ?", (worker.id,))
    forget_declarations(con, worker.id)
    names = free_locks(con, worker.queue, worker.id)
    settle(con, worker.queue, {*names, *keys})
    return recovered


def _go_on_for(con: Connection, worker: Registered) -> set[str | None]:
    """Write the consequences of runs that ended in transactions of the application's, which the
    worker did not live to do: the keys of their jobs."""
    seqs = con.dialect.completed(con, "worker", worker.id)
    if not seqs:
        return set()
    d = con.dialect
    rows = con.execute(
        f"""
        select {CLAIM}, started_at, finished_at - started_at
        from huey_job where {d.among("seq")} and state = 'done' order by seq
        """,
        (d.listed(seqs),),
    ).fetchall()
    done = [Ended(Claim._make(row[:-2]), Done(), *row[-2:]) for row in rows]
    go_on(con, worker.queue, done)
    return {ended.claim.key_name for ended in done}


def _take_back(
    con: Connection, worker: Registered, claim: Claim, asked: Asked | None, started: bool
) -> Recovered:
    stopping = worker.state == "stopping"
    interrupted = asked is Asked.INTERRUPT  # its process was killed because it had to be
    crashed = started and not stopping and not interrupted
    crashes = claim.crashes + crashed
    now = con.now()
    reason: str | None = "interrupted" if stopping else "crashed"
    finished: float | None = now
    if started and not interrupted and (claim.at_most_once or crashes >= claim.max_crashes):
        state = State.DEAD
    elif asked in (Asked.STOP, Asked.INTERRUPT):
        state, reason = State.REVOKED, "revoked"
    else:
        state, reason, finished = rest.ready(claim.key_name), None, None
    if started and not interrupted:
        what = "was stopped" if stopping else "died"
        text = f"worker {worker.name} (process {worker.pid}) {what} while it ran this job"
        failure = Failure("Interrupted" if stopping else "Crashed", text, "")
        # A run that a stop has cut off is no failure of the job.
        counted = crashed or state is State.DEAD
        add_error(con, claim, failure, now, 0.0, worker.name, counted=counted)
    con.execute(
        f"""
        update huey_job set state = ?, reason = coalesce(?, reason), finished_at = ?, crashes = ?,
            unique_until = {GIVES_WAY if finished is None else "unique_until"},
            attempt = attempt - ?, worker = null, claimed_at = null, cancel_requested = 0
        where seq = ?
        """,
        (state, reason, finished, crashes, int(not started), claim.seq),
    )
    if finished is not None:
        follow(con, [claim.seq], delivered=False)
    if state is State.DEAD:
        call_handler(con, claim.seq)
    return Recovered(JobRef(claim.seq, claim.id, claim.task), state, started, worker.name)


def _end_overdue(con: Connection, worker: Registered, claim: Claim, claimed_at: float) -> Recovered:
    """The worker was killed because this run went on after its timeout: no crash."""
    # Imported here: it brings logging along, and who only looks needs neither.
    from hueycore.model.retry import next_delay

    now = con.now()
    text = f"process {worker.pid} was killed: the job went on after its timeout, {claim.timeout} s"
    failure = Failure("TaskTimeout", text, "")
    ending: Retry | Dead = Dead("timeout", failure)
    if claim.retries > 0 and not claim.at_most_once:
        again = now + claim.retry_delay if claim.retry_delay else None
        coming = next_delay(claim.retry_delay, claim.retry_backoff)
        ending = Retry(again, claim.retries - 1, coming, failure, claim.retry_delay)
    apply_endings(con, worker.queue, [Ended(claim, ending, claimed_at, now - claimed_at)])
    (state,) = con.execute("select state from huey_job where seq = ?", (claim.seq,)).fetchone()
    job = JobRef(claim.seq, claim.id, claim.task)
    return Recovered(job, State(state), True, worker.name, timeout=True)
