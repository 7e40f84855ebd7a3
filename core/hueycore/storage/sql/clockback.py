"""After the clock was set back: what was to last for a while lasts no longer than that from now on.

Only what knows for how long it was to last; a moment (an eta, the end of a lease) comes when the
clock says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from hueycore.storage.sql.dialect import Connection, Database
from hueycore.storage.sql.keys import settle
from hueycore.storage.sql.part import in_groups
from hueycore.storage.sql.rest import expiry

#: Rows that one transaction changes at most: others want to write as well.
GROUP = 500

#: Jobs that have longer to go than their delay, and jobs that are due, and came later than now: the
#: new ones would all go before them.
_AWAY = """
    select seq from huey_job
    where queue = :queue and state = 'scheduled' and delay > 0 and run_at > :now + delay
    union all
    select seq from huey_job where queue = :queue and state = 'pending' and run_at > :now
    union all
    select seq from huey_job
    where queue = :queue and state = 'blocked' and waits = 0 and run_at > :now
"""


def bring_back(db: Database, queue: str) -> None:
    db.transact(partial(_shorten_pauses, queue=queue), durable=False)
    for seqs in in_groups(db.read(partial(_away, queue=queue)), GROUP):
        db.transact(partial(_bring_back, seqs=seqs), durable=False)


def _away(con: Connection, queue: str) -> list[int]:
    rows = con.execute(_AWAY, {"queue": queue, "now": con.now()}).fetchall()
    return [row[0] for row in rows]


def _bring_back(con: Connection, seqs: Sequence[int]) -> None:
    """Those of the jobs that still wait; who is due keeps the order of the numbers."""
    d = con.dialect
    con.execute(
        f"""
        update huey_job set run_at = :now + case when state = 'scheduled' then delay else 0 end,
            expires_at = {expiry(":now + case when state = 'scheduled' then delay else 0 end")}
        where {d.among("seq", ":seqs")} and run_at > :now and (
            (state = 'scheduled' and delay > 0) or state = 'pending'
            or (state = 'blocked' and waits = 0))
        """,
        {"now": con.now(), "seqs": d.listed(seqs)},
    )


def _shorten_pauses(con: Connection, queue: str) -> None:
    """As if they began now; and the keys of jobs that wait for their end learn of it."""
    values = {"queue": queue, "now": con.now()}
    con.execute(
        """
        update huey_flag set until = until - (since - :now), since = :now
        where queue = :queue and kind in ('paused-task', 'paused-scheduler')
            and until is not null and since > :now
        """,
        values,
    )
    con.execute(
        """
        update huey_queue set paused_until = paused_until - (paused_at - :now), paused_at = :now
        where queue = :queue and paused_until is not null and paused_at > :now
        """,
        values,
    )
    keys = con.execute(
        "select name from huey_key where queue = ? and due is not null", (queue,)
    ).fetchall()
    settle(con, queue, [name for (name,) in keys])
