"""Who lives, by the advisory locks of sessions: one per worker process, one lock per worker.

A worker is dead when its lock is missing at two looks, some seconds apart, or when its process is
seen to be gone: a session can break, and come back, while its process lives.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from hueycore.exceptions import StorageError, StorageMoved
from hueycore.storage.postgres import forks, slots
from hueycore.storage.postgres.database import Database
from hueycore.storage.postgres.session import Session
from hueycore.storage.postgres.slots import LOOK, Note, Slots
from hueycore.storage.postgres.wake import Bell
from hueycore.system.machine import boot_id, process_space, runs

if TYPE_CHECKING:
    from hueycore.model.jobs import Claim
    from hueycore.storage.sql.dialect import Connection, Registered

#: Seconds between the two looks that find a worker missing. Who came back meanwhile was never dead.
MISSING = 2.0
#: Seconds that a server has to take writes: all sessions broke when it went down.
SERVER_UP = 15.0

#: The numbers of all who live, of the ``:space`` of their locks.
HELD = """
    select objid::bigint from pg_locks
    where locktype = 'advisory' and granted and objsubid = 2 and classid::bigint = :space
        and database = (select oid from pg_database where datname = current_database())
"""
# The server is as old as its walwriter, which ends in a crash that the postmaster survives too, and
# begins when a standby is promoted. Who may not see that one sees the sessions of his role.
_LOST = """
    select lost_at is not null and abs(extract(epoch from clock_timestamp()) - lost_at) >= ?
        and exists (
            select 1 from pg_stat_activity as process
            where backend_start <= clock_timestamp() - make_interval(secs => ?)
                and (backend_type = 'walwriter' or exists (
                    select 1 from pg_locks
                    where pid = process.pid and locktype = 'advisory' and classid::bigint = ?)))
    from huey_worker where id = ?
"""
_NOTE = "update huey_worker set started = ? where id = ?"


class Alive:
    """The workers of this process, which its session holds, and those of others."""

    def __init__(self, db: Database, queue: str) -> None:
        self._db = db
        self.bell = Bell()
        self._session: Session | None = None
        self._slots: dict[int, Slots] = {}
        #: What transactions write down that are not committed yet.
        self._notes: dict[int, Note] = {}
        forks.heirs.add(self)

    def session(self) -> Session:
        """Of this process, connected; made at the first need."""
        if self._session is None:
            self._session = Session(
                self._db, self._db.channel, on_news=self.bell.ring, on_look=self._look
            )
        self._session.open()
        return self._session

    def close(self) -> None:
        """Workers of this object count as dead from now on."""
        if self._session is not None:
            self._session.close()

    def hear(self, timeout: float) -> bool:
        """Wait for news of the queue; True at the first time, because none could be heard before.
        While the session is made anew this is a pause."""
        self.session()
        return self.bell.wait(timeout)

    def check(self) -> None:
        """Raise ``StorageMoved`` when a worker of this process was taken for dead, ``StorageError``
        when it has had no session for so long that it may be."""
        if self._session is not None:
            self._check_lost(self._session)
            why = self._session.trouble()
            if why is not None:
                raise StorageError(f"this process claims no job, for it has no session: {why}")

    def place(self) -> tuple[str, int]:
        return boot_id(), process_space()

    def prepare(self) -> None:
        self.session()  # others would wait while it connects

    def numbers(self, con: Connection) -> Iterable[int]:
        while True:
            yield con.execute("select nextval('huey_worker_id')").fetchone()[0]

    def take(self, number: int) -> bool:
        return self.session().hold(number)

    def open_slots(self, number: int, count: int) -> None:
        self._slots[number] = Slots(count, self.session().nudge)

    def free(self, number: int) -> None:
        self._slots.pop(number, None)
        if self._session is not None:
            self._session.release(number)

    def slots(self, number: int) -> Slots:
        return self._slots[number]

    def holds(self, number: int) -> bool:
        if self._session is None:
            return True
        self._check_lost(self._session)
        return not self._session.is_broken

    def living(self, con: Connection, workers: Sequence[Registered]) -> set[int]:
        if not workers:
            return set()
        rows = con.execute(HELD, {"space": self._db.worker_space}).fetchall()
        held = {row[0] for row in rows}
        return {worker.id for worker in workers if worker.id in held}

    def dead(self, con: Connection, worker: Registered) -> bool:
        """The first look that finds a worker missing is written down, in a transaction that may."""
        if self.living(con, [worker]) or self._is_mine(worker):
            return False
        if self._is_gone(worker):
            return True
        lost = con.execute(_LOST, (MISSING, SERVER_UP, self._db.worker_space, worker.id)).fetchone()
        if lost is None or not lost[0]:
            self._note_missing(con, worker)
        return lost is not None and bool(lost[0])

    def bury(self, con: Connection, worker: Registered) -> bool:
        if not self.dead(con, worker):
            return False
        lock = (self._db.worker_locks, worker.id)
        row = con.execute("select pg_try_advisory_xact_lock(?, ?)", lock).fetchone()
        return bool(row[0])

    def process(self, worker: Registered) -> int | None:
        return worker.pid if self._sees(worker) else None

    def started(self, con: Connection, worker: Registered) -> Sequence[tuple[int, int, int]]:
        """Of a worker of another process, what it has written down and still runs."""
        if worker.id in self._slots:
            return self._slots[worker.id].pairs()
        noted = self._noted(con, worker)
        rows = con.execute(
            "select seq, claim from huey_job where worker = ? and state = 'running'", (worker.id,)
        ).fetchall()
        running = {(seq, claim) for seq, claim in rows}
        return [run for run in noted if run[1:] in running]

    def began(self, con: Connection, worker: Registered, claims: Sequence[Claim]) -> set[int]:
        """What is written down has begun. So has a suspect, what crashed before, and what runs at
        most once: they are claimed for a worker that waits for them. Of the rest nobody knows: they
        are suspects now."""
        noted = {run[1:] for run in self._noted(con, worker)}
        began = {
            claim.seq
            for claim in claims
            if claim[:2] in noted or claim.at_most_once or claim.crashes
        }
        rest = {claim.seq for claim in claims} - began
        rows = con.execute(
            "update huey_job set suspect = 1 where seq = any(?) and suspect = 0 returning seq",
            (sorted(rest),),
        ).fetchall()
        return began | (rest - {row[0] for row in rows})

    def note(self, con: Connection, number: int) -> None:
        self._notes.pop(number, None)  # of a transaction that has failed
        mine = self._slots.get(number)
        note = None if mine is None else mine.note()
        if note is not None:
            con.execute(_NOTE, (note.text, number))
            self._notes[number] = note

    def noted(self, number: int) -> None:
        note, mine = self._notes.pop(number, None), self._slots.get(number)
        if note is not None and mine is not None:
            mine.confirm(note)

    def after_fork_in_child(self) -> None:
        self.bell, self._session = Bell(), None
        self._slots, self._notes = {}, {}

    def leave(self) -> None:
        self.close()

    # --- inside -----------------------------------------------------------------------------------

    def _check_lost(self, session: Session) -> None:
        for number in session.lost:
            raise StorageMoved(f"worker {number} was taken for dead; it must start again")

    def _sees(self, worker: Registered) -> bool:
        """Whether the worker's process has the same number here as it has for itself."""
        here = self.place()
        return all(here) and here == (worker.boot_id, worker.side)

    def _is_mine(self, worker: Registered) -> bool:
        return self._session is not None and self._session.is_of(worker.id)

    def _is_gone(self, worker: Registered) -> bool:
        return self._sees(worker) and not runs(worker.pid)

    def _noted(self, con: Connection, worker: Registered) -> list[tuple[int, int, int]]:
        row = con.execute("select started from huey_worker where id = ?", (worker.id,)).fetchone()
        return slots.read(None if row is None else row[0])

    def _note_missing(self, con: Connection, worker: Registered) -> None:
        """Unless in a transaction that only looks."""
        row = con.execute("select current_setting('transaction_read_only')").fetchone()
        if row[0] == "on":
            return
        # Who comes back meanwhile holds the lock before he wants the row: nothing stays behind.
        con.execute("select 1 from huey_worker where id = ? for update", (worker.id,))
        if not self.living(con, [worker]):
            con.execute(
                "update huey_worker set lost_at = extract(epoch from clock_timestamp())"
                " where id = ? and lost_at is null",
                (worker.id,),
            )

    def _look(self) -> float | None:
        """In the session's thread: write down the runs that last, and come again while there are
        runs that are not written down."""
        again = False
        for number, mine in list(self._slots.items()):
            lasting, watched = mine.look()
            again = again or watched
            if lasting:
                self._write_down(number, mine)
        return LOOK if again else None

    def _write_down(self, number: int, mine: Slots) -> None:
        session, note = self._session, mine.note()
        if session is None or note is None:
            return
        try:
            with session.using() as connection:
                connection.execute(_NOTE, (note.text, number))
            mine.confirm(note)
        except StorageError:
            pass  # at the next look
