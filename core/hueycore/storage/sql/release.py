"""Claims that are given back unstarted, many at once: a stop, or a group that was too large."""

from __future__ import annotations

from hueycore.model.endings import Released
from hueycore.model.jobs import Ended
from hueycore.storage.sql.dialect import Connection
from hueycore.storage.sql.done import LEAVE
from hueycore.storage.sql.rest import READY


def release(con: Connection, endings: list[Ended]) -> list[Ended]:
    """Write those of which no more is to be said, in one statement. What is left ended in another
    way, was asked to stop, is unique, or its claim is lost."""
    given = {
        ended.claim[:2]
        for ended in endings
        if type(ended.ending) is Released and ended.started_at is None
    }
    if len(given) < 2:
        return endings
    d = con.dialect
    running = f"{d.among('seq')} and {d.unindexed('state')} = 'running'"
    rows = con.execute(
        f"""
        select seq, claim from huey_job
        where {running} and cancel_requested = 0 and unique_key is null
        """,
        (d.listed(seq for seq, _ in given),),
    ).fetchall()
    rows = con.execute(
        f"""
        update huey_job set state = {READY}, delay = 0, attempt = attempt - 1, {LEAVE}
        where {running} returning seq, claim
        """,
        (d.listed(seq for seq, claim in rows if (seq, claim) in given),),
    ).fetchall()
    written = {(seq, claim) for seq, claim in rows}
    return [ended for ended in endings if ended.claim[:2] not in written]
