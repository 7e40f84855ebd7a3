"""Who lives, by the lock bytes of the side file. In memory there is no process but this one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from hueycore.exceptions import StorageError, StorageMoved
from hueycore.storage.sqlite.database import Database
from hueycore.storage.sqlite.sidefile import LAST_WORKER, SideFile, attach
from hueycore.storage.sqlite.slots import FileSlots, MemorySlots
from hueycore.system.machine import boot_id, runs

if TYPE_CHECKING:
    from hueycore.model.jobs import Claim
    from hueycore.storage.sql.dialect import Connection, Registered


class Alive:
    """The numbers that workers of this object hold, and what other processes hold."""

    def __init__(self, db: Database, mode: int) -> None:
        self._db = db
        self._mode = mode
        self._side: SideFile | None = None
        self._slots: dict[int, FileSlots | MemorySlots] = {}

    def side(self) -> SideFile | None:
        """The side file, made at the first need; None in memory, or for a reader where there is
        none."""
        db = self._db
        if self._side is None and not db.memory:
            try:
                side = attach(db.path, None if db.read_only else self._mode)
            except FileNotFoundError:
                if db.read_only:
                    return None
                raise StorageMoved(f"{db.path}-huey was removed while it was opened") from None
            if self._side is None:
                self._side = side
            else:
                side.detach()  # another thread was quicker
        return self._side

    def close(self) -> None:
        """Locks of this process on the file end with the last user."""
        if self._side is not None:
            self._side.detach()
            self._side = None

    def place(self) -> tuple[str, int]:
        side = self.side()
        return boot_id(), side.inode if side else 0

    def prepare(self) -> None:
        """It comes with the first number."""

    def numbers(self, con: Connection) -> Iterable[int]:
        used = {row[0] for row in con.execute("select id from huey_worker").fetchall()}
        if len(used) >= LAST_WORKER:
            raise StorageError(f"{LAST_WORKER} consumers use this file already")
        return [number for number in range(1, LAST_WORKER + 1) if number not in used]

    def take(self, number: int) -> bool:
        side = self.side()
        return self._db.memory if side is None else side.lock(number)

    def open_slots(self, number: int, count: int) -> None:
        side = self.side()
        self._slots[number] = side.open_slots(number, count) if side else MemorySlots(count)

    def free(self, number: int) -> None:
        slots = self._slots.pop(number, None)
        if slots is not None:
            slots.close()
        side = self.side()
        if side:
            side.unlock(number)

    def slots(self, number: int) -> FileSlots | MemorySlots:
        return self._slots[number]

    def holds(self, number: int) -> bool:
        return True

    def living(self, con: Connection, workers: Sequence[Registered]) -> set[int]:
        return {worker.id for worker in workers if self.lives(worker)}

    def dead(self, con: Connection, worker: Registered) -> bool:
        return not self.lives(worker)

    def bury(self, con: Connection, worker: Registered) -> bool:
        return self.take(worker.id)

    def lives(self, worker: Registered) -> bool:
        """Whether the process of a worker holds its number.

        A row from before a reboot is dead; a row whose side file was replaced under it is judged by
        its process number, the only trace that is left. Where that number is another container's it
        says nothing: better a job that waits than one that runs twice."""
        side = self.side()
        if side is None:
            return worker.id in self._slots
        if worker.boot_id != boot_id():
            return False
        if worker.side == side.inode:
            return side.locked(worker.id)
        return worker.host != os.uname().nodename or runs(worker.pid)

    def process(self, worker: Registered) -> int | None:
        side = self.side()
        return worker.pid if side is None else side.process(worker.id)

    def started(self, con: Connection, worker: Registered) -> Sequence[tuple[int, int, int]]:
        side = self.side()
        if side is not None:
            return list(side.read_slots(worker.id, worker.places))
        mine = self._slots.get(worker.id)
        return list(mine.pairs()) if isinstance(mine, MemorySlots) else []

    def began(self, con: Connection, worker: Registered, claims: Sequence[Claim]) -> set[int]:
        """Slots of another boot, or of a side file that is gone, say nothing: all count then."""
        if (worker.boot_id, worker.side) != self.place():
            return {claim.seq for claim in claims}
        started = {pair[1:] for pair in self.started(con, worker)}
        return {claim.seq for claim in claims if claim[:2] in started}

    def note(self, con: Connection, number: int) -> None: ...
    def noted(self, number: int) -> None: ...
