"""The jobs that are meant: a selector of the storage, and conditions on what lies inside a job."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from hueyctl import streams
from hueyctl.answers.payloads import decode_arguments

if TYPE_CHECKING:
    from hueycore.model.jobs import Job, Selector
    from hueycore.model.states import State
    from hueycore.storage.base import Storage
    from hueyctl.selection.filters import Deep
    from hueyctl.selection.order import Order

Row = TypeVar("Row")

#: Jobs that are read at once.
_PAGE = 2000
#: Live states in the order in which their jobs come to run, each with its own order.
_TURN = {
    "running": "claimed_at",
    "pending": "running-order",
    "blocked": "seq",
    "scheduled": "run_at",
}


@dataclass(slots=True)
class Selection:
    """A selector of the storage, and the conditions that only we can check."""

    selector: Selector
    deep: tuple[Deep, ...] = ()
    limit: int | None = None
    #: An order that the storage does not know.
    order: Order | None = None
    #: ``-`` was given and stdin held no id.
    impossible: bool = False
    undecodable: int = 0

    def jobs(self, storage: Storage) -> Iterator[Job]:
        """The jobs in order, read page by page where the order allows it."""

        def is_meant(job: Job) -> bool:
            payload = None
            if self.needs_payload:
                payload = storage.payload(job.seq, queue=job.queue)
            return self.matches(job, payload)

        found = self._candidates(storage)
        if self.order is not None:
            found = self.order.sorted(storage, found)
        return self.filtered(found, is_meant)

    @property
    def is_of_live_jobs(self) -> bool:
        """Whether states were chosen, all of jobs that have not ended."""
        return bool(self.selector.states) and set(self.selector.states) <= set(_TURN)

    def of_state(self, state: State) -> Selection:
        """The same of jobs in another state."""
        return replace(self, selector=self.selector._replace(states=(state,)), undecodable=0)

    def in_turn(self, storage: Storage) -> list[Job]:
        """The jobs of a selection of live states, what runs first in front: those that run, the
        longest first, then each in the order in which it comes to run."""
        found: dict[int, Job] = {}
        turns = list(_TURN)
        # Read along a job's life: one that moves on meanwhile is found twice, and counts as what it
        # became; it is not missed.
        for state in sorted(self.selector.states, key=turns.index, reverse=True):
            part = self.of_state(state)
            part.selector = part.selector._replace(sort=_TURN[state])
            for job in part.jobs(storage):
                found.pop(job.seq, None)
                found[job.seq] = job
            self.undecodable += part.undecodable
        return sorted(found.values(), key=lambda job: turns.index(job.state))[: self.limit]

    def filtered(self, rows: Iterable[Row], is_meant: Callable[[Row], bool]) -> Iterator[Row]:
        """Of what the selector found those that meet the other conditions too, up to the limit."""
        if self.impossible:
            return iter(())
        return islice((row for row in rows if not self.deep or is_meant(row)), self.limit)

    def count(self, storage: Storage) -> int:
        """How many match, whatever the limit."""
        if self.impossible:
            return 0
        if not self.deep:
            return storage.count(self.selector)
        unlimited = replace(self, limit=None)
        total = sum(1 for _ in unlimited.jobs(storage))
        self.undecodable = unlimited.undecodable
        return total

    def _candidates(self, storage: Storage) -> Iterable[Job]:
        limit = None if self.deep or self.order else self.limit
        if self.selector.sort not in ("seq", "-seq"):
            yield from storage.jobs(self.selector._replace(limit=limit))
            return
        selector = self.selector
        while True:
            size = _PAGE if limit is None else min(_PAGE, limit)
            page = storage.jobs(selector._replace(limit=size))
            yield from page
            if len(page) < size:
                return
            last = page[-1].seq
            selector = (
                selector._replace(after=last)
                if selector.sort == "seq"
                else selector._replace(before=last)
            )
            if limit is not None:
                limit -= len(page)
                if limit == 0:
                    return

    @property
    def needs_payload(self) -> bool:
        return any(condition.needs_payload for condition in self.deep)

    def matches(self, job: Job, payload: bytes | None) -> bool:
        """Whether a job that the selector found meets the deep conditions as well."""
        arguments = None
        if self.needs_payload:
            arguments = decode_arguments(payload)
            if arguments is None:
                self.undecodable += 1
                return False
        return all(condition.matches(job, arguments) for condition in self.deep)

    def say_undecodable(self) -> None:
        """What could not be decoded is left out, and that must not go unseen."""
        if self.undecodable:
            streams.say(f"hueyctl: {self.undecodable} jobs left out: their arguments are opaque")
