"""Producing: jobs are born. Threads that enqueue at the same time share one call."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NoReturn

from hueycore.exceptions import ConfigurationError, DuplicateJob, QueueFull
from hueycore.model.jobs import Enqueued, NewJob
from hueycore.model.plan import Plan
from hueycore.model.states import State
from hueycore.storage.protocol.jobs import Jobs
from hueycore.storage.redis.births import are_plain, plain_words, to_plan, to_row
from hueycore.storage.redis.errors import Refused
from hueycore.storage.redis.part import Part

_STATES = {str(state).encode(): state for state in State}


class Enqueue(Part, Jobs):
    _described = False

    def enqueue(self, jobs: Sequence[NewJob], plan: Plan | None = None) -> list[Enqueued]:
        self.client.check_policy()
        self.list_queue()
        if jobs and not plan and are_plain(jobs):
            born = self._enqueue_plain(jobs)
            if born is not None:
                return born
        arg = {
            "jobs": [to_row(job) for job in jobs],
            "plan": to_plan(plan) if plan else None,
            "most": self.max_pending,
            "serializer": None if self._described else self.serializer,
        }
        try:
            answer = self.run("enqueue", arg, *(job.payload for job in jobs))
        except Refused as refusal:
            self._refuse(refusal)
        self._described = True
        return [to_enqueued(one) for one in answer]

    def _enqueue_plain(self, jobs: Sequence[NewJob]) -> list[Enqueued] | None:
        """None when the whole rules have to be asked: an id exists, or events are recorded."""
        now = self.client.now()
        most = "" if self.max_pending is None else self.max_pending
        words = (repr(now), most, self.serializer or "", *plain_words(jobs))
        try:
            first = self.call("births_plain", words)
        except Refused as refusal:
            self._refuse(refusal)
        if not first:
            return None
        return [
            Enqueued(
                seq,
                job.id,
                State.PENDING if job.run_at is None or job.run_at <= now else State.SCHEDULED,
            )
            for seq, job in enumerate(jobs, first)
        ]

    def on(self, connection: Any) -> NoReturn:
        raise ConfigurationError(
            "a queue in Redis is not part of a database's transaction: enqueue after your commit, "
            "or write to a table of your own from which a task enqueues (an outbox)"
        )

    def _refuse(self, refusal: Refused) -> NoReturn:
        refuse(refusal, self.queue, self.max_pending)


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
