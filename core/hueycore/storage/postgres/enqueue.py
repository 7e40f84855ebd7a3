"""Jobs are born. Nobody waits for the lock of the queue: a sequence and unique indexes hold all
that a birth needs, unless jobs of its ids or unique keys are there already, the queue has a limit,
or jobs hang together."""

from __future__ import annotations

from hueycore.exceptions import StorageError
from hueycore.model.states import State
from hueycore.storage.postgres import births
from hueycore.storage.postgres.alive import Alive
from hueycore.storage.postgres.database import Database, Unanswered
from hueycore.storage.sql.births import are_usual
from hueycore.storage.sql.dialect import Connection
from hueycore.storage.sql.enqueue import Enqueue, Ticket, describe_queue, insert_jobs
from hueycore.storage.sql.keys import settle
from hueycore.storage.sql.pressure import pending


class Births(Enqueue):
    db: Database
    alive: Alive

    def know_queue(self) -> None:
        """Make what every birth needs, in a transaction of its own: two of them must not wait for
        each other."""

        def body(con: Connection) -> None:
            describe_queue(con, self.queue, self.serializer)
            if self.max_pending is not None:
                pending(con, self.queue)

        if not self._queue_known:
            self.db.transact(body)
            self._queue_known = True

    def _commit(self, batch: list[Ticket]) -> None:
        if self._commit_one(batch) or self._commit_together(batch):
            self._ring_births()
        else:
            super()._commit(batch)
        self._settle(batch)

    def _ring_births(self) -> None:
        self.alive.bell.ring()  # the others were called with the commit

    def _commit_one(self, batch: list[Ticket]) -> bool:
        """A job without options in one message: what a web request waits for. False when there is
        more to it."""
        jobs = batch[0].jobs
        plain = len(batch) == len(jobs) == 1 and are_usual(jobs) and not batch[0].plan
        if not plain or self.max_pending is not None or not self._queue_known:
            return False
        now = self.db.now()
        values = births.one(self.queue, jobs[0], now)
        try:
            seq = self.db.commit_one(births.ONE, values)
        except Unanswered:
            # The server may only have been restarted since the last time. If the job is there, it
            # is this one.
            super()._commit(batch)
            batch[0].answer = [one._replace(fresh=True) for one in batch[0].answer or ()]
            return True
        if seq is None:
            return False
        batch[0].answer = births.answer(jobs, [seq], [values[2:]], now)
        return True

    def _commit_together(self, batch: list[Ticket]) -> bool:
        """The jobs of several threads as if one had asked for them: one answer to wait for. False
        when they have to be looked at one by one."""
        together = len(batch) > 1 and self._queue_known and self.max_pending is None
        if not together or any(ticket.plan for ticket in batch):
            return False
        jobs = [job for ticket in batch for job in ticket.jobs]
        stored = iter(self.db.commit(lambda con: insert_jobs(con, self.queue, jobs))[0])
        for ticket in batch:
            ticket.answer = [next(stored) for _ in ticket.jobs]
        return True

    def _settle(self, batch: list[Ticket]) -> None:
        """Let those of the jobs go that their keys have room for. Whoever comes next does it when
        this fails."""
        if not any(
            job.key_name is not None and one.state is State.BLOCKED
            for ticket in batch
            for job, one in zip(ticket.jobs, ticket.answer or (), strict=False)
        ):
            return

        def body(con: Connection) -> set[int]:
            return {*settle(con, self.queue, con.dialect.take_up(con, self.queue))}

        try:
            ready = self.db.transact(body, durable=False)
        except StorageError:
            return
        for ticket in batch:
            ticket.answer = ticket.answer and [
                one._replace(state=State.PENDING) if one.seq in ready else one
                for one in ticket.answer
            ]
        if ready:
            self.ring()
