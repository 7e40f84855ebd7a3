"""Runs that returned: the usual ending, written for many at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from hueycore.model.jobs import Ended
from hueycore.storage.sql.dialect import Connection, Dialect
from hueycore.storage.sql.part import GROUP, grouped, insert_rows, placeholders

#: True of the row of a run whose claim stands.
WON = "where seq = ? and claim = ? and state = 'running'"
#: What a row that no worker has any more forgets.
LEAVE = "worker = null, claimed_at = null, cancel_requested = 0"

#: started_at, finished_at, taken, seq, claim
_Row = tuple[float, float, int | None, int, int]

_DONE = f"""
    update huey_job set state = 'done', reason = null, started_at = ?, finished_at = ?, taken = ?,
        {LEAVE} {WON}
"""


@cache
def _done_group(d: Dialect) -> str:
    """``_DONE`` for a whole group of rows. They are found by number: the index of those that run
    would be read as a whole."""
    return f"""
        update huey_job set state = 'done', reason = null, started_at = over.column1,
            finished_at = over.column2, taken = {d.integer("over.column3")}, {LEAVE}
        from (values {placeholders(GROUP, 5)}) as over
        where seq = over.column4 and claim = over.column5 and {d.unindexed("state")} = 'running'
    """


def end_done(con: Connection, queue: str, endings: list[Ended]) -> list[Ended]:
    """Write the endings that are ``Done``; those whose claim is lost."""
    rows: list[_Row] = []
    results: list[tuple[int, str, bytes]] = []
    now = con.now()
    for claim, ending, started_at, run_s, _ in endings:
        started = started_at or now
        result = ending.result  # type: ignore[union-attr]
        taken = None if result is None else int(ending.private)  # type: ignore[union-attr]
        rows.append((started, started + run_s, taken, claim.seq, claim.claim))
        if result is not None:
            results.append((claim.seq, queue, result))
    changed = _make_done(con, rows)
    lost: list[Ended] = []
    if changed != len(rows):
        lost = [e for e, row in zip(endings, rows, strict=True) if not is_done(con, e, row[1])]
        gone = {ended.claim[:2] for ended in lost}
        results = [
            (ended.claim.seq, queue, ended.ending.result)  # type: ignore[union-attr]
            for ended in endings
            if ended.claim[:2] not in gone and ended.ending.result is not None  # type: ignore[union-attr]
        ]
    store_results(con, results)
    return lost


def _make_done(con: Connection, rows: list[_Row]) -> int:
    """How many were ended. A whole group is one step of one statement: a third less work than row
    by row, and the interpreter's lock is given away once."""
    groups, single = grouped(rows)
    changed = 0
    for group in groups:
        changed += con.execute(_done_group(con.dialect), group).rowcount
    return changed + con.executemany(_DONE, single).rowcount


def store_results(con: Connection, results: Sequence[tuple[int, str, bytes]]) -> None:
    insert_rows(
        con,
        "insert into huey_result (seq, queue, result)",
        results,
        "on conflict (seq) do update set result = excluded.result",
    )


def is_done(con: Connection, ended: Ended, finished_at: float) -> bool:
    """Whether it is this run that has made the job done."""
    return bool(
        con.execute(
            """
            select 1 from huey_job
            where seq = ? and claim = ? and state = 'done' and finished_at = ?
            """,
            (*ended.claim[:2], finished_at),
        ).fetchall()
    )
