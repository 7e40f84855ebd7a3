"""Which jobs hang together by the edges between their rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

from hueycore.model.ties import Ends
from hueycore.storage.sql.dialect import Connection, Dialect


@cache
def _joined(d: Dialect) -> str:
    """One query per end: with all of them in one condition no index would be used."""
    return f"""
        select seq, next, source from huey_job where {d.among("seq", ":ends")}
        union select seq, next, source from huey_job where {d.among("next", ":new")}
        union select seq, next, source from huey_job where {d.among("source", ":new")}
    """


def neighbours(con: Connection, jobs: Mapping[int, Ends]) -> dict[int, Ends]:
    """The jobs that are tied to these; some of these may be among them."""
    d = con.dialect
    ends = {end for both in jobs.values() for end in both if end is not None}
    rows = con.execute(_joined(d), {"ends": d.listed(ends), "new": d.listed(jobs)}).fetchall()
    return {seq: (after, source) for seq, after, source in rows}


def in_need(con: Connection, seqs: Iterable[int]) -> dict[int, bool]:
    """Of these jobs those that need what their parents have given or will give, and whether they
    live."""
    d = con.dialect
    rows = con.execute(
        f"""
        select seq, case when finished_at is null then 1 else 0 end from huey_job
        where {d.among("seq")} and (finished_at is null or (state <> 'done' and waits = 0))
        """,
        (d.listed(seqs),),
    ).fetchall()
    return {seq: bool(live) for seq, live in rows}
