"""Consumers that are struck while they work: who begins them again, and the strikes in turn."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from hueycore.model.states import State
from hueycore.tasks.task import Task
from tests.crash.crashkit import ConsumerProcess, Ledger, Place
from tests.helpers import wait_until

#: A server that is up for less than 15 s calls nobody dead.
PATIENCE = 60.0
WAITING = State.PENDING, State.SCHEDULED, State.BLOCKED, State.RUNNING


class Member:
    """A consumer, and the next one when it has ended, as a service manager has it."""

    def __init__(self, site: Site, name: str, *, under: Sequence[str] = ()) -> None:
        self.site, self.name, self._under = site, name, under
        self.begun = 0
        self.consumer = self.begin()

    def begin(self) -> ConsumerProcess:
        self.begun += 1
        name = f"{self.name}.{self.begun}"
        return self.site.consumer("-q", "--name", name, under=self._under)

    def numbers(self) -> set[int | None]:
        name = f"{self.name}.{self.begun}"
        return {row.id for row in self.site.workers() if row.name.split("/")[0] == name}

    def tend(self) -> None:
        """One that a job has killed, or that met no server, is started again."""
        if self.consumer.ended:
            if self.consumer.wait() != -signal.SIGKILL:
                assert self.site.no_server in self.consumer.text()
                self.site.met_nobody += 1
            self.consumer = self.begin()

    def wait_at_work(self) -> None:
        def there() -> bool:
            self.tend()
            return bool(self.numbers())

        wait_until(there, PATIENCE, f"a worker of {self.name}")

    def kill(self) -> None:
        """kill -9, which another consumer follows. What had been claimed may run twice."""
        self.wait_at_work()
        self.consumer.stop_and_hold()
        self.site.ledger.note_kill(self.numbers())
        self.consumer.kill()
        self.consumer = self.begin()


class Site(Place):
    """The consumers, and the four sets of their jobs. ``no_server``: what a consumer says that
    ends because there is none. ``longest``: the seconds that a job may take."""

    def __init__(
        self,
        folder: Path,
        path: str,
        chance: random.Random,
        *,
        no_server: str,
        longest: float = 0.01,
    ) -> None:
        super().__init__(folder, path)
        self.chance, self.no_server, self.longest = chance, no_server, longest
        self.ledger = Ledger(self)
        self.enqueued = self.unanswered = self.met_nobody = 0
        self.members: list[Member] = []

    def enqueue(self, tasks: Sequence[Task]) -> None:
        self.unanswered += self.ledger.enqueue_in_the_end(tasks, PATIENCE)
        self.enqueued += len(tasks)

    def some(self, number: int) -> Iterator[Task]:
        for n in range(self.enqueued, self.enqueued + number):
            seconds = self.chance.random() * self.longest
            yield self.app.work.s(seconds) if n % 2 else self.app.plain.s(f"{n}", seconds)

    def play(self, strikes: list[Callable[[], None]], jobs: int, enough: int) -> None:
        """Strike in any order, each time when of the jobs that come before so many have ended;
        then wait until all is done."""
        self.chance.shuffle(strikes)
        for strike in strikes:
            self.enqueue([*self.some(jobs // len(strikes) + 1)])
            ended = len(self.ran()) + enough
            self.wait(lambda: len(self.ran()) >= ended, "some ended")  # noqa: B023
            strike()
        self.wait(lambda: not self.waiting(), "all done")
        assert self.enqueued >= jobs
        assert self.ledger.in_flight, "no strike met a run: this proved nothing"

    def wait(self, predicate: Callable[[], bool], what: str) -> None:
        def there() -> bool:
            for member in self.members:
                member.tend()
            return predicate()

        try:
            wait_until(there, PATIENCE, what)
        except AssertionError:
            for job in self.jobs(*WAITING):
                print(job.seq, job.state, job.worker, job.claim, job.claimed_at)
            print(*self.workers(), sep="\n")
            raise

    def waiting(self) -> int:
        return len(self.jobs(*WAITING))

    def check(self) -> str:
        """Nothing is lost, and only what a strike met has begun more than once; the figures."""
        self.ledger.check()
        begun, ended = self.ran("start"), self.ran("end")
        assert {key for key in begun if begun[key] > 1} <= self.ledger.in_flight
        twice = sum(times > 1 for times in ended.values())
        return (
            f"{len(self.ledger.acked)} jobs acknowledged and ended, {self.unanswered} calls and "
            f"{self.met_nobody} starts tried again, {len(self.ledger.in_flight)} jobs in flight at "
            f"a strike, {twice} ended twice"
        )
