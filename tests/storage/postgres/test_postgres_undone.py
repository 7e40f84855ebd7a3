"""What a crash of the server undoes, and what it must not: its workers live on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from hueycore.model.limits import Limit
from hueycore.model.states import State
from hueycore.storage.postgres import PostgresStorage
from tests.helpers import wait_until
from tests.servers import Server
from tests.storage.kit import born, end, new, one, state, take, worker


@pytest.fixture
def server(postgres_server: Server) -> Server:
    """What does not wait for the disk is not there for long, and would be lost for sure."""
    postgres_server.set("wal_writer_delay = 10s\n")
    postgres_server.restart()
    return postgres_server


@pytest.fixture
def storages(server: Server) -> Iterator[tuple[PostgresStorage, PostgresStorage]]:
    with closing(PostgresStorage(server.dsn)) as one_, closing(PostgresStorage(server.dsn)) as two:
        yield one_, two


def crash(server: Server, *storages: PostgresStorage) -> None:
    """All are back afterwards."""
    before = [storage.alive.session()._connection for storage in storages]
    server.kill()
    server.start()
    for storage, old in zip(storages, before, strict=True):
        session = storage.alive.session()
        wait_until(lambda: session._connection not in (None, old), 20)  # noqa: B023


def test_a_limit_of_one_stays_one_after_a_crash_of_the_server(
    server: Server, storages: tuple[PostgresStorage, PostgresStorage]
) -> None:
    """A claim that nothing limits is undone, and its job runs again."""
    storage, other = storages
    storage.declare_limits([Limit("task", "k", 1)])
    _, second, free = storage.enqueue([new(key_name="k"), new(key_name="k"), new()])
    mine, theirs = worker(storage), worker(other)
    claim, undone = one(storage, mine), one(storage, mine)

    crash(server, storage, other)

    assert [found.seq for found in take(other, theirs, 8)] == [free.seq] == [undone.seq]
    assert end(storage, mine, undone).lost, "it runs elsewhere"
    assert end(storage, mine, claim).lost == []
    assert [found.seq for found in take(other, theirs, 8)] == [second.seq]


def test_a_lock_is_held_and_free_after_a_crash_as_before(
    server: Server, storages: tuple[PostgresStorage, PostgresStorage]
) -> None:
    storage, other = storages
    mine, theirs = worker(storage), worker(other)
    assert storage.lock("held", mine, b"mine") and storage.lock("freed", mine, b"mine")
    assert storage.unlock("freed", b"mine")

    crash(server, storage, other)

    assert not other.lock("held", theirs, b"theirs")
    assert other.lock("freed", theirs, b"theirs")


def test_a_worker_is_one_after_a_crash_as_before(
    server: Server, storages: tuple[PostgresStorage, PostgresStorage]
) -> None:
    storage, other = storages
    mine, theirs = worker(storage), worker(other)

    crash(server, storage, other)

    storage.verify()
    assert {row.id for row in storage.workers() if row.alive} == {mine, theirs}
    job = born(storage)
    end(storage, mine, one(storage, mine))
    assert state(storage, job) is State.DONE
    assert worker(other) not in (mine, theirs)
