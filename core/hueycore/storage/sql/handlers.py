"""Error handlers: jobs that are born when another one fails for good, with the commit that says so.

Until then they are text beside the job: on success nothing has to be undone.
"""

from __future__ import annotations

from hueycore.model.failures import read_errors
from hueycore.model.pack import unpack
from hueycore.model.plan import Input
from hueycore.model.states import State
from hueycore.storage.sql.dialect import Connection
from hueycore.storage.sql.enqueue import delete_jobs, insert_jobs
from hueycore.storage.sql.stages import join, keep_inputs
from hueycore.system.ids import new_id


def call_handler(con: Connection, seq: int, cause: bytes | None = None) -> None:
    """Enqueue what is to be called because this job has failed, if there is something: with
    ``cause``, else with the last error of its row."""
    row = con.execute(
        """
        select jobs, queue, id, claim, errors
        from huey_handler join huey_job using (seq) where seq = ?
        """,
        (seq,),
    ).fetchone()
    if row is None:
        return
    text, queue, id_, claim, errors = row
    jobs, plan = unpack(text)
    ids = _ids(con, queue, f"{id_}/{seq}/{claim}", len(jobs))
    jobs = [job._replace(id=mine) for job, mine in zip(jobs, ids, strict=True)]
    now = con.now()
    if 0 in plan.delays:
        jobs[0] = jobs[0]._replace(run_at=now + plan.delays[0], delay=plan.delays[0])
    if 0 in plan.expiries:
        jobs[0] = jobs[0]._replace(expires_in=plan.expiries[0])
    born = insert_jobs(con, queue, jobs)
    if not all(job.fresh for job in born):
        # One that must be the only one of its kind waits already: what it stands for will be done.
        delete_jobs(con, [job.seq for job in born if job.fresh])
        return
    join(con, born, plan)
    last = read_errors(errors)[-1] if errors else None
    given = Input(None, id_, State.DEAD, cause, last)
    keep_inputs(con, [(born[0].seq, given)])
    con.execute("update huey_job set inputs = 1 where seq = ?", (born[0].seq,))


def _ids(con: Connection, queue: str, run: str, number: int) -> list[str]:
    """Ids that follow from the run that failed: each time it fails for good they are others."""
    d = con.dialect
    from uuid import NAMESPACE_OID, uuid5  # dear, and rarely needed

    ids = [str(uuid5(NAMESPACE_OID, f"{run}/{place}")) for place in range(number)]
    taken = con.execute(
        f"select 1 from huey_job where queue = ? and {d.among('id')}",
        (queue, d.listed(ids)),
    ).fetchall()
    return [new_id() for _ in ids] if taken else ids
