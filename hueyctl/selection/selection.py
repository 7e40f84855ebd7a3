"""The jobs that are meant: a selector of the storage, and conditions on what lies inside a job."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from hueyctl import streams
from hueyctl.answers.payloads import decode_arguments
from hueyctl.output.counter import Counter
from hueyctl.units import grouped

if TYPE_CHECKING:
    from hueycore.model.jobs import Job, Selector
    from hueycore.model.states import State
    from hueycore.storage.base import Storage
    from hueyctl.context import Session
    from hueyctl.selection.filters import Deep
    from hueyctl.selection.order import Order

#: Jobs that are read at once, and those whose arguments are.
_PAGE, _GROUP = 2000, 100
#: Jobs whose arguments a command looks at unless it is told to look at all: some seconds.
LOOKED_AT = 50_000
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
    #: Jobs whose arguments are looked at; None for all.
    most: int | None = None
    looked_at: int = 0
    #: There are more that would have to be looked at.
    unfinished: bool = False
    _last: int = 0

    def jobs(self, storage: Storage, session: Session | None = None) -> Iterator[Job]:
        """The jobs in order, read page by page where the order allows it. With a session a person
        who waits sees how many were looked at."""
        if self.impossible:
            return iter(())
        found = self._matching(storage, session) if self.deep else self._candidates(storage)
        if self.order is not None:
            found = iter(self.order.sorted(storage, found))
        return islice(found, self.limit)

    @property
    def is_of_live_jobs(self) -> bool:
        """Whether states were chosen, all of jobs that have not ended."""
        return bool(self.selector.states) and set(self.selector.states) <= set(_TURN)

    def of_state(self, state: State) -> Selection:
        """The same of jobs in another state."""
        return replace(
            self, selector=self.selector._replace(states=(state,)), undecodable=0, looked_at=0
        )

    def in_turn(self, storage: Storage, session: Session | None = None) -> list[Job]:
        """The jobs of a selection of live states, what runs first in front: those that run, the
        longest first, then each in the order in which it comes to run."""
        found: dict[tuple[str, int], Job] = {}
        turns = list(_TURN)
        # Read along a job's life: one that moves on meanwhile is found twice, and counts as what it
        # became; it is not missed.
        for state in sorted(self.selector.states, key=turns.index, reverse=True):
            part = self.of_state(state)
            part.selector = part.selector._replace(sort=_TURN[state])
            for job in part.jobs(storage, session):
                found.pop((job.queue, job.seq), None)
                found[job.queue, job.seq] = job
            self.undecodable += part.undecodable
            self.looked_at += part.looked_at
            self.unfinished |= part.unfinished
        return sorted(found.values(), key=lambda job: turns.index(job.state))[: self.limit]

    def _matching(self, storage: Storage, session: Session | None) -> Iterator[Job]:
        """Of the jobs of the selector those that meet the other conditions too."""
        total = partial(storage.count, self.selector)
        counter = None if session is None else Counter(session, total)
        candidates = iter(self._candidates(storage))
        try:
            while group := list(islice(candidates, _GROUP)):
                payloads = storage.payloads(group) if self.needs_payload else [None] * len(group)
                for job, payload in zip(group, payloads, strict=True):
                    if self.needs_payload and self.looked_at == self.most:
                        self.unfinished = True
                        return
                    self.looked_at, self._last = self.looked_at + 1, job.seq
                    if self.matches(job, payload):
                        if counter is not None:
                            counter.clear()
                        yield job
                if counter is not None:
                    counter.show(self.looked_at)
        finally:
            if counter is not None:
                counter.clear()

    def count(self, storage: Storage, session: Session | None = None) -> int:
        """How many match, whatever the limit."""
        if self.impossible:
            return 0
        if not self.deep:
            return storage.count(self.selector)
        self.limit = None
        return sum(1 for _ in self.jobs(storage, session))

    def _candidates(self, storage: Storage) -> Iterable[Job]:
        limit = None if self.order else self.limit
        if self.deep:  # one more than is looked at tells that there is more
            limit = self.most + 1 if self.most is not None and self.needs_payload else None
        if self.selector.sort not in ("seq", "-seq"):
            yield from storage.jobs(self.selector._replace(limit=limit))
            return
        selector = self.selector
        # Two queues may have one number: a page begins with the last one of the page before.
        known: set[tuple[str, int]] = set()
        while True:
            size = (_PAGE if limit is None else min(_PAGE, limit)) + len(known)
            page = storage.jobs(selector._replace(limit=size))
            fresh = [job for job in page if (job.queue, job.seq) not in known]
            yield from fresh
            if len(page) < size:
                return
            last = page[-1].seq
            known = {(job.queue, job.seq) for job in page if job.seq == last}
            selector = (
                selector._replace(after=last - 1)
                if selector.sort == "seq"
                else selector._replace(before=last + 1)
            )
            if limit is not None:
                limit -= len(fresh)
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

    def say_left_out(self) -> None:
        """What could not be decoded, or was not looked at, is left out: that must not go unseen."""
        if self.undecodable:
            streams.say(f"hueyctl: {self.undecodable} jobs left out: their arguments are opaque")
        if self.unfinished:
            streams.say(
                f"hueyctl: looked at the arguments of {grouped(self.looked_at)} jobs and no more; "
                f"{self._how_to_go_on()}, or -n 0 for all"
            )

    def _how_to_go_on(self) -> str:
        by_number = self.order is None and self.selector.sort in ("seq", "-seq")
        if not by_number or not self._last:  # several states in turn have no last one
            return "narrow it by a column, or --sort seq tells where to go on"
        after = ">" if self.selector.sort == "seq" else "<"
        return f"go on with --where 'seq {after} {self._last}'"
