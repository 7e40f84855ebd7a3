"""Jobs with everything they have, out of one file and into another."""

from __future__ import annotations

import json
from collections.abc import Sequence

from hueycore.exceptions import StorageError
from hueycore.model import rest
from hueycore.model.jobs import Cargo, Job, JobRef, Loaded, Selector
from hueycore.model.states import LIVE, State
from hueycore.storage.protocol import transfer as protocol
from hueycore.storage.sql.dialect import UNLIMITED, Connection
from hueycore.storage.sql.edges import NEEDED
from hueycore.storage.sql.enqueue import delete_jobs, describe_queue
from hueycore.storage.sql.keys import settle, settle_keys_of
from hueycore.storage.sql.operators import purge_rows
from hueycore.storage.sql.part import Part
from hueycore.storage.sql.queries import to_job
from hueycore.storage.sql.selector import COLUMNS, conditions
from hueycore.storage.sql.stages import keep_inputs, read_inputs
from hueycore.storage.sql.unique import holder

#: Columns that mean something only in the file that they come from.
_LOCAL = frozenset(
    (
        *("seq", "worker", "claimed_at", "cancel_requested"),
        *("next", "slot", "source", "waits", "delivered"),
    )
)
_CARRIED = tuple(name for name in COLUMNS if name not in _LOCAL)


class Transfer(Part, protocol.Transfer):
    def export(self, selector: Selector) -> list[Cargo]:
        def body(con: Connection) -> list[Cargo]:
            where, values = conditions(con.dialect, selector)
            columns = ", ".join(f'job."{name}"' for name in COLUMNS)
            rows = con.execute(
                f"""
                select {columns}, payload, result
                from (select * from huey_job where {where} order by seq limit ?) job
                    left join huey_payload using (seq) left join huey_result using (seq)
                order by job.seq
                """,
                (*values, UNLIMITED if selector.limit is None else selector.limit),
            ).fetchall()
            found = []
            for row in rows:
                job = to_job(row[:-2])
                inputs = read_inputs(con, job.seq) if job.inputs and not job.waits else ()
                found.append(Cargo(job, row[-2], row[-1], inputs))
            return found

        return self.db.read(body, snapshot=True)

    def load(
        self, cargo: Sequence[Cargo], *, if_exists: str = "keep", pending: bool = False
    ) -> list[Loaded]:
        def body(con: Connection) -> list[Loaded]:
            for queue in {one.job.queue for one in cargo}:
                describe_queue(con, queue, None)
            replaced = _keys_of_ids(con, [one.job.id for one in cargo])
            loaded = [_load_one(con, one, if_exists, pending) for one in cargo]
            settle_keys_of(con, [one.job.seq for one in loaded])
            for queue, key in replaced:
                settle(con, queue, [key])
            self.sign(con, "load", [one.job for one in loaded if one.outcome == "loaded"])
            return loaded

        loaded = self.db.transact(body, whole=True)
        self.ring()
        return loaded

    def refuses(self, error: StorageError) -> bool:
        cause = error.__cause__
        return isinstance(cause, Exception) and self.db.read(lambda con: con.dialect.refuses(cause))

    def discard(self, jobs: Sequence[Job]) -> list[JobRef]:
        def body(con: Connection) -> list[JobRef]:
            gone = [job for job in jobs if con.execute(_UNCHANGED, _stamp(job)).fetchone()]
            purge_rows(con, [(job.seq, job.queue) for job in gone])
            self.sign(con, "purge", number=len(gone))
            return [JobRef(job.seq, job.id, job.task) for job in gone]

        return self.db.transact(body, whole=True)


_UNCHANGED = f"""
    select 1 from huey_job
    where seq = ? and queue = ? and id = ? and state = ? and claim = ? and finished_at = ?
        and not {NEEDED}
"""


def _stamp(job: Job) -> tuple[object, ...]:
    return (job.seq, job.queue, job.id, job.state, job.claim, job.finished_at)


def _load_one(con: Connection, one: Cargo, if_exists: str, pending: bool) -> Loaded:
    job = one.job
    found = con.execute(
        f"select seq, state, {NEEDED} from huey_job where queue = ? and id = ?",
        (job.queue, job.id),
    ).fetchone()
    if found is not None and (if_exists != "replace" or found[1] == State.RUNNING or found[2]):
        return Loaded(JobRef(found[0], job.id, job.task), "exists")
    values = job._asdict()
    now = con.now()
    if pending or job.state in (State.RUNNING, State.BLOCKED):
        values.update(
            state=State.PENDING,
            run_at=now,
            finished_at=None,
            taken=None,
            reason=None,
            crashes=0 if pending else job.crashes,
        )
        if job.expires_in is not None:
            values["expires_at"] = now + job.expires_in
        elif job.expires_at is not None and job.expires_at <= now:
            values["expires_at"] = None
    if len(one.inputs) < job.inputs and (pending or job.state in LIVE):
        values.update(state=State.REVOKED, reason="upstream", finished_at=now)
    if values["state"] == State.PENDING:
        values["state"] = rest.ready(job.key_name)
    if values["state"] in LIVE and _is_doubled(con, job):
        return Loaded(JobRef(0, job.id, job.task), "duplicate")
    if found is not None:
        delete_jobs(con, [found[0]])
    values["errors"] = json.dumps(job.errors) if job.errors else None
    final = values["state"] not in LIVE
    unread = final and one.result is not None and not job.taken
    values["taken"] = 0 if unread else 1 if final and job.taken else None
    values["at_most_once"] = int(job.at_most_once)
    columns = ", ".join(f'"{name}"' for name in _CARRIED)
    (seq,) = con.dialect.numbers(con, 1)
    con.execute(
        f"insert into huey_job (seq, {columns}) values (?{', ?' * len(_CARRIED)})",
        (seq, *(values[name] for name in _CARRIED)),
    )
    con.execute("insert into huey_payload (seq, payload) values (?, ?)", (seq, one.payload or b""))
    keep_inputs(con, seq, one.inputs)
    if unread:
        con.execute(
            "insert into huey_result (seq, queue, result) values (?, ?, ?)",
            (seq, job.queue, one.result),
        )
    return Loaded(JobRef(seq, job.id, job.task), "loaded")


def _keys_of_ids(con: Connection, ids: Sequence[str]) -> list[tuple[str, str]]:
    """(queue, key) of the jobs that exist already, and may be replaced."""
    d = con.dialect
    return con.execute(
        f"""
        select distinct queue, key_name from huey_job
        where {d.among("id")} and key_name is not null
        """,
        (d.listed(ids),),
    ).fetchall()


def _is_doubled(con: Connection, job: Job) -> bool:
    """Whether another live job has its unique key."""
    if job.unique_until is None:
        return False
    found = holder(con, job.queue, job.task, job.unique_key)
    return found is not None and found[1] != job.id
