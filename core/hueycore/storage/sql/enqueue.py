"""Producing: jobs are born. Threads that enqueue at the same time share one commit."""

from __future__ import annotations

import os
import weakref
from collections.abc import Sequence
from functools import partial

from hueycore.exceptions import HueyException, QueueFull, StorageBusy, StorageError, TaskTimeout
from hueycore.model.jobs import Enqueued, NewJob
from hueycore.model.plan import Plan
from hueycore.model.schedules import Fire
from hueycore.model.states import FINAL, State
from hueycore.storage.protocol.jobs import Jobs
from hueycore.storage.sql.dialect import Connection
from hueycore.storage.sql.edges import NEEDED
from hueycore.storage.sql.keys import settle
from hueycore.storage.sql.part import Part
from hueycore.storage.sql.pressure import pending
from hueycore.storage.sql.stages import join
from hueycore.storage.sql.unique import give_way, held_keys
from hueycore.system.rounds import Rounds

#: Jobs that one shared commit takes from other threads at most.
SHARE = 5000


class Ticket:
    """One caller's jobs on their way through a shared commit."""

    __slots__ = ("answer", "jobs", "plan", "refused")

    def __init__(self, jobs: Sequence[NewJob], plan: Plan | None) -> None:
        self.jobs = jobs
        self.plan = plan
        self.answer: list[Enqueued] | None = None
        #: Why its caller gets no answer.
        self.refused: HueyException | None = None

    def waits(self) -> bool:
        return self.answer is None and self.refused is None


_producers: weakref.WeakSet[Enqueue] = weakref.WeakSet()


class Enqueue(Part, Jobs):
    chunk = SHARE
    _queue_known = False

    def _init_door(self) -> None:
        self._rounds = Rounds()
        self._tickets: dict[Ticket, None] = {}
        _producers.add(self)

    def enqueue(self, jobs: Sequence[NewJob], plan: Plan | None = None) -> list[Enqueued]:
        ticket = Ticket(jobs, plan)
        try:
            self._tickets[ticket] = None
            self._rounds.take(ticket.waits, partial(self._commit_waiting, ticket))
        finally:
            # Nobody may commit later what was interrupted here.
            self._tickets.pop(ticket, None)
        if ticket.refused is not None:
            # Others may be told the same, and each of them writes into what it raises.
            raise type(ticket.refused)(*ticket.refused.args)
        assert ticket.answer is not None
        return ticket.answer

    def _ring_births(self) -> None:
        """Wake the consumers after a commit of births."""
        self.ring()

    def _commit_waiting(self, mine: Ticket) -> None:
        """Commit my jobs and those of the threads that wait at the door. When it fails the others
        try for themselves; ids make a second try of the same job harmless."""
        batch = [mine]
        size = len(mine.jobs)
        for ticket in list(self._tickets):
            if ticket is not mine and ticket.waits() and size + len(ticket.jobs) <= SHARE:
                batch.append(ticket)
                size += len(ticket.jobs)
        try:
            self._commit(batch)
        except (StorageBusy, TaskTimeout):
            raise
        except Exception:
            if len(batch) == 1 or not mine.waits():
                raise
            self._commit([mine])  # perhaps it is another's job that no row can hold

    def _commit(self, batch: list[Ticket]) -> None:
        outcome, wait_for_disk = self.db.commit(
            lambda con: [self._try(con, ticket) for ticket in batch]
        )
        self._ring_births()
        try:
            wait_for_disk()  # while others write
        except StorageError as unknown:
            for ticket in batch:
                ticket.refused = unknown
            raise
        for ticket, answer in zip(batch, outcome, strict=True):
            if isinstance(answer, QueueFull):
                ticket.refused = answer
            else:
                ticket.answer = answer
                self._queue_known = True

    def _try(self, con: Connection, ticket: Ticket) -> list[Enqueued] | QueueFull:
        if ticket.plan or not self._queue_known:
            con.be_alone()
        try:
            return self.admit(con, ticket.jobs, ticket.plan)
        except QueueFull as full:
            return full  # its thread's alone: nothing of it is written

    def admit(
        self, con: Connection, jobs: Sequence[NewJob], plan: Plan | None = None
    ) -> list[Enqueued]:
        """Let jobs into the queue, in the caller's transaction."""
        if not self._queue_known:
            describe_queue(con, self.queue, self.serializer)
        if self.max_pending is not None:
            con.be_alone()
            waiting = pending(con, self.queue)
            if waiting + len(jobs) > self.max_pending:
                raise QueueFull(
                    f'queue "{self.queue}" has {waiting} of {self.max_pending} pending jobs'
                )
        answer = insert_jobs(con, self.queue, jobs)
        return join(con, answer, plan) if plan else answer


def describe_queue(con: Connection, queue: str, serializer: str | None) -> None:
    """Make the queue's row. It tells those who write without the application how to."""
    con.execute(
        """
        insert into huey_queue (queue, serializer, created_at) values (?, ?, ?)
        on conflict (queue) do update
            set serializer = coalesce(excluded.serializer, huey_queue.serializer)
        """,
        (queue, serializer, con.now()),
    )


def insert_jobs(con: Connection, queue: str, jobs: Sequence[NewJob]) -> list[Enqueued]:
    """Insert jobs in the caller's transaction."""
    now = con.now()
    answer = _insert_fresh(con, queue, jobs, now)
    while answer is None:
        con.be_alone()
        answer = _Births(con, queue, jobs, now).insert()
    return answer


def insert_due(con: Connection, queue: str, fires: Sequence[Fire]) -> None:
    """Insert what schedules fire, in the caller's transaction. A unique job that is still there
    stands for the new one: a schedule cannot be told that it failed."""
    jobs = [
        job._replace(on_conflict="keep") if job.on_conflict == "fail" else job
        for one in fires
        for job in one.jobs
    ]
    stored = iter(insert_jobs(con, queue, jobs))
    for one in fires:
        answers = [next(stored) for _ in one.jobs]
        if answers and not answers[-1].fresh:
            con.execute(
                "update huey_periodic set last_id = ? where queue = ? and name = ?",
                (answers[-1].id, queue, one.name),
            )


def _insert_fresh(
    con: Connection, queue: str, jobs: Sequence[NewJob], now: float
) -> list[Enqueued] | None:
    """The usual case, ids and keys that nobody has. None if one exists."""
    answer = con.dialect.insert_jobs(con, queue, jobs, now)
    if answer is None or not any(job.key_name for job in jobs):
        return answer
    born = zip(jobs, answer, strict=True)
    keys = {job.key_name for job, one in born if one.state is State.BLOCKED}
    ready = {*settle(con, queue, keys)}
    return [one._replace(state=State.PENDING) if one.seq in ready else one for one in answer]


class _Born(Exception):
    """A job that nobody knew is there by now."""


class _Births:
    """Jobs of which some are known already. Those that nobody stands for are inserted together, as
    far as none of them has to see another one."""

    def __init__(self, con: Connection, queue: str, jobs: Sequence[NewJob], now: float) -> None:
        self._con, self._queue, self._now = con, queue, now
        self._jobs = jobs
        self._known = _known(con, queue, [job.id for job in jobs])
        self._held = held_keys(con, queue, jobs)
        self._fresh: dict[str, NewJob] = {}
        self._gone: list[int] = []

    def insert(self) -> list[Enqueued] | None:
        """None when somebody was quicker, which only births can be."""
        try:
            found = [self._find(job) for job in self._jobs]
            self._insert()
        except _Born:
            return None
        return [
            self._known[job.id][0] if one is None else one
            for one, job in zip(found, self._jobs, strict=True)
        ]

    def _find(self, job: NewJob) -> Enqueued | None:
        """The job that stands for a new one; None when that is, or will be, born."""
        if job.id in self._fresh:
            self._insert()
        known = self._known.get(job.id)
        if known is not None and (known[0].state not in FINAL or known[1]):
            return known[0]._replace(fresh=False)
        if job.unique_until is not None:
            key = (job.task, job.unique_key)
            if key in self._held:
                self._insert()
                instead = give_way(self._con, self._queue, job, self._now)
                if instead is not None:
                    return instead
            self._held.add(key)
        if known is not None:
            self._gone.append(known[0].seq)
        self._fresh[job.id] = job
        return None

    def _insert(self) -> None:
        if not self._fresh:
            return
        if self._gone:
            delete_jobs(self._con, self._gone)
        stored = _insert_fresh(self._con, self._queue, [*self._fresh.values()], self._now)
        if stored is None:
            raise _Born
        self._known.update((one.id, (one, False)) for one in stored)
        self._gone, self._fresh = [], {}


def _known(con: Connection, queue: str, ids: Sequence[str]) -> dict[str, tuple[Enqueued, bool]]:
    """The jobs that have these ids, and whether another one needs their results."""
    d = con.dialect
    rows = con.execute(
        f"select seq, id, state, {NEEDED} from huey_job where queue = ? and {d.among('id')}",
        (queue, d.listed(ids)),
    ).fetchall()
    return {id_: (Enqueued(seq, id_, State(state)), needed) for seq, id_, state, needed in rows}


def delete_jobs(con: Connection, seqs: Sequence[int]) -> int:
    """Delete rows with everything that other tables say of them."""
    d = con.dialect
    which = (d.listed(seqs),)
    d.keep_numbers(con, which[0])
    for table in ("payload", "result", "log", "input", "handler"):
        con.execute(f"delete from huey_{table} where {d.among('seq')}", which)
    return con.execute(f"delete from huey_job where {d.among('seq')}", which).rowcount


def _after_fork_in_child() -> None:
    # The thread at the door may not exist in the child; its jobs are its parent's.
    for producer in list(_producers):
        producer._init_door()


os.register_at_fork(after_in_child=_after_fork_in_child)
