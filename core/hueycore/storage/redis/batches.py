"""Jobs of one call that are more than one script is to write: the server answers others in between.
They come in portions, and are blocked until the last of them is there. What a producer that died
has left is taken away by a janitor, or let go if all was there."""

from __future__ import annotations

import json
import logging
import os
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from hueycore.exceptions import StorageError
from hueycore.model.jobs import Enqueued, NewJob
from hueycore.model.plan import Plan
from hueycore.model.states import State
from hueycore.storage.redis.births import PLACES, to_row
from hueycore.storage.redis.errors import Refused
from hueycore.storage.redis.part import Part, row_values
from hueycore.storage.redis.rows import fetch
from hueycore.storage.redis.scripts import DEFAULTS, PORTION
from hueycore.storage.redis.watch import PATIENCE, Looks, is_gone
from hueycore.system import machine

logger = logging.getLogger("hueycore.storage")


class Batches(Part):
    #: Of a janitor: how often it has found no new portion of a batch.
    _looks: Looks

    def enqueue_in_portions(self, jobs: Sequence[NewJob], plan: Plan) -> list[Enqueued] | None:
        """All or none of them, whatever happens. None where one script has to see all: ids that
        exist or come twice, unique keys. Raises ``Refused``, ``StorageError``."""
        ids = [job.id for job in jobs]
        if len({*ids}) < len(ids) or any(job.unique_until for job in jobs):
            return None
        rows = [to_row(job) for job in jobs]
        while not any(self.many("HMGET", "id", ids)):
            batch = _Batch(self, jobs, rows, plan)
            try:
                return batch.enqueue()
            except Refused as refusal:
                # Another call has brought one of the ids, or this one was taken for dead.
                if refusal.word not in ("EXISTS", "GONE"):
                    raise
        return None

    def finish_batches(self) -> None:
        """What a janitor does for the batches of the queue."""
        try:
            batches = batches_of(self, self.queue)
        except StorageError:
            self._looks.clear()
            raise
        looks = self._looks.without_news({n: one["portions"] for n, one in batches.items()})
        for number, one in sorted(batches.items()):
            dead = looks[number] >= PATIENCE or is_gone(one)
            with suppress(Refused):  # another janitor was quicker
                if one["state"] == "in":
                    self.let_go(number, forget=dead)
                elif dead or one["state"] == "gone":
                    logger.warning(
                        "a producer died: jobs of a call that was cut off are taken away"
                    )
                    self.take_away(number, one["portions"])

    def let_go(self, number: int, *, forget: bool) -> dict[int, State]:
        """The jobs of a batch that is in may run. Answers the states of those that were held."""
        states: dict[int, State] = {}
        more = 1
        while more:
            found, more = self.run("batch_end", {"batch": number, "forget": forget or None})
            states |= _states(found)
        return states

    def take_away(self, number: int, portions: int | None = None) -> None:
        """The jobs of a batch that is not in, unless a portion has come since."""
        while self.run("batch_drop", {"batch": number, "portions": portions}):
            pass


def batches_of(part: Part, queue: str) -> dict[int, dict[str, Any]]:
    """Those of a queue that are not over: whose they are, portions, state."""
    return {int(n): json.loads(about) for n, about in part.pairs("batches", queue).items()}


class _Batch:
    """Of a producer. ``rows`` are those of the jobs, as they are in no queue yet."""

    def __init__(
        self, part: Batches, jobs: Sequence[NewJob], rows: Sequence[list[Any]], plan: Plan
    ) -> None:
        self._part, self._jobs, self._plan = part, jobs, plan
        whose = {
            "host": os.uname().nodename,
            "pid": os.getpid(),
            "boot_id": machine.boot_id(),
            "space": machine.process_space(),
        }
        arg = {
            "jobs": len(jobs),
            "most": part.max_pending,
            "whose": whose,
            "serializer": part.serializer,
        }
        self._number, self._first = part.run("batch_begin", arg)
        self._rows = tied(rows, plan, self._first)

    def enqueue(self) -> list[Enqueued]:
        part, number = self._part, self._number
        try:
            for start in range(0, len(self._rows), PORTION):
                self._add(start)
            arg = {"batch": number, "whole": True}
            found, _ = part.run("batch_end", arg, durable=True)
        except BaseException:
            with suppress(StorageError):  # else a janitor does it
                part.take_away(number)
            raise
        states = _states(found)
        with suppress(StorageError):  # they are in: a janitor lets them go
            states |= part.let_go(number, forget=True)
        return self._told(states)

    def _add(self, start: int) -> None:
        end = start + PORTION
        arg = {
            "batch": self._number,
            "jobs": self._rows[start:end],
            "handlers": [
                (self._first + place, text)
                for place, text in self._plan.handlers.items()
                if start <= place < end
            ],
        }
        self._part.run("batch_add", arg, *(job.payload for job in self._jobs[start:end]))

    def _told(self, states: dict[int, State]) -> list[Enqueued]:
        seqs = range(self._first, self._first + len(self._jobs))
        # A janitor may have let some go.
        others = [seq for seq in seqs if seq not in states]
        rows = fetch(self._part, self._part.queue, others, texts=False) if others else []
        states |= {row.seq: State(row["state"]) for row in rows}
        return [
            Enqueued(seq, job.id, states.get(seq, State.PENDING))
            for seq, job in zip(seqs, self._jobs, strict=True)
        ]


def tied(rows: Sequence[list[Any]], plan: Plan, first: int) -> list[list[Any]]:
    """Rows with their numbers, from ``first`` on, and the edges of a plan: see births.lua, join."""
    found = [[first + place, *row[1:]] for place, row in enumerate(rows)]
    parents = {edge.parent for edge in plan.edges}
    for place in parents.union(edge.child for edge in plan.edges):
        row = found[place]  # a short one, it may be
        row += row_values(DEFAULTS[len(row) :])
    waits = Counter(edge.child for edge in plan.edges)
    for edge in plan.edges:
        if edge.parent in parents:
            parents.remove(edge.parent)
            row = found[edge.parent]
            row[PLACES["next"]] = first + edge.child
            row[PLACES["slot"]] = False if edge.slot is None else edge.slot
        else:
            found[edge.child][PLACES["source"]] = first + edge.parent
    for place, number in waits.items():
        row = found[place]
        row[PLACES["inputs"]] = row[PLACES["waits"]] = number
        row[PLACES["delay"]] = plan.delays.get(place, 0)
        row[PLACES["expires_in"]] = plan.expiries.get(place) or row[PLACES["expires_in"]]
    return found


def _states(found: Sequence[Sequence[Any]]) -> dict[int, State]:
    return {seq: State(state.decode()) for seq, state in found}
