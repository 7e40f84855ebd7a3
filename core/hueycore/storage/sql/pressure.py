"""Back-pressure: how many jobs of a queue are pending, known without counting them."""

from __future__ import annotations

from hueycore.storage.sql.dialect import Connection


def pending(con: Connection, queue: str) -> int:
    """How many jobs of a queue are pending. The first call counts them; it needs the queue's row
    and the write lock."""
    row = con.execute("select pending from huey_queue where queue = ?", (queue,)).fetchone()
    if row is not None and row[0] is not None:
        return int(row[0])
    con.dialect.count_pending(con)
    count = con.execute(
        "select count(*) from huey_job where queue = ? and state = 'pending'", (queue,)
    ).fetchone()[0]
    con.execute("update huey_queue set pending = ? where queue = ?", (count, queue))
    return int(count)
