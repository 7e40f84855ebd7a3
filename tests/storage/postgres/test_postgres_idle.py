"""A consumer that has nothing to do asks one question now and then, and misses nothing by it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hueycore import Huey, crontab
from hueycore.model.glance import Glance
from hueycore.model.states import State
from hueycore.storage.postgres import PostgresStorage
from tests import servers
from tests.helpers import consuming, stays_true, wait_until
from tests.storage.kit import born, new, row, state, worker
from tests.storage.postgres.conftest import Open

#: Seconds for which statements are counted, and how many of them a second is the goal.
COUNTED, GOAL = 4.0, 2


@pytest.fixture
def huey(storage: PostgresStorage) -> Iterator[Huey]:
    found = Huey("huey", url=storage.url)
    yield found
    found.close()


def silent(storage: PostgresStorage) -> PostgresStorage:
    """Its bell is heard by nobody: it rings in a room of its own."""
    storage.db._bell = storage.db._bell.replace("huey_", "nobody_")
    return storage


@pytest.fixture
def told(postgres_binaries: Path) -> Iterator[servers.Server]:
    """A server that writes down what it is told."""
    with servers.alone() as server:
        server.set("log_statement = all")
        server.restart()
        yield server


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("kind", ["thread", "process"])
def test_an_idle_consumer_makes_at_most_two_statements_a_second(
    told: servers.Server, kind: str, periodic: bool
) -> None:
    huey = Huey("huey", url=told.dsn)

    @huey.periodic_task(crontab(month="2", day="29", hour="3", minute="1"))
    def seldom() -> None: ...

    def statements() -> list[str]:
        return [line for line in told.lines() if re.search("LOG:  (statement|execute)", line)]

    def changes() -> int:
        return sum(bool(re.search("insert|update|delete", line)) for line in statements())

    def is_calm() -> bool:
        before = changes()
        return stays_true(lambda: changes() == before, 1.5)

    with consuming(huey, workers=4, worker_type=kind, periodic=periodic):
        rows = 5 if kind == "process" else 1
        wait_until(lambda: len(huey.storage.workers()) == rows)
        wait_until(is_calm)  # what its workers write at first is over
        before, began = len(statements()), time.monotonic()
        wait_until(lambda: time.monotonic() - began > COUNTED)
        found = statements()[before:]
        passed = time.monotonic() - began
    huey.close()

    assert 2 <= len(found) <= GOAL * passed, found


@pytest.mark.parametrize("kind", ["thread", "process"])
def test_an_idle_consumer_runs_a_job_of_which_it_was_not_told(
    huey: Huey, open_: Open, kind: str
) -> None:
    @huey.task()
    def task() -> None: ...

    other = silent(open_())
    with consuming(huey, workers=1, worker_type=kind):
        call = huey.serializer.serialize(((), {}))
        wait_until(lambda: other.workers())
        first, later = other.enqueue(
            [new(task.name, call), new(task.name, call, run_at=time.time() + 1.5)]
        )
        wait_until(lambda: state(other, first) is State.DONE)
        wait_until(lambda: state(other, later) is State.DONE)

    found = row(other, later)
    assert found.started_at is not None and found.started_at - found.run_at < 3


def test_a_glance_is_kept_until_something_happens(open_: Open, storage: PostgresStorage) -> None:
    silent(other := open_())
    worker(storage)
    assert not storage.glance().pending

    born(other)
    assert not storage.glance().pending, "nobody was told"
    storage.nudge()
    assert storage.glance().pending


@pytest.mark.parametrize("who", ["told", "own"])
def test_a_glance_sees_what_this_process_was_told_or_has_written(
    storage: PostgresStorage, open_: Open, who: str
) -> None:
    worker(storage)
    assert not storage.glance().pending

    born(storage if who == "own" else open_())

    wait_until(lambda: storage.glance().pending, 0.5)


def test_a_glance_tells_what_is_due(storage: PostgresStorage) -> None:
    soon = time.time() + 60
    born(storage, run_at=soon)
    late = born(storage, expires_at=time.time() + 0.01)
    wait_until(lambda: storage.db.now() > (row(storage, late).expires_at or 0))
    storage.nudge()

    glance = storage.glance()

    assert glance == Glance(True, True, False, pytest.approx(soon), float("inf"))
