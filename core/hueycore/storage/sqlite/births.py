"""Jobs go into their tables. Numbers are given out first, which the write lock allows, so that rows
and payloads are bulk statements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hueycore.model import rest
from hueycore.model.jobs import Enqueued, NewJob
from hueycore.storage.sql.births import OPTIONS, are_usual, begins, options
from hueycore.storage.sql.dialect import Connection
from hueycore.storage.sql.part import insert_rows
from hueycore.storage.sqlite.numbers import NEXT


def _insert(options: Sequence[str], seq: str = "?") -> str:
    return f"""
        insert into huey_job (
            seq, id, queue, task, state, priority, run_at, enqueued_at, preview
            {"".join(f", {name}" for name in options)})
        values ({seq}, {", ".join("?" * (8 + len(options)))})
        on conflict do nothing
        """


_USUAL_ROW, _ROW = _insert(()), _insert(OPTIONS)
#: Numbered by itself: a statement less in a transaction of three.
_ONE_ROW = _insert((), NEXT)
_PAYLOAD = "insert into huey_payload (seq, payload)"
_ONE_PAYLOAD = f"{_PAYLOAD} values (?, ?)"


def _insert_one(con: Connection, queue: str, job: NewJob, now: float) -> list[Enqueued] | None:
    """As ``insert`` one job without options: what a web request waits for."""
    run_at = begins(job, now)
    state = rest.state(run_at, now, None)
    row = (job.id, queue, job.task, state, job.priority, run_at, now, job.preview)
    born: Any = con.execute(_ONE_ROW, row)  # a cursor of sqlite3, which knows the number
    if not born.rowcount:
        return None
    seq = born.lastrowid
    con.execute(_ONE_PAYLOAD, (seq, job.payload))
    return [Enqueued(seq, job.id, state, True, now)]


def insert(
    con: Connection, queue: str, jobs: Sequence[NewJob], now: float
) -> list[Enqueued] | None:
    """See ``Dialect.insert_jobs``."""
    usual = are_usual(jobs)
    if usual and len(jobs) == 1:
        return _insert_one(con, queue, jobs[0], now)
    numbers = con.dialect.numbers(con, len(jobs))
    rows, payloads, answer = [], [], []
    for seq, job in zip(numbers, jobs, strict=True):
        run_at = begins(job, now)
        state = rest.state(run_at, now, job.key_name)
        row = (seq, job.id, queue, job.task, state, job.priority, run_at, now, job.preview)
        rows.append(row if usual else (*row, *options(job, run_at)))
        payloads.append((seq, job.payload))
        answer.append(Enqueued(seq, job.id, state, True, now))
    inserted = con.executemany(_USUAL_ROW if usual else _ROW, rows).rowcount
    if inserted != len(rows):
        if inserted:
            d = con.dialect
            for table in ("job", "event"):
                con.execute(
                    f"delete from huey_{table} where {d.among('seq')}", (d.listed(numbers),)
                )
        return None
    insert_rows(con, _PAYLOAD, payloads)
    return answer
