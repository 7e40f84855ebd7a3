"""A soak of each kind of workers: random kills -9 under a mixed load, then calm.

``HUEYCTL_SOAK=30 make test T=tests/crash/test_crash_soak.py`` storms for 30 seconds each.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from hueycore.model.states import State
from hueycore.storage.sqlite.dial import WAL_LIMIT
from hueycore.tasks.task import Task
from tests.crash.crashkit import DEADLINE, ConsumerProcess, Ledger, Place
from tests.crash.soakapp import Tasks
from tests.crash.table import KINDS
from tests.crash.tablekit import is_gone, processes_of, state_of
from tests.helpers import wait_until

#: Seconds of the storm; the calm takes a third of them.
SECONDS = float(os.environ.get("HUEYCTL_SOAK", "2"))
WORKERS = 4
#: So many jobs are enqueued at once, and no more while so many wait.
BATCH, ENOUGH = 25, 150


class Soak(Place):
    def __init__(self, folder: Path, kind: str, chance: random.Random) -> None:
        super().__init__(folder, folder / "queue.db")
        self.kind, self.chance = kind, chance
        self.tasks = Tasks(self.huey, str(self.log))
        self.ledger = Ledger(self)
        self.failing: set[str] = set()
        self.kills = 0

    def begin(self) -> ConsumerProcess:
        command = ("-m", "hueyctl", "consume", "tests.crash.soakapp:huey", "-k", self.kind)
        return self.process(*command, "-w", str(WORKERS), "-q", "-n")

    def enqueue(self) -> None:
        jobs = list(self.load())
        self.ledger.enqueue(jobs)
        self.failing |= {job.id for job in jobs if job.name == "never"}

    def load(self) -> Iterator[Task]:
        """Done, late, async, slow, retried, failed."""
        tasks, chance = self.tasks, self.chance
        for number in range(BATCH):
            match number % 8:
                case 0 | 1:
                    yield tasks.work.s()
                case 2:
                    yield tasks.work.s(delay=chance.random() / 5)
                case 3 | 4:
                    yield tasks.awork.s(chance.random() / 100)
                case 5:
                    yield tasks.work.s(chance.random() / 10)
                case 6:
                    yield tasks.at_last.s()
                case 7:
                    yield tasks.never.s()

    def waiting(self) -> int:
        return len(self.jobs(State.PENDING, State.SCHEDULED, State.RUNNING))

    # --- storm ----------------------------------------------------------------------------------

    def storm(self, seconds: float) -> ConsumerProcess:
        """The last one of the consumers."""
        consumer = self.begin()
        self.enqueue()
        self.wait_for_runs(BATCH // 2, "end")
        end = time.monotonic() + seconds
        strike_at = time.monotonic()
        while time.monotonic() < end:
            if self.waiting() < ENOUGH:
                self.enqueue()
            if time.monotonic() >= strike_at:
                consumer = self.strike(consumer)
                strike_at = time.monotonic() + self.chance.uniform(0.1, 1.2)
            time.sleep(0.01)
        return consumer

    def strike(self, consumer: ConsumerProcess) -> ConsumerProcess:
        """Kill, and begin again if there is nobody left."""
        self.kills += 1
        children = consumer.children() if self.kind == "process" else []
        how = self.chance.choice(
            ("worker", "worker", "supervisor", "all") if children else ("all",)
        )
        if how == "worker":
            self.kill([self.chance.choice(children).pid])
            return consumer
        if how == "supervisor":
            consumer.kill()  # its processes end their jobs and leave
        else:
            self.kill(processes_of(consumer.pid))
            consumer.wait()
        return self.begin()

    def kill(self, pids: list[int]) -> None:
        """These processes; what they have claimed at that moment may run twice."""
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: all(state_of(pid) in "TZ" for pid in pids), DEADLINE, "all stopped")
        self.ledger.note_kill({row.id for row in self.workers() if row.pid in pids})
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: all(map(is_gone, pids)), DEADLINE, "all gone")

    # --- calm -----------------------------------------------------------------------------------

    def calm(self, consumer: ConsumerProcess, seconds: float) -> list[Footprint]:
        """What the consumer takes up each time when all is done, once every worker has had its
        share of everything."""
        if self.kind == "process":
            consumer.wait_children(WORKERS)
        for _ in range(ENOUGH // BATCH):
            self.enqueue()
        self.wait_done()
        found = []
        end = time.monotonic() + seconds
        while time.monotonic() < end or len(found) < 4:
            self.enqueue()
            self.wait_done()
            found.append(Footprint.of(consumer.pid, self.path))
        return found

    def wait_done(self) -> None:
        wait_until(lambda: not self.waiting(), DEADLINE, "all done")


class Footprint(NamedTuple):
    """``wal`` in bytes."""

    processes: int
    threads: int
    descriptors: int
    wal: int

    @classmethod
    def of(cls, group: int, path: str) -> Footprint:
        pids = processes_of(group)
        threads, descriptors = (
            sum(len(os.listdir(f"/proc/{pid}/{what}")) for pid in pids) for what in ("task", "fd")
        )
        return cls(len(pids), threads, descriptors, wal_of(path))

    def __str__(self) -> str:
        return f"{self.threads} threads, {self.descriptors} descriptors, {self.wal >> 10} KiB WAL"


def wal_of(path: str) -> int:
    return os.path.getsize(f"{path}-wal")


@pytest.mark.feature("crash", "worker kinds")
@pytest.mark.parametrize("kind", KINDS)
def test_a_soak_with_random_kills_loses_nothing_and_grows_nowhere(
    kind: str, tmp_path: Path, chance: random.Random, record_property: pytest.RecordProperty
) -> None:
    if kind == "greenlet":
        pytest.importorskip("gevent")
    soak = Soak(tmp_path, kind, chance)
    try:
        consumer = soak.storm(SECONDS)
        soak.wait_done()
        found = soak.calm(consumer, SECONDS / 3)

        soak.ledger.check(dead=soak.failing)
        half = len(found) // 2
        before = Footprint(*map(max, zip(*found[:half], strict=True)))
        after = Footprint(*map(max, zip(*found[half:], strict=True)))
        assert after.processes == before.processes
        assert after.threads <= before.threads
        assert after.descriptors <= before.descriptors
        # What it may grow to is the janitor's to say, which looks once a second.
        wait_until(lambda: wal_of(soak.path) <= WAL_LIMIT, DEADLINE, "a short WAL")
        consumer.signal(signal.SIGTERM)
        assert consumer.wait() == 0
        wait_until(lambda: soak.workers() == [], DEADLINE, "everybody gone")
        twice = sum(times > 1 for times in soak.ran("end").values())
        record_property(
            "soak",
            f"soak of {kind}: {SECONDS:g} s, {soak.kills} kills, {len(soak.ledger.acked)} jobs, "
            f"{len(soak.ledger.in_flight)} in flight at a kill, {twice} ended twice; "
            f"at rest {len(found)} times, at most {before}; then {after}",
        )
    finally:
        soak.close()
