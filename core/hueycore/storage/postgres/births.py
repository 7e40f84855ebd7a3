"""New jobs go into their tables, and are given their numbers there."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from psycopg import errors

from hueycore.model import rest
from hueycore.model.jobs import Enqueued, NewJob
from hueycore.model.states import State
from hueycore.storage.sql.births import OPTIONS, are_usual, begins, options

if TYPE_CHECKING:
    from hueycore.storage.postgres.statements import Connection

#: Jobs from which on they are copied instead of inserted.
COPIED = 500

_COLUMNS = ("id", "task", "state", "priority", "run_at", "preview")
#: Of the columns that are no numbers with a point.
_TYPES = {
    **dict.fromkeys(("id", "task", "state", "preview", "key_name"), "text"),
    **dict.fromkeys(("unique_key", "unique_until"), "text"),
    **dict.fromkeys(("retries", "max_crashes", "at_most_once"), "integer"),
    "payload": "bytea",
}


def insert(
    con: Connection, queue: str, jobs: Sequence[NewJob], now: float
) -> list[Enqueued] | None:
    """``Dialect.insert_jobs``, by one statement or by COPY."""
    if not jobs:
        return []
    usual = are_usual(jobs)
    if len(jobs) >= COPIED:
        return _copy(con, queue, jobs, now, usual)
    rows = [(*_row(job, now, usual), job.payload) for job in jobs]
    columns = map(_array, _given(usual), zip(*rows, strict=True))
    found = con.execute(_insert(usual), (*columns, queue, now)).fetchall()
    if not all(fresh for _, fresh in found):
        _delete(con, [seq for seq, fresh in found if fresh])
        return None
    return answer(jobs, [seq for seq, _ in found], rows, now)


def _given(usual: bool) -> tuple[str, ...]:
    return (*_COLUMNS, "payload") if usual else (*_COLUMNS, *OPTIONS, "payload")


def _array(name: str, values: Sequence[Any]) -> list[Any]:
    """An array holds one type; what is no number at all is left to the server to refuse."""
    if name in _TYPES:
        return list(values)
    return [float(value) if isinstance(value, int) else value for value in values]


@cache
def _insert(usual: bool) -> str:
    given = _given(usual)
    arrays = ", ".join(f"cast(? as {_TYPES.get(name, 'double precision')}[])" for name in given)
    columns = ", ".join(given[:-1])
    return f"""
        with new as (
            select nextval('huey_seq') as seq, given.*
            from unnest({arrays}) as given ({", ".join(given)})),
        job as (
            insert into huey_job (seq, queue, enqueued_at, {columns})
            select seq, ?, ?, {columns} from new
            on conflict do nothing returning seq),
        payload as (
            insert into huey_payload (seq, payload)
            select seq, payload from new join job using (seq))
        select new.seq, job.seq is not null from new left join job using (seq) order by new.seq
    """


#: Of ``Database.commit_one``.
ONE = f"""
    with job as (
        insert into huey_job (seq, queue, enqueued_at, {", ".join(_COLUMNS)})
        values (nextval('huey_seq'), $1, $2, $3, $4, $5, $6, $7, $8)
        on conflict do nothing returning seq)
    insert into huey_payload (seq, payload) select seq, $9 from job returning seq
"""


def one(queue: str, job: NewJob, now: float) -> tuple[Any, ...]:
    """The values of ``ONE``."""
    return (queue, now, *_row(job, now, True), job.payload)


def _row(job: NewJob, now: float, usual: bool) -> tuple[Any, ...]:
    run_at = begins(job, now)
    state = rest.state(run_at, now, job.key_name)
    row = (job.id, job.task, str(state), job.priority, run_at, job.preview)
    return row if usual else (*row, *options(job, run_at))


def answer(
    jobs: Sequence[NewJob], seqs: Sequence[int], rows: Sequence[tuple[Any, ...]], now: float
) -> list[Enqueued]:
    return [
        Enqueued(seq, job.id, State(row[2]), True, now)
        for job, seq, row in zip(jobs, seqs, rows, strict=True)
    ]


def _copy(
    con: Connection, queue: str, jobs: Sequence[NewJob], now: float, usual: bool
) -> list[Enqueued] | None:
    seqs = con.dialect.numbers(con, len(jobs))
    rows = [_row(job, now, usual) for job in jobs]
    names = _COLUMNS if usual else (*_COLUMNS, *OPTIONS)
    con.execute("savepoint huey_copy")
    try:
        con.copy(
            f"copy huey_job (seq, queue, enqueued_at, {', '.join(names)}) from stdin",
            ((seq, queue, now, *row) for seq, row in zip(seqs, rows, strict=True)),
        )
    except errors.UniqueViolation:
        con.execute("rollback to huey_copy")
        return None
    con.copy(
        "copy huey_payload (seq, payload) from stdin (format binary)",
        zip(seqs, (job.payload for job in jobs), strict=True),
        ("int8", "bytea"),
    )
    return answer(jobs, seqs, rows, now)


def _delete(con: Connection, seqs: list[int]) -> None:
    """What has been inserted beside what was there."""
    for table in ("payload", "event", "job"):
        con.execute(f"delete from huey_{table} where seq = any(?)", (seqs,))
