"""Dead rows that the server leaves for longer than a queue can do with.

A job's row is written anew at each of its steps, and a claim reads past the entries of the old ones
in the index of what waits, until a VACUUM has removed them. The server looks once a minute by
itself, in which a million jobs may have run."""

from __future__ import annotations

import logging
from functools import partial

from hueycore.exceptions import HueyException
from hueycore.storage.postgres import checkup
from hueycore.storage.postgres.database import Database
from hueycore.storage.sql.dialect import Connection
from hueycore.system import clock, native

logger = logging.getLogger("hueycore.storage")

#: Seconds between two looks.
LOOK = 1.0
#: Dead rows that a table may have, besides a share of those that live: to remove them, however few,
#: its indexes are read as a whole.
MANY_DEAD, SHARE = 100_000, 0.1

# The last column: whether the planner knows old figures only. To count anew takes as long as to
# clean; while the server does so once a minute it is left to it.
_DIRTY = """
    select relname, n_dead_tup, coalesce(
        greatest(last_analyze, last_autoanalyze) < clock_timestamp() - interval '90 seconds', true)
    from pg_stat_user_tables
    where n_dead_tup > ? + ? * n_live_tup and relname like 'huey\\_%' and schemaname = ?
    order by n_dead_tup desc
"""


class Vacuum:
    """Removes them, for one process."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._thread: native.AnyThread | None = None
        self._next_look = 0.0
        #: How many a table had when it was cleaned, if that was of no use: somebody else is at it,
        #: or it is another role's.
        self._tried: dict[str, int] = {}

    def look(self) -> None:
        """Called often; looks now and then, and has a thread clean what has become dirty: it may
        take minutes."""
        now = clock.monotonic()
        if now < self._next_look or (self._thread is not None and self._thread.is_alive()):
            return
        self._next_look = now + LOOK
        dirty = self._db.read(self._dirty)
        before = self._tried
        self._tried = {
            table: min(before[table], dead) for table, dead, _ in dirty if table in before
        }
        more = {
            table: stale for table, dead, stale in dirty if dead > before.get(table, 0) + MANY_DEAD
        }
        if more:
            self._tried.update((table, dead) for table, dead, _ in dirty if table in more)
            self._thread = native.Thread(partial(self._clean, more), "huey-vacuum")
            self._thread.start()

    def _dirty(self, con: Connection) -> list[tuple[str, int, bool]]:
        """None while somebody keeps the server from removing rows."""
        found = con.execute(_DIRTY, (MANY_DEAD, SHARE, self._db.schema)).fetchall()
        return [] if found and checkup.is_hindered(con) else found

    def _clean(self, tables: dict[str, bool]) -> None:
        try:
            for table, stale in tables.items():
                self._db.vacuum(table, analyze=stale)
        except HueyException as error:
            logger.warning("dead rows were not removed: %s", error)
