"""Two containers on one volume: each consumer is alone in a PID namespace of its own, so that
process numbers say nothing about who is alive."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from hueycore.model.reports import WorkerRow
from tests.crash.crashkit import DEADLINE, ConsumerProcess, Place, own_namespace
from tests.helpers import stays_true, wait_until

#: Longer than the janitor's round.
ROUNDS = 2.5


class Container:
    """A consumer in a namespace of its own."""

    def __init__(self, place: Place, name: str, *options: str, workers: int = 2) -> None:
        self.place = place
        self.name = name
        self.workers = workers
        self.process: ConsumerProcess = place.consumer(
            "--name", name, *options, workers=workers, under=own_namespace()
        )

    def rows(self) -> list[WorkerRow]:
        rows = [row for row in self.place.workers() if row.name.partition("/")[0] == self.name]
        return [row for row in rows if row.slots and row.alive]

    def wait_at_work(self) -> None:
        def there() -> bool:
            assert not self.process.ended, self.process.text()
            return sum(row.slots for row in self.rows()) == self.workers

        wait_until(there, DEADLINE, "a consumer in its namespace")

    @property
    def first(self) -> int:
        """The number of its process 1, as seen from here."""
        return _children(self.process.pid)[0]

    @property
    def consumer(self) -> int:
        """The number of its consumer, which process 1 watches."""
        return _children(self.first)[0]


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.feature("several consumers")
@pytest.mark.parametrize("kind", ["thread", "process"])
def test_consumers_in_two_pid_namespaces_see_each_other_live_and_die(
    place: Place, kind: str, engine_name: str
) -> None:
    one = Container(place, "one", "-k", kind)
    jobs = [place.app.gated(place.gate()) for _ in range(2)]
    place.wait_for_runs(2)
    two = Container(place, "two", "-k", kind, workers=4)
    two.wait_at_work()
    calm = [place.app.gated(place.gate()) for _ in range(2)]
    place.wait_for_runs(4)
    # Both have the same process numbers, at least some, and we see both alive.
    assert {row.pid for row in one.rows()} & {row.pid for row in two.rows()}
    if kind == "thread":
        assert {line.pid for line in place.lines()} == {2}

    # Nobody is taken for dead, also when one of them does nothing at all for a while.
    for pid in (one.first, one.consumer):
        os.kill(pid, signal.SIGSTOP)
    assert stays_true(lambda: sum(place.ran("start").values()) == 4, ROUNDS)
    for pid in (one.first, one.consumer):
        os.kill(pid, signal.SIGCONT)

    seconds = 2.0
    if engine_name != "sqlite":
        from hueycore.storage.postgres.alive import MISSING
        from tests.storage.postgres.lab import wait_until_deaths_count

        wait_until_deaths_count(place.path)
        seconds += MISSING
    os.kill(one.first, signal.SIGKILL)  # and with process 1 its whole namespace
    killed = time.monotonic()
    place.wait_for_runs(6)
    assert time.monotonic() - killed < seconds

    place.open_gate()
    wait_until(lambda: place.states() == {"done": 4}, DEADLINE)
    assert [place.job(job.id).crashes for job in jobs if job] == [1, 1]
    assert [place.job(job.id).crashes for job in calm if job] == [0, 0]
    os.kill(two.first, signal.SIGTERM)
    assert two.process.wait() == 0
    assert place.workers() == []
    place.check_rows()


@pytest.mark.sqlite_only("the system says which process has a lock in a file")
def test_the_memory_of_a_consumer_is_told_where_its_process_is_in_sight(place: Place) -> None:
    """By the number that it has here; in a namespace from which it cannot be seen, nobody's."""
    box, other = Container(place, "box"), Container(place, "other")
    for each in (box, other):
        each.wait_at_work()
    look = ("-m", "hueyctl", "-u", place.path, "workers", "--json")
    outside, inside = place.process(*look), place.process(*look, under=own_namespace())
    assert (outside.wait(), inside.wait()) == (0, 0)

    seen = [json.loads(said.text()) for said in (outside, inside)]
    assert [{(row["pid"], row["state"]) for row in rows} for rows in seen] == [{(2, "idle")}] * 2
    pages = os.sysconf("SC_PAGE_SIZE")
    for row, each in zip(seen[0], (box, other), strict=True):
        resident = int(Path(f"/proc/{each.consumer}/statm").read_text().split()[1]) * pages
        assert abs(row["rss_bytes"] - resident) < 10_000_000
        assert row["rss_bytes"] > 15_000_000
    assert [row["rss_bytes"] for row in seen[1]] == [None, None]
