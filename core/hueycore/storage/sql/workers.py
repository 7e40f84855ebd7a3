"""Who lives: worker rows, lock bytes, slots, and the recovery of what the dead were running."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence

from hueycore.exceptions import StorageError
from hueycore.model.jobs import Recovered
from hueycore.model.reports import WorkerRow
from hueycore.model.schedules import Periodic
from hueycore.model.states import State
from hueycore.storage.sql.edges import follow
from hueycore.storage.sql.enqueue import describe_queue
from hueycore.storage.sql.keys import free_locks, settle
from hueycore.storage.sql.part import Room
from hueycore.storage.sql.periodic import declare, forget_declarations
from hueycore.storage.sql.recovery import Registered, pairs, recover_worker
from hueycore.storage.sql.unique import GIVES_WAY
from hueycore.storage.sqlite.sidefile import LAST_WORKER, MappedSlots, SideFile, boot_id
from hueycore.system import clock

_ROW = ", ".join(Registered._fields)


class Liveness(Room):
    def register(
        self, *, name: str, kind: str, slots: int, declares: Sequence[Periodic] | None = None
    ) -> int:
        """Make this process a worker: from now until ``unregister`` or its death it is alive, and
        has in its code what it ``declares`` (see ``declare_periodic``). Returns its number.

        The row and its lock byte appear together, so no janitor ever sees one without the other."""
        side = self.side()
        taken: list[int] = []

        def body(con: sqlite3.Connection) -> int:
            describe_queue(con, self.queue, self.serializer)
            used = {row[0] for row in con.execute("select id from huey_worker").fetchall()}
            number = next(
                (n for n in range(1, LAST_WORKER + 1) if n not in used and _take(side, n, taken)),
                None,
            )
            if number is None:
                raise StorageError(f"{LAST_WORKER} consumers use this file already")
            self._slots[number] = (
                side.map_slots(number, pairs(slots))
                if side
                else MappedSlots(bytearray(16 * pairs(slots)))
            )
            self._since[number] = clock.now()
            con.execute(
                f"insert into huey_worker ({_ROW}) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
                (
                    number, self.queue, name, os.uname().nodename, os.getpid(), boot_id(), kind,
                    slots, "running", self._since[number], side.inode if side else 0,
                ),
            )  # fmt: skip
            if declares is not None:
                declare(con, self.queue, declares, number)
            return number

        try:
            return self.db.transact(body, durable=bool(declares))
        except BaseException:
            for number in taken:
                self._drop(number)
            raise

    def slots(self, worker: int) -> MappedSlots:
        """Where this worker notes which run each of its slots has started."""
        return self._slots[worker]

    def stopping(self, worker: int) -> None:
        """From now on, the recovery of this worker's jobs counts no crash."""
        self.db.transact(
            lambda con: con.execute(
                """
                update huey_worker set state = 'stopping'
                where id = ? and pid = ? and started_at = ?
                """,
                (worker, os.getpid(), self._since.get(worker)),
            ),
            durable=False,
        )

    def unregister(self, worker: int) -> None:
        """The worker is gone; what it still held is pending again, uncounted, or revoked if it was
        asked to stop."""

        def body(con: sqlite3.Connection) -> None:
            if not con.execute(
                """
                delete from huey_worker where id = ? and pid = ? and started_at = ? returning id
                """,
                (worker, os.getpid(), self._since.get(worker)),
            ).fetchall():
                return  # taken for dead, and the number may be another's by now
            forget_declarations(con, worker)
            rows = con.execute(
                f"""
                update huey_job set
                    unique_until = case when cancel_requested in (1, 2) then unique_until
                        else {GIVES_WAY} end,
                    state = case when cancel_requested in (1, 2) then 'revoked'
                        when key_name is not null then 'blocked' else 'pending' end,
                    reason = case when cancel_requested in (1, 2) then 'revoked' else reason end,
                    finished_at = case when cancel_requested in (1, 2) then ? end,
                    attempt = attempt - 1, worker = null, claimed_at = null, cancel_requested = 0
                where worker = ? and state = 'running'
                returning seq, state, key_name
                """,  # noqa: S608
                (clock.now(), worker),
            ).fetchall()
            follow(con, [seq for seq, state, _ in rows if state == State.REVOKED], delivered=False)
            names = free_locks(con, self.queue, worker)
            settle(con, self.queue, {*names, *(key for _, _, key in rows)})

        self.db.transact(body, durable=False)
        self._drop(worker)
        self.ring()

    def _drop(self, number: int) -> None:
        self._since.pop(number, None)
        slots = self._slots.pop(number, None)
        if slots is not None:
            slots.close()
        side = self.side()
        if side:
            side.unlock(number)

    def recover(self) -> list[Recovered]:
        """Take back the jobs of every worker that is dead. Only one caller wins a dead worker."""
        side = self.side()
        if side is None:
            return []
        recovered: list[Recovered] = []
        dead = 0
        for worker in self.db.read(self._worker_rows):
            if worker.queue == self.queue and not alive(worker, side):
                dead += 1
                try:
                    recovered += self._recover_one(worker, side)
                except StorageError:
                    if not recovered:
                        raise
                    break  # what was taken back is told; the janitor comes again
        if recovered or dead:
            self.ring()
        return recovered

    def _recover_one(self, worker: Registered, side: SideFile) -> list[Recovered]:
        if not side.lock(worker.id):
            return []  # another janitor was first
        try:
            return self.db.transact(lambda con: recover_worker(con, worker, side), durable=False)
        finally:
            side.unlock(worker.id)

    def workers(self) -> list[WorkerRow]:
        """Every consumer process in the file with what it runs, told without a write."""
        side = self.side()
        rows = []
        for worker in self.db.read(self._worker_rows):
            if side is None:
                running = [(n, seq) for n, seq, _ in self._slots[worker.id].pairs()] if (
                    worker.id in self._slots
                ) else []  # fmt: skip
                living = worker.id in self._slots
                local_pid = worker.pid
            else:
                running = [
                    (n, seq) for n, seq, _ in side.read_slots(worker.id, pairs(worker.slots))
                ]
                living = alive(worker, side)
                local_pid = side.holder(worker.id) or 0
            rows.append(
                WorkerRow(
                    worker.id,
                    worker.queue,
                    worker.name,
                    worker.host,
                    worker.pid,
                    worker.boot_id,
                    worker.kind,
                    worker.slots,
                    worker.state,
                    worker.started_at,
                    living,
                    running,
                    local_pid or None,
                )
            )
        return rows

    def _worker_rows(self, con: sqlite3.Connection) -> list[Registered]:
        rows = con.execute(f"select {_ROW} from huey_worker order by id").fetchall()  # noqa: S608
        return [Registered(*row) for row in rows]


def worker_row(con: sqlite3.Connection, number: int) -> Registered | None:
    """A worker by its number, None when it is gone."""
    row = con.execute(f"select {_ROW} from huey_worker where id = ?", (number,)).fetchone()  # noqa: S608
    return None if row is None else Registered(*row)


def alive(worker: Registered, side: SideFile) -> bool:
    """By the lock byte. A row from before a reboot is dead; a row whose side file was replaced
    under it is judged by its process number, the only trace that is left. Where that number is
    another container's it says nothing: better a job that waits than one that runs twice."""
    if worker.boot_id != boot_id():
        return False
    if worker.side == side.inode:
        return side.locked(worker.id)
    if worker.host != os.uname().nodename:
        return True
    try:
        os.kill(worker.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _take(side: SideFile | None, number: int, taken: list[int]) -> bool:
    """Noted before it is taken: whatever strikes in between, the byte is given back."""
    taken.append(number)
    if side is not None and not side.lock(number):
        taken.clear()
        return False
    return True
