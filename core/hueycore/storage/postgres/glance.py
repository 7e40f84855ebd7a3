"""One question a second for everything that a consumer looks after: each of its threads would have
some of its own, every second. Of worker processes, which wait for jobs alone, one looks for all: it
runs none, and tells the others."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from hueycore.constants import WORKER_PROCESS
from hueycore.exceptions import StorageError
from hueycore.model.glance import Glance, Kept
from hueycore.model.schedules import Periodic
from hueycore.storage.postgres import schema
from hueycore.storage.postgres.alive import HELD, Alive
from hueycore.storage.postgres.database import Database
from hueycore.storage.postgres.dialect import DIALECT
from hueycore.storage.postgres.hindrance import Hindrance
from hueycore.storage.postgres.statements import Connection
from hueycore.storage.protocol.upkeep import Upkeep
from hueycore.storage.sql.due import LATE
from hueycore.storage.sql.queries import coming
from hueycore.storage.sql.workers import Workers
from hueycore.system import clock

if TYPE_CHECKING:
    from hueycore.storage.postgres.vacuum import Vacuum

#: Seconds for which an answer counts; a thread that looks each second has one of its own time.
FRESH = 0.9
#: The same in a worker process, for which another one looks.
SELDOM = 30.0

# What an index finds first is asked for in its order: the planner may take it for frequent.
_GLANCE = f"""
    select (select value from huey_meta where name = 'schema'),
        exists (
            select 1 from huey_job where queue = :queue and state = 'pending'
            order by priority desc, run_at, seq limit 1),
        exists (select 1 from huey_job where {LATE} order by expires_at limit 1),
        exists (select 1 from huey_worker where queue = :queue and id not in ({HELD})),
        ({coming(DIALECT)}),
        (select min(next_run) from huey_periodic
            where queue = :queue and paused_at is null
                and (origin = 'stored' or name = any(cast(:names as text[])))),
        (select count(*) from huey_periodic
            where queue = :queue and name = any(cast(:names as text[])))
"""


class Glances(Workers, Upkeep):
    db: Database
    alive: Alive
    _last: Kept | None = None
    _fresh_for = FRESH
    #: Whether nobody in this process waits for a job; and when it has told others of one.
    _runs_none, _told_at = False, -math.inf
    _hindrance: Hindrance | None = None
    _vacuum: Vacuum | None = None
    #: Commits of this process, and rings of its bell, when dead rows were looked for.
    _worked = 0, 0

    def register(
        self, *, name: str, kind: str, slots: int, declares: Sequence[Periodic] | None = None
    ) -> int:
        self._runs_none = slots == 0
        self._fresh_for = SELDOM if slots and kind == WORKER_PROCESS else FRESH
        if slots:
            self.db.prepare()
        return super().register(name=name, kind=kind, slots=slots, declares=declares)

    def glance(self, declared: Collection[str] | None = None) -> Glance:
        if declared is not None:
            names = frozenset(declared)
        else:
            names = self._last.declared if self._last is not None else frozenset()
        found = self._fresh(names) or self.db.read(lambda con: self._look(con, names))
        if found.pending and self._runs_none and clock.monotonic() - self._told_at > FRESH:
            self._told_at = clock.monotonic()
            with suppress(StorageError):  # at the next look
                self.db.notify()
        return found

    def verify(self) -> None:
        self.glance()
        self.alive.check()

    def leave_checkpoints_to_janitor(self) -> None:
        """A server does that by itself."""

    def checkpoint(self) -> None:
        """A server does that by itself. Who keeps it from doing so is named, and what it leaves is
        cleaned."""
        if self._hindrance is None or self._vacuum is None:
            # Imported here: few processes have a janitor.
            from hueycore.storage.postgres.vacuum import Vacuum

            self._hindrance = Hindrance(self.checkup()["transaction"])
            self._vacuum = Vacuum(self.db)
        if self._hindrance.look() or self._has_worked():
            self._vacuum.look()

    # --- inside -----------------------------------------------------------------------------------

    def _has_worked(self) -> bool:
        """Whether jobs may have run since the last time. Of those that other processes run this one
        knows that they came, or that some wait."""
        before, self._worked = self._worked, (self.db.commits, self.alive.bell.rings)
        return before != self._worked or (self._last is not None and self._last.glance.pending)

    def _fresh(self, names: frozenset[str]) -> Glance | None:
        known, now = self._known(names), clock.monotonic()
        last = self._last
        return last.glance if last and last.is_fresh(known, now, self._fresh_for) else None

    def _known(self, names: frozenset[str]) -> tuple[int, int, frozenset[str]]:
        return self.db.commits, self.alive.bell.rings, names

    def _look(self, con: Connection, names: frozenset[str]) -> Glance:
        fresh = self._fresh(names)
        if fresh is not None:
            return fresh  # another thread has looked meanwhile
        at, known = clock.monotonic(), self._known(names)
        values = {
            "queue": self.queue,
            "now": con.now(),
            "space": self.db.worker_space,
            "names": [*names],
        }
        (row,) = con.prepared().execute(_GLANCE, values).fetchall()
        version, pending, late, missing, due, fires, stored = row
        schema.check(version)
        if stored < len(names):
            fires = -math.inf
        due, fires = (math.inf if when is None else when for when in (due, fires))
        glance = Glance(pending, late, missing, due, fires)
        self._last = Kept(glance, at, *known)
        return glance
