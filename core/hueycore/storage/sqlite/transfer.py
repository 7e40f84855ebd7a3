"""Jobs with everything they have, out of one file and into another."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from hueycore import clock
from hueycore.storage.rows import Cargo, JobRef, Loaded, Selector
from hueycore.storage.sqlite.enqueue import delete_jobs, describe_queue
from hueycore.storage.sqlite.looking import COLUMNS, conditions, to_job
from hueycore.storage.sqlite.room import Room
from hueycore.storage.words import LIVE, State

#: Columns that mean something only in the file that they come from.
_LOCAL = frozenset(("seq", "worker", "claimed_at", "cancel_requested", "next", "slot", "waits"))
_CARRIED = tuple(name for name in COLUMNS if name not in _LOCAL)


class Transfer(Room):
    def export(self, selector: Selector) -> list[Cargo]:
        """The selected jobs with payload and result, in the order of their numbers. Page through
        them with ``limit`` and ``after``."""

        def body(con: sqlite3.Connection) -> list[Cargo]:
            where, values = conditions(selector)
            columns = ", ".join(f'job."{name}"' for name in COLUMNS)
            rows = con.execute(
                f"""
                select {columns}, payload, result
                from (select * from huey_job where {where} order by seq limit ?) job
                    left join huey_payload using (seq) left join huey_result using (seq)
                order by job.seq
                """,  # noqa: S608
                (*values, -1 if selector.limit is None else selector.limit),
            ).fetchall()
            return [Cargo(to_job(row[:-2]), row[-2], row[-1]) for row in rows]

        return self.db.read(body, snapshot=True)

    def load(
        self, cargo: Sequence[Cargo], *, if_exists: str = "keep", pending: bool = False
    ) -> list[Loaded]:
        """Bring jobs in, all of them or none, each in the queue that it names. An id that exists is
        kept (``keep``), replaced unless it is running (``replace``), or refused (``fail``).
        ``pending``: they are to run, whatever state they come in; else a running or blocked job
        comes in as pending, everything else as it was."""

        def body(con: sqlite3.Connection) -> list[Loaded]:
            for queue in {one.job.queue for one in cargo}:
                describe_queue(con, queue, None)
            return [_load_one(con, one, if_exists, pending) for one in cargo]

        loaded = self.db.transact(body)
        self.ring()
        return loaded


def _load_one(con: sqlite3.Connection, one: Cargo, if_exists: str, pending: bool) -> Loaded:
    job = one.job
    found = con.execute(
        "select seq, state from huey_job where queue = ? and id = ?", (job.queue, job.id)
    ).fetchone()
    if found is not None:
        if if_exists != "replace" or found[1] == State.RUNNING:
            return Loaded(JobRef(found[0], job.id, job.task), "exists")
        delete_jobs(con, [found[0]])
    values = job._asdict()
    now = clock.now()
    if pending or job.state in (State.RUNNING, State.BLOCKED):
        values.update(
            state=State.PENDING, run_at=now, finished_at=None, taken=None, reason=None,
            delivered=False, crashes=0 if pending else job.crashes,
        )  # fmt: skip
    values["errors"] = json.dumps(job.errors) if job.errors else None
    if values["state"] in LIVE or one.result is None:
        values["taken"] = None
    columns = ", ".join(f'"{name}"' for name in _CARRIED)
    seq = con.execute(
        f"insert into huey_job ({columns}) values ({', '.join('?' * len(_CARRIED))})",  # noqa: S608
        [values[name] for name in _CARRIED],
    ).lastrowid
    assert seq is not None
    con.execute("insert into huey_payload (seq, payload) values (?, ?)", (seq, one.payload or b""))
    if one.result is not None and values["state"] not in LIVE:
        con.execute(
            "insert into huey_result (seq, queue, result) values (?, ?, ?)",
            (seq, job.queue, one.result),
        )
    return Loaded(JobRef(seq, job.id, job.task), "loaded")
