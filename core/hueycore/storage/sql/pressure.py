"""Back-pressure: how many jobs of a queue are pending, known without counting them."""

from __future__ import annotations

import sqlite3

#: The count in the queue's row, kept by the database itself, whatever verb moves a job. Made for
#: the first process that has a limit: who has none pays nothing for it.
_TRIGGERS = (
    """
    create trigger if not exists huey_pending_born after insert on huey_job
    when new.state = 'pending' begin
        update huey_queue set pending = pending + 1
        where queue = new.queue and pending is not null;
    end
    """,
    """
    create trigger if not exists huey_pending_moved after update of state on huey_job
    when (old.state = 'pending') <> (new.state = 'pending') begin
        update huey_queue set pending = pending + (new.state = 'pending') - (old.state = 'pending')
        where queue = new.queue and pending is not null;
    end
    """,
    """
    create trigger if not exists huey_pending_gone after delete on huey_job
    when old.state = 'pending' begin
        update huey_queue set pending = pending - 1
        where queue = old.queue and pending is not null;
    end
    """,
)


def pending(con: sqlite3.Connection, queue: str) -> int:
    """How many jobs of a queue are pending. The first call counts them; it needs the queue's row
    and the write lock."""
    row = con.execute("select pending from huey_queue where queue = ?", (queue,)).fetchone()
    if row is not None and row[0] is not None:
        return int(row[0])
    for trigger in _TRIGGERS:
        con.execute(trigger)
    count = con.execute(
        "select count(*) from huey_job where queue = ? and state = 'pending'", (queue,)
    ).fetchone()[0]
    con.execute("update huey_queue set pending = ? where queue = ?", (count, queue))
    return int(count)
