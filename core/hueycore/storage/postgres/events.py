"""Up to which event none can come any more. Numbers are given out before the commit: a lower one
may be seen after a higher one.

Whoever writes an event has a lock on their table until the end of his transaction; it is listed,
and in nobody's way. All others need not be waited for, however long they stay open."""

from __future__ import annotations

from typing import NamedTuple

from hueycore.storage.postgres.database import Database
from hueycore.storage.sql import events
from hueycore.storage.sql.dialect import Connection

_WRITES = """relation = to_regclass('huey_event') and mode = 'RowExclusiveLock' and granted
    and database = (select oid from pg_database where datname = current_database())"""
#: Who may have written an event and not committed it. A standby does not know of their locks: there
#: all who write are waited for.
_WRITERS = f"""
    select array(select virtualtransaction from pg_locks where {_WRITES}), pg_is_in_recovery(),
        cast(cast(pg_snapshot_xmin(now.snapshot) as text) as bigint),
        cast(cast(pg_snapshot_xmax(now.snapshot) as text) as bigint)
    from (select pg_current_snapshot() as snapshot) as now
"""
#: The newest event from before the oldest of them began; their clocks may differ by a second.
_BEFORE = f"""
    select coalesce(max(event), 0) from huey_event
    where at < (
        select extract(epoch from coalesce(min(xact_start), clock_timestamp())) - 1
        from pg_locks left join pg_stat_activity using (pid) where {_WRITES})
"""
#: Of a transaction that was prepared: it is called so from then on.
_PREPARED = "-1/"


class _Writers(NamedTuple):
    """``oldest``: the first transaction that is not over; ``next``: the one that begins next."""

    names: list[str]
    standby: bool
    oldest: int
    next: int

    @property
    def is_any(self) -> bool:
        return self.oldest < self.next if self.standby else bool(self.names)

    def are_over(self, now: _Writers) -> bool:
        if now.standby:
            return now.oldest >= self.next
        return not any(name in self.names or name.startswith(_PREPARED) for name in now.names)


class Following(events.Events):
    db: Database
    _settled = 0
    #: An event, and those who could write one before it.
    _mark: tuple[int, _Writers] | None = None

    def last_settled(self, con: Connection) -> int:
        mark = self._mark  # before those are asked for who are there now
        (newest,) = con.execute("select coalesce(max(event), 0) from huey_event").fetchone()
        writers = _Writers(*con.execute(_WRITERS).fetchone())
        if not writers.is_any:
            settled, self._mark = newest, None
        elif mark is None:
            settled, self._mark = self._first(con, newest, writers), (newest, writers)
        elif mark[1].are_over(writers):
            settled, self._mark = mark[0], (newest, writers)
        else:
            settled = 0
        self._settled = max(self._settled, settled)
        return self._settled

    def _first(self, con: Connection, newest: int, writers: _Writers) -> int:
        """For who begins to follow while somebody writes. What a standby has is taken as it is."""
        if self._settled or writers.standby:
            return self._settled or newest
        return int(con.execute(_BEFORE).fetchone()[0])
