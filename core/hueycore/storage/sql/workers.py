"""Worker processes: their rows, and the recovery of what the dead were running."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from hueycore.exceptions import StorageError
from hueycore.model.jobs import Recovered
from hueycore.model.reports import WorkerRow
from hueycore.model.schedules import Periodic
from hueycore.model.states import State
from hueycore.storage.protocol import workers as protocol
from hueycore.storage.protocol.queries import Queries
from hueycore.storage.protocol.workers import Slots
from hueycore.storage.sql.dialect import Connection, Registered, places
from hueycore.storage.sql.edges import follow
from hueycore.storage.sql.enqueue import describe_queue
from hueycore.storage.sql.keys import free_locks, settle
from hueycore.storage.sql.part import Part, placeholders
from hueycore.storage.sql.periodic import declare, forget_declarations
from hueycore.storage.sql.recovery import recover_worker
from hueycore.storage.sql.rest import READY
from hueycore.storage.sql.unique import GIVES_WAY
from hueycore.storage.sql.workerlog import log_worker

_ROW = ", ".join(Registered._fields)


class Workers(Part, protocol.Workers, Queries):
    def register(
        self, *, name: str, kind: str, slots: int, declares: Sequence[Periodic] | None = None
    ) -> int:
        self.alive.prepare()
        place = self.alive.place()
        taken: list[int] = []

        def body(con: Connection) -> int:
            con.dialect.outlive(con)
            while taken:  # by a transaction that is tried again
                self._drop(taken.pop())
            describe_queue(con, self.queue, self.serializer)
            number = self._take_one(self.alive.numbers(con), taken)
            self.alive.open_slots(number, places(slots))
            now = self._since[number] = con.now()
            me = (os.uname().nodename, os.getpid())
            row = (number, self.queue, name, *me, place[0], kind, slots, "running", now, place[1])
            con.execute(f"insert into huey_worker ({_ROW}) values {placeholders(1, 11)}", row)
            log_worker(con, "worker-started", Registered(*row))
            if declares is not None:
                declare(con, self.queue, declares, number)
            return number

        try:
            return self.db.transact(body, durable=bool(declares))
        except BaseException:
            for number in taken:
                self._drop(number)
            raise

    def _take_one(self, numbers: Iterable[int], taken: list[int]) -> int:
        for number in numbers:
            if self._take(number, taken):
                return number
        raise StorageError("no number is left for another consumer")

    def _take(self, number: int, taken: list[int]) -> bool:
        """Noted before it is held: whatever strikes in between, it is given back."""
        taken.append(number)
        held = self.alive.take(number)
        if not held:
            taken.clear()
        return held

    def slots(self, worker: int) -> Slots:
        return self.alive.slots(worker)

    def stopping(self, worker: int) -> None:
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
        def body(con: Connection) -> None:
            mine = con.execute(
                f"""
                delete from huey_worker where id = ? and pid = ? and started_at = ?
                returning {_ROW}
                """,
                (worker, os.getpid(), self._since.get(worker)),
            ).fetchall()
            if not mine:
                return  # taken for dead, and the number may be another's by now
            log_worker(con, "worker-stopped", Registered(*mine[0]))
            forget_declarations(con, worker)
            held = con.execute(
                "select seq from huey_job where worker = ? and state = 'running' order by seq",
                (worker,),
            ).fetchall()
            now = con.now()
            # One by one: what gives way to another one has to see that it is there.
            con.executemany(
                f"""
                update huey_job set
                    unique_until = case when cancel_requested in (1, 2) then unique_until
                        else {GIVES_WAY} end,
                    state = case when cancel_requested in (1, 2) then 'revoked'
                        else {READY} end,
                    reason = case when cancel_requested in (1, 2) then 'revoked' else reason end,
                    finished_at = case when cancel_requested in (1, 2) then ? end,
                    attempt = attempt - 1, worker = null, claimed_at = null, cancel_requested = 0
                where seq = ?
                """,
                [(now, seq) for (seq,) in held],
            )
            d = con.dialect
            rows = con.execute(
                f"select seq, state, key_name from huey_job where {d.among('seq')}",
                (d.listed(seq for (seq,) in held),),
            ).fetchall()
            follow(con, [seq for seq, state, _ in rows if state == State.REVOKED], delivered=False)
            names = free_locks(con, self.queue, worker)
            settle(con, self.queue, {*names, *(key for _, _, key in rows)})

        self.db.transact(body, durable=False)
        self._drop(worker)
        self.ring()

    def _drop(self, number: int) -> None:
        self._since.pop(number, None)
        self.alive.free(number)

    def recover(self) -> list[Recovered]:
        recovered: list[Recovered] = []
        dead = 0
        for worker in self.db.read(self._missing):
            dead += 1
            try:
                recovered += self._recover_one(worker)
            except StorageError:
                if not recovered:
                    raise
                break  # what was taken back is reported; the janitor comes again
        if recovered or dead:
            self.ring()
        return recovered

    def _missing(self, con: Connection) -> list[Registered]:
        workers = [worker for worker in self._worker_rows(con) if worker.queue == self.queue]
        living = self.alive.living(con, workers)
        return [worker for worker in workers if worker.id not in living]

    def _recover_one(self, worker: Registered) -> list[Recovered]:
        buried = False

        def body(con: Connection) -> list[Recovered]:
            nonlocal buried
            buried = self.alive.bury(con, worker)
            return recover_worker(con, worker, self.alive) if buried else []

        try:
            return self.db.transact(body, durable=False)
        finally:
            if buried:
                self.alive.free(worker.id)

    def workers(self) -> list[WorkerRow]:
        def body(con: Connection) -> list[WorkerRow]:
            workers = self._worker_rows(con)
            living = self.alive.living(con, workers)
            return [
                WorkerRow(
                    *worker[:-1],
                    alive=worker.id in living,
                    running=[row[:2] for row in self.alive.started(con, worker)],
                    local_pid=self.alive.process(worker),
                )
                for worker in workers
            ]

        return self.db.read(body)

    def _worker_rows(self, con: Connection) -> list[Registered]:
        rows = con.execute(f"select {_ROW} from huey_worker order by id").fetchall()
        return [Registered(*row) for row in rows]


def worker_row(con: Connection, number: int) -> Registered | None:
    """A worker by its number, None when it is gone."""
    row = con.execute(f"select {_ROW} from huey_worker where id = ?", (number,)).fetchone()
    return None if row is None else Registered(*row)
