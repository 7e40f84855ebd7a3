"""Who lives, by the advisory locks of a session of its own."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import psycopg

from hueycore.storage.postgres.connections import Cursor
from hueycore.storage.postgres.database import Database
from hueycore.storage.sqlite.slots import MemorySlots

if TYPE_CHECKING:
    from hueycore.model.jobs import Claim
    from hueycore.storage.sql.dialect import Connection, Registered

_LOCKS = """
    select objid::bigint from pg_locks
    where locktype = 'advisory' and granted and objsubid = 2 and classid::bigint = ?
        and database = (select oid from pg_database where datname = current_database())
"""


class Alive:
    def __init__(self, db: Database, queue: str) -> None:
        self._db = db
        self._session: psycopg.Connection[Any] | None = None
        self._slots: dict[int, MemorySlots] = {}

    def _ask(self, function: str, number: int) -> bool:
        if self._session is None:
            self._session = self._db.connect()
        statement = f"select {function}({self._db.worker_locks}, {number})"
        row = Cursor(self._session).execute(statement.encode()).fetchone()
        return bool(row and row[0])

    def close(self) -> None:
        if self._session is not None:
            self._session.close()

    def place(self) -> tuple[str, int]:
        return "", 0

    def numbers(self, con: Connection) -> Iterable[int]:
        while True:
            yield con.execute("select nextval('huey_worker_id')").fetchone()[0]

    def take(self, number: int) -> bool:
        return self._ask("pg_try_advisory_lock", number)

    def open_slots(self, number: int, count: int) -> None:
        self._slots[number] = MemorySlots(count)

    def free(self, number: int) -> None:
        self._slots.pop(number, None)
        if self._session is not None:
            self._ask("pg_advisory_unlock", number)

    def slots(self, number: int) -> MemorySlots:
        return self._slots[number]

    def holds(self, number: int) -> bool:
        return True

    def living(self, con: Connection, workers: Sequence[Registered]) -> set[int]:
        rows = con.execute(_LOCKS, (self._db.worker_locks % 2**32,)).fetchall()
        held = {row[0] for row in rows}
        return {worker.id for worker in workers if worker.id in held}

    def dead(self, con: Connection, worker: Registered) -> bool:
        return not self.living(con, [worker])

    def bury(self, con: Connection, worker: Registered) -> bool:
        return self.dead(con, worker)

    def process(self, worker: Registered) -> int | None:
        return worker.pid if worker.host == os.uname().nodename else None

    def started(self, con: Connection, worker: Registered) -> Sequence[tuple[int, int, int]]:
        mine = self._slots.get(worker.id)
        return list(mine.pairs()) if mine is not None else []

    def began(self, con: Connection, worker: Registered, claims: Sequence[Claim]) -> set[int]:
        started = {pair[1:] for pair in self.started(con, worker)}
        return {claim.seq for claim in claims if claim[:2] in started}

    def note(self, con: Connection, number: int) -> None: ...
