"""What ``sql/migration.py`` says, of rows in Redis."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from hueycore.model.jobs import Enqueued, NewJob
from hueycore.model.migration import (
    Brought,
    Migration,
    Whole,
    of_job,
    of_message,
    of_revocation,
    of_value,
)
from hueycore.model.plan import Input, Plan
from hueycore.storage.protocol import migration as protocol
from hueycore.storage.redis.births import to_plan, to_row
from hueycore.storage.redis.enqueue import to_enqueued
from hueycore.storage.redis.flags import place_of, to_text
from hueycore.storage.redis.part import Part
from hueycore.storage.redis.scripts import COLUMNS, DEFAULTS
from hueycore.storage.redis.transfer import to_input

#: The task of a job that was over: its name is nowhere.
UNNAMED = "from-huey"


class Migrations(Part, protocol.Migrations):
    def left_by_huey(self) -> dict[str, int]:
        return {}

    def bring(self, migration: Migration, *, dry_run: bool = False) -> Brought:
        while True:
            sieve = _Sieve(self, migration)
            if dry_run:
                return sieve.brought([])
            answer = self.operate("bring", *sieve.call(self.client.now(), self.serializer))
            self.list_queue()
            if answer is not None:
                return sieve.brought([to_enqueued(one) for one in answer])


class _Sieve:
    """What of a migration has not been brought before, and stands in nobody's way."""

    def __init__(self, part: Part, migration: Migration) -> None:
        ids = [job.id for whole in migration.wholes for job in whole.jobs]
        ids += [one.id for one in migration.results]
        mark = {id_: of_job(id_) for id_ in ids}
        messages = {of_message(data) for one in migration.wholes for data in one.sources}
        every = {*mark.values(), *messages, *map(of_value, migration.values)}
        asked = sorted(every.union(map(of_revocation, migration.revocations)))
        found = part.many("HMGET", "brought", asked)
        known = {name for name, there in zip(asked, found, strict=True) if there is not None}
        there = part.many("HMGET", "id", ids)
        taken = {id_ for id_, seq in zip(ids, there, strict=True) if seq is not None}
        self.fresh: list[Whole] = []
        self.outcomes: list[str] = []
        for whole in migration.wholes:
            mine = [job.id for job in whole.jobs]
            outcome = "loaded"
            if any(mark[id_] in known for id_ in mine):
                outcome = "known"
            elif not taken.isdisjoint(mine):
                outcome = "exists"
            else:
                self.fresh.append(whole)
                taken.update(mine)
            self.outcomes.append(outcome)
        self.results = [
            one for one in migration.results if one.id not in taken and mark[one.id] not in known
        ]
        self.values = {
            name: value for name, value in migration.values.items() if of_value(name) not in known
        }
        self.orders = [one for one in migration.revocations if of_revocation(one) not in known]
        fresh = [mark[job.id] for whole in self.fresh for job in whole.jobs]
        fresh += [mark[one.id] for one in self.results]
        fresh += map(of_value, self.values)
        fresh += map(of_revocation, self.orders)
        self.marks = [*fresh, *(messages - known)]

    def brought(self, jobs: Sequence[Enqueued]) -> Brought:
        return Brought(self.outcomes, jobs, len(self.results), len(self.values), len(self.orders))

    def call(self, now: float, serializer: str | None) -> tuple[Any, ...]:
        """The arguments of the script and the bytes that go with it."""
        jobs: list[NewJob] = []
        plans: list[tuple[int, Plan]] = []
        given: list[tuple[int, Sequence[Input]]] = []
        for whole in self.fresh:
            by, alone = len(jobs), len(whole.jobs) == 1
            jobs += (_peaceful(job, alone) if job.unique_until else job for job in whole.jobs)
            plans.append((by, whole.plan))
            given += [(place + by, inputs) for place, inputs in whole.given.items()]
        arg = {
            "jobs": [to_row(job) for job in jobs],
            "plan": to_plan(Plan.joined(plans)),
            "given": [(place, [to_input(one) for one in inputs]) for place, inputs in given],
            "results": [(_row(one), _entry(one.error, now)) for one in self.results],
            "values": list(self.values),
            "orders": [
                (*place_of(one.kind, one.name), to_text(one._replace(since=now)))
                for one in self.orders
            ],
            "marks": self.marks,
            "serializer": serializer,
        }
        results = [one.result for _, inputs in given for one in inputs if one.result is not None]
        data = [job.payload for job in jobs] + results
        data += [one.result for one in self.results]
        return (arg, *data, *self.values.values())


def _peaceful(job: NewJob, alone: bool) -> NewJob:
    return job._replace(on_conflict="keep") if alone else job._replace(unique_until=None)


def _row(one: Any) -> list[Any]:
    row = [False if value is None else value for value in DEFAULTS]
    for name, value in (("id", one.id), ("task", UNNAMED), ("state", str(one.state))):
        row[[*COLUMNS].index(name)] = value
    return row


def _entry(error: Mapping[str, str] | None, now: float) -> str | bool:
    return False if error is None else json.dumps({"at": now, "attempt": 1, **error})
