"""Consumers are woken by a notification after the commit, and look by themselves without one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from hueycore.model.endings import Ending, Retry, Snoozed
from hueycore.storage.postgres import PostgresStorage, wake
from hueycore.storage.postgres.database import channel
from tests.helpers import stays_true, wait_until
from tests.storage.kit import FAILURE, born, end, new, one, worker
from tests.storage.postgres.conftest import Connect, Open
from tests.storage.postgres.trace import traced
from tests.storage.sqlite.faults.rig import Crew, Member


def listen(crew: Crew, storage: PostgresStorage, rounds: int = 1) -> Member:
    member = crew.start("wait", storage.db.dsn, storage.db.schema, rounds)
    assert member.hear() == "ready"
    return member


def test_a_job_wakes_a_consumer_of_another_process(crew: Crew, storage: PostgresStorage) -> None:
    member = listen(crew, storage)
    before = time.time()

    born(storage)

    heard, at = member.hear()
    assert heard and at - before < 0.5


def test_news_before_the_first_wait_are_heard(storage: PostgresStorage) -> None:
    born(storage)

    assert storage.wait(0.1)
    assert not storage.wait(0.05)


def test_another_queue_and_another_schema_ring_other_bells(
    open_: Open, storage: PostgresStorage
) -> None:
    other = open_("other")
    storage.wait(0)

    born(other)

    assert not storage.wait(0.1)
    assert channel(storage.db.identity, "huey") != channel("another", "huey")


def test_a_nudge_ends_the_wait_of_this_process_alone(open_: Open, storage: PostgresStorage) -> None:
    other = open_()
    other.wait(0)
    storage.wait(0)
    timer = threading.Timer(0.05, storage.nudge)
    timer.start()

    assert storage.wait(5)
    assert not other.wait(0.05)
    timer.join()


@pytest.mark.parametrize(
    "ending",
    [lambda at: Retry(at, 1, 0.0, FAILURE), lambda at: Snoozed(at)],
    ids=["retry", "snoozed"],
)
@pytest.mark.parametrize(("seconds", "told"), [(0.3, True), (60.0, False)])
def test_who_schedules_in_another_process_is_told_of_a_job_that_comes_back_soon(
    open_: Open, ending: Callable[[float], Ending], seconds: float, told: bool
) -> None:
    storage, other = open_(), open_()
    born(storage)
    number = worker(storage)
    claim = one(storage, number)
    other.wait(0.0)
    wait_until(lambda: not other.wait(0.2))
    before = other.alive.bell.rings

    end(storage, number, claim, ending(time.time() + seconds))

    if told:
        wait_until(lambda: other.alive.bell.rings > before)
    else:
        assert stays_true(lambda: other.alive.bell.rings == before, 0.3)


def test_a_consumer_looks_by_itself_though_nobody_rings(storage: PostgresStorage) -> None:
    storage.wait(0)
    began = time.monotonic()

    assert storage.wait(60), "there may be news"

    assert wake.LOOK <= time.monotonic() - began < 5


def test_a_wait_while_the_server_is_away_is_a_pause_and_its_end_is_news(
    storage: PostgresStorage, monkeypatch: pytest.MonkeyPatch, connect: Connect
) -> None:
    worker(storage)
    storage.wait(0)
    session = storage.alive.session()
    assert session._connection is not None
    pid = session._connection.info.backend_pid

    def refuse() -> psycopg.Connection[tuple[object, ...]]:
        raise psycopg.OperationalError("no")

    with monkeypatch.context() as patch:
        patch.setattr(storage.db, "connect", refuse)
        connect(autocommit=True).execute("select pg_terminate_backend(%s)", (pid,))
        wait_until(lambda: session._connection is None)
        storage.wait(0)
        assert not storage.wait(0.05)

    assert storage.wait(1.0), "some may have been missed"
    born(storage)
    assert storage.wait(1.0)


def test_a_bell_is_never_an_error(storage: PostgresStorage) -> None:
    born(storage)
    storage.db.close()

    storage.ring()


@pytest.mark.parametrize("jobs", [1, 2])
def test_who_enqueues_is_not_notifying_while_it_waits_for_the_disk(
    storage: PostgresStorage, tmp_path: Path, jobs: int
) -> None:
    """A transaction that has a NOTIFY in it holds a lock of the whole server while it commits."""
    born(storage)

    with traced(storage.db._write.connection, tmp_path) as seen:
        storage.enqueue([new() for _ in range(jobs)])

    committed = ["SELECT 1"] if jobs == 1 else ["COMMIT", "SELECT 1"]
    assert seen.synced[-1][-2:] == committed, "the job was committed before"


def test_the_version_moves_with_every_commit_of_anybody(
    storage: PostgresStorage, open_: Open, connect: Connect
) -> None:
    other = open_()
    seen = storage.version()
    assert storage.version() == seen

    born(other)
    after_job = storage.version()
    connect(autocommit=True).execute("insert into account values ('ann', 1)")

    assert len({seen, after_job, storage.version()}) == 3
