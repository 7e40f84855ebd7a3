"""What follows from a stage that is over: the edge ``next`` leads to the job that waits for it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from hueycore import clock
from hueycore.storage.sqlite.keys import settle
from hueycore.storage.sqlite.room import listed


def follow(con: sqlite3.Connection, seqs: Sequence[int], *, delivered: bool) -> None:
    """Tell the followers of final jobs, in the transaction that made them final.

    A result (``delivered``), or any end of a chord's member (it has a ``slot``), counts down what
    the follower waits for, once for ever. Any other end revokes the follower and, in turn, its
    followers: a loop, because a pipeline may have thousands of stages.
    """
    while seqs:
        edges = con.execute(
            """
            select seq, next, slot from huey_job
            where seq in (select value from json_each(?)) and next is not null and delivered = 0
            """,
            (listed(seqs),),
        ).fetchall()
        broken = []
        for seq, after, slot in edges:
            if delivered or slot is not None:
                _deliver(con, seq, after)
            else:
                broken.append(after)
        seqs, delivered = _revoke_upstream(con, broken) if broken else [], False


def _deliver(con: sqlite3.Connection, seq: int, after: int) -> None:
    con.execute("update huey_job set delivered = 1 where seq = ? and delivered = 0", (seq,))
    now = clock.now()
    rows = con.execute(
        """
        update huey_job set waits = waits - 1,
            state = case when state <> 'blocked' or waits > 1 then state
                when delay > 0 then 'scheduled' when key_name is not null then 'blocked'
                else 'pending' end,
            run_at = case when state = 'blocked' and waits = 1 then ? + delay else run_at end
        where seq = ? and waits > 0
        returning queue, key_name
        """,
        (now, after),
    ).fetchall()
    for queue, key in rows:
        if key is not None:
            settle(con, queue, [key])


def _revoke_upstream(con: sqlite3.Connection, seqs: Sequence[int]) -> list[int]:
    rows = con.execute(
        """
        update huey_job set state = 'revoked', reason = 'upstream', finished_at = ?
        where seq in (select value from json_each(?)) and state = 'blocked'
        returning seq
        """,
        (clock.now(), listed(seqs)),
    ).fetchall()
    return [row[0] for row in rows]
