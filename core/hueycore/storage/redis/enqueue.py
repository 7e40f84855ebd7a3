"""Producing: jobs are born. Threads that enqueue at the same time share one call."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import Any, NoReturn

from hueycore.exceptions import (
    ConfigurationError,
    DuplicateJob,
    OtherData,
    QueueFull,
    StorageBusy,
    StorageError,
)
from hueycore.model.jobs import Enqueued, NewJob
from hueycore.model.plan import Plan
from hueycore.model.states import State
from hueycore.storage.protocol.jobs import Jobs
from hueycore.storage.redis.batches import Batches
from hueycore.storage.redis.births import are_plain, plain_words, to_plan, to_row
from hueycore.storage.redis.errors import Refused
from hueycore.storage.redis.scripts import PLAIN_PORTION, PORTION
from hueycore.storage.redis.watch import Looks
from hueycore.system.rounds import Rounds

_STATES = {str(state).encode(): state for state in State}


class Ticket:
    """One caller's plain jobs on their way through a shared call."""

    __slots__ = ("answer", "jobs")

    def __init__(self, jobs: Sequence[NewJob]) -> None:
        self.jobs = jobs
        self.answer: list[Enqueued] | None = None


class Enqueue(Batches, Jobs):
    #: Whatever options they have: the server answers others in between.
    chunk = PORTION
    _described = False

    def init_door(self) -> None:
        """Also in a child process: the threads of a round may not exist there."""
        self._rounds = Rounds()
        self._tickets: dict[Ticket, None] = {}
        self._looks = Looks()

    def enqueue(self, jobs: Sequence[NewJob], plan: Plan | None = None) -> list[Enqueued]:
        self.client.check_policy()
        self.list_queue()
        born = None
        if 0 < len(jobs) <= PLAIN_PORTION and not plan and are_plain(jobs):
            born = self._enqueue_together(jobs)
        if born is None and len(jobs) > PORTION:
            born = self._enqueue_many(jobs, plan or Plan())
        if born is not None:
            return born
        arg = {
            "jobs": [to_row(job) for job in jobs],
            "plan": to_plan(plan) if plan else None,
            "most": self.max_pending,
            "serializer": None if self._described else self.serializer,
        }
        try:
            answer = self.run("enqueue", arg, *(job.payload for job in jobs), durable=True)
        except Refused as refusal:
            refuse(refusal, self.queue, self.max_pending)
        self._described = True
        return [to_enqueued(one) for one in answer]

    def _enqueue_many(self, jobs: Sequence[NewJob], plan: Plan) -> list[Enqueued] | None:
        try:
            return self.enqueue_in_portions(jobs, plan)
        except Refused as refusal:
            refuse(refusal, self.queue, self.max_pending)

    def _enqueue_together(self, jobs: Sequence[NewJob]) -> list[Enqueued] | None:
        """Threads that enqueue plain jobs at the same time share one call. None when the whole
        rules have to be asked: an id exists, or events are recorded."""
        ticket = Ticket(jobs)
        try:
            self._tickets[ticket] = None
            self._rounds.take(lambda: ticket.answer is None, partial(self._call_for, ticket))
        finally:
            # Nobody may enqueue later what was interrupted here.
            self._tickets.pop(ticket, None)
        return ticket.answer

    def _call_for(self, mine: Ticket) -> None:
        """Enqueue my jobs and those of the threads that wait. When that fails the others try for
        themselves; ids make a second try of the same job harmless."""
        batch, size = [mine], len(mine.jobs)
        for ticket in list(self._tickets):
            if ticket is not mine and ticket.answer is None and size + len(ticket.jobs) <= PORTION:
                batch.append(ticket)
                size += len(ticket.jobs)
        try:
            if self._enqueue_plain(batch) or len(batch) == 1:
                return
        except StorageBusy:
            raise
        except (StorageError, QueueFull):
            if len(batch) == 1:
                raise
        self._enqueue_plain([mine])

    def _enqueue_plain(self, batch: Sequence[Ticket]) -> bool:
        now = self.client.now()
        most = "" if self.max_pending is None else self.max_pending
        jobs = [job for ticket in batch for job in ticket.jobs]
        words = (repr(now), most, self.serializer or "", *plain_words(jobs))
        try:
            first = self.call("births_plain", words, durable=True)
        except Refused as refusal:
            refuse(refusal, self.queue, self.max_pending)
        if not first:
            return False
        for ticket in batch:
            ticket.answer = [
                Enqueued(
                    seq,
                    job.id,
                    State.PENDING if job.run_at is None or job.run_at <= now else State.SCHEDULED,
                    enqueued_at=now,
                )
                for seq, job in enumerate(ticket.jobs, first)
            ]
            first += len(ticket.jobs)
        return True

    def on(self, connection: Any) -> NoReturn:
        raise OtherData(
            "a queue in Redis is not part of a database's transaction: enqueue after your commit, "
            "or write to a table of your own from which a task enqueues (an outbox)"
        )


def to_enqueued(one: Sequence[Any]) -> Enqueued:
    seq, id_, state, fresh = one
    return Enqueued(seq, id_.decode(), _STATES[state], bool(fresh))


def refuse(refusal: Refused, queue: str, most: int | None) -> NoReturn:
    """Raise what a script's refusal of births means."""
    said = str(refusal)
    if refusal.word == "FULL":
        raise QueueFull(f'queue "{queue}" has {said} of {most} pending jobs') from None
    if refusal.word == "DUPLICATE":
        told = json.loads(said)
        words = f'job {told["id"]} of {told["task"]} has the unique key "{told["key"]}"'
        raise DuplicateJob(words, key=told["key"], id=told["id"]) from None
    if refusal.word == "STAGE":
        id_, seq, state = said.split(" ")
        raise ConfigurationError(
            f"job {id_} exists already ({seq}, {state}): it cannot become a stage of another "
            "pipeline or chord"
        ) from None
    raise refusal
