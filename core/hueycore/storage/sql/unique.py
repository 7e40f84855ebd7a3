"""Unique jobs: one per queue, task and key. The index huey_job_unique holds it, whoever writes;
what happens to the second one is said here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hueycore.exceptions import DuplicateJob
from hueycore.model import rest
from hueycore.model.jobs import Enqueued, Job, JobRef, NewJob
from hueycore.model.states import State
from hueycore.storage.sql.dialect import Connection
from hueycore.storage.sql.keys import settle

#: True of the job that has its key: the condition of the index, word for word, so that it is used.
_HOLDS = """unique_until is not null and finished_at is null
    and (unique_until = 'end' or state <> 'running')"""

#: The value of ``unique_until`` in an UPDATE that takes a running job back among the waiting ones.
#: One that was unique until its start has let go of the key, and another may have it by now: then
#: it waits beside that one, unique no more. A job is never lost to its key.
GIVES_WAY = """
    case when unique_until = 'start' and exists (
        select 1 from huey_job other
        where other.queue = huey_job.queue and other.task = huey_job.task
            and other.unique_key = huey_job.unique_key and other.unique_until is not null
            and other.finished_at is null
            and (other.unique_until = 'end' or other.state <> 'running'))
    then null else unique_until end
"""


def holder(
    con: Connection, queue: str, task: str, key: str | None
) -> tuple[int, str, State] | None:
    """Number, id and state of the job that has a key."""
    row = con.execute(
        f"""
        select seq, id, state from huey_job
        where queue = ? and task = ? and unique_key = ? and {_HOLDS}
        """,
        (queue, task, key),
    ).fetchone()
    return None if row is None else (row[0], row[1], State(row[2]))


def held_keys(con: Connection, queue: str, jobs: Sequence[NewJob]) -> set[tuple[str, str | None]]:
    """(task, key) of those keys of new jobs that a job has."""
    d = con.dialect
    keys = [job.unique_key for job in jobs if job.unique_until is not None]
    tasks = {job.task for job in jobs if job.unique_until is not None}
    rows = con.execute(
        f"""
        select task, unique_key from huey_job
        where queue = ? and {d.among("task")} and {d.among("unique_key")} and {_HOLDS}
        """,
        (queue, d.listed(tasks), d.listed(keys)),
    ).fetchall()
    return {(task, key) for task, key in rows}


def holders(con: Connection, jobs: Iterable[Job]) -> dict[tuple[str, str, str | None], str]:
    """The ids of the jobs that have keys of these by now: by queue, task and key."""
    d = con.dialect
    by_queue: dict[str, list[Job]] = {}
    for job in jobs:
        by_queue.setdefault(job.queue, []).append(job)
    found = {}
    for queue, own in by_queue.items():
        rows = con.execute(
            f"""
            select task, unique_key, id from huey_job
            where queue = ? and {d.among("task")} and {d.among("unique_key")} and {_HOLDS}
            """,
            (
                queue,
                d.listed({job.task for job in own}),
                d.listed({job.unique_key for job in own}),
            ),
        ).fetchall()
        found.update({(queue, task, key): id_ for task, key, id_ in rows})
    return found


def give_way(con: Connection, queue: str, job: NewJob, now: float) -> Enqueued | None:
    """The job that stands for a new one whose key is taken; None when the new one is to be born.

    ``replace`` changes a waiting job. One that runs has read its arguments: it passes the key on to
    the new job, so that what was asked last is done last.

    Raises ``DuplicateJob``."""
    found = holder(con, queue, job.task, job.unique_key)
    if found is None:
        return None
    seq, id_, state = found
    if job.on_conflict == "fail":
        key = job.unique_key or ""
        text = f'job {id_} of {job.task} has the unique key "{key}"'
        raise DuplicateJob(text, key=key, id=id_)
    if job.on_conflict != "replace":
        return Enqueued(seq, id_, state, fresh=False)
    if state is State.RUNNING:
        con.execute("update huey_job set unique_until = null where seq = ?", (seq,))
        return None
    return Enqueued(seq, id_, _replace(con, queue, seq, job, now), fresh=False)


def _replace(con: Connection, queue: str, seq: int, job: NewJob, now: float) -> State:
    """A waiting job becomes another call, and keeps its number, id and edges."""
    run_at = now if job.run_at is None else max(job.run_at, now)
    before = con.execute("select key_name from huey_job where seq = ?", (seq,)).fetchone()[0]
    con.execute(
        """
        update huey_job set state = case when waits > 0 then state else ? end, run_at = ?,
            delay = case when waits > 0 then delay else ? end,
            priority = ?,
            expires_at = case when waits > 0 and ? then null
                else cast(? as double precision) end,
            expires_in = ?, scheduled_for = ?, key_name = ?,
            ticket = null, retries = ?, retry_delay = ?, retry_backoff = ?, timeout = ?,
            max_crashes = ?, at_most_once = ?, result_ttl = ?, unique_until = ?, preview = ?,
            attempt = 0, crashes = 0, reason = null, progress = null, errors = null,
            ran_by = null
        where seq = ?
        """,
        (
            rest.state(run_at, now, job.key_name),
            run_at,
            job.delay,
            job.priority,
            job.expires_in is not None,
            rest.expiry(job, run_at),
            job.expires_in,
            job.scheduled_for,
            job.key_name,
            job.retries,
            job.retry_delay,
            job.retry_backoff,
            job.timeout,
            job.max_crashes,
            int(job.at_most_once),
            job.result_ttl,
            job.unique_until,
            job.preview,
            seq,
        ),
    )
    con.execute("update huey_payload set payload = ? where seq = ?", (job.payload, seq))
    settle(con, queue, [before, job.key_name])
    return State(con.execute("select state from huey_job where seq = ?", (seq,)).fetchone()[0])


def doubled(con: Connection, jobs: Sequence[JobRef]) -> dict[int, str]:
    """Which of these final jobs could not wait again, and why: the key is another's by now, or that
    of one before it in the list."""
    d = con.dialect
    rows = con.execute(
        f"""
        select seq, queue, task, unique_key from huey_job
        where {d.among("seq")} and unique_until is not null order by seq
        """,
        (d.listed(job.seq for job in jobs),),
    ).fetchall()
    taken: dict[tuple[str, str, str], str] = {}
    found = {}
    ids = {job.seq: job.id for job in jobs}
    for seq, *key in rows:
        queue, task, unique_key = key
        live = holder(con, queue, task, unique_key)
        other = live[1] if live else taken.setdefault((queue, task, unique_key), ids[seq])
        if other != ids[seq]:
            found[seq] = f'duplicate: job {other} has its unique key "{unique_key}"'
    return found
