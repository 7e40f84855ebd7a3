"""What the event log says of worker processes: noted in the transaction that makes it true."""

from __future__ import annotations

from hueycore.model.reports import HOLDER
from hueycore.storage.sql.dialect import Connection, Registered


def log_worker(con: Connection, signal: str, worker: Registered, jobs: int | None = None) -> None:
    """Where events are recorded, and not of a process that is registered for its locks. ``jobs`` is
    how many a dead one left."""
    if worker.kind == HOLDER:
        return
    recorded = "select 1 from huey_queue where queue = ? and events = 1"
    if con.execute(recorded, (worker.queue,)).fetchone() is None:
        return
    where = f"{worker.kind}, process {worker.pid} on {worker.host}"
    con.execute(
        """
        insert into huey_event (queue, at, signal, worker, reason, jobs)
        values (?, ?, ?, ?, ?, ?)
        """,
        (worker.queue, round(con.now(), 3), signal, worker.name, where, jobs),
    )
