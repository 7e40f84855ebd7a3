"""The write-ahead log: who folds it in, who keeps it from being folded, what a reader sees."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable

import pytest

from hueycore.exceptions import ConfigurationError
from hueycore.model.jobs import Selector
from hueycore.storage.sqlite import SqliteStorage, database, dial, examine
from tests.storage.conftest import Maker
from tests.storage.kit import born, new, take, worker


def log_size(storage: SqliteStorage) -> int:
    return storage.size()[1]


def test_a_checkpoint_folds_a_large_log_into_the_file(
    make_file: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examine, "WAL_LIMIT", 100_000)
    storage = make_file()
    storage.enqueue([new(payload=b"x" * 1000) for _ in range(200)])
    assert log_size(storage) > 100_000

    storage.checkpoint()

    assert log_size(storage) == 0
    assert storage.count(Selector()) == 200


def test_a_checkpoint_does_not_wait_long_for_a_reader(
    make_file: Maker, monkeypatch: pytest.MonkeyPatch, raw: Callable[[], sqlite3.Connection]
) -> None:
    monkeypatch.setattr(examine, "WAL_LIMIT", 0)
    storage = make_file()
    born(storage)
    reader = raw()
    reader.execute("begin")
    reader.execute("select count(*) from huey_job").fetchall()
    storage.enqueue([new() for _ in range(50)])
    begun = time.monotonic()

    storage.checkpoint()

    assert time.monotonic() - begun < 2
    assert log_size(storage) > 0
    assert born(storage).fresh
    reader.execute("rollback")
    storage.checkpoint()
    assert log_size(storage) == 0


def test_who_consumes_checkpoints_only_when_told_so(make_file: Maker) -> None:
    """Also after its connection was replaced, by an I/O error or a fork."""
    storage = make_file()
    assert autocheckpoint(storage) == 10_000

    storage.leave_checkpoints_to_janitor()

    assert autocheckpoint(storage) == 0
    with storage.db._lock:
        storage.db._discard("_write")
    assert autocheckpoint(storage) == 0
    storage.enqueue([new(payload=b"x" * 4000) for _ in range(100)])
    storage.checkpoint()


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> int:
    """How many pages of a log are short, in bytes."""
    monkeypatch.setattr(database, "SHORT_LOG", 30)
    monkeypatch.setattr(database, "OFTEN", 2)
    return 30 * 4096


def fill(storage: SqliteStorage) -> None:
    for _ in range(100):
        storage.enqueue([new()])


def test_who_produces_keeps_the_log_short_where_no_consumer_lives(
    make_file: Maker, short: int
) -> None:
    storage = make_file()

    fill(storage)

    assert log_size(storage) < 2 * short
    assert storage.count(Selector()) == 100


def test_who_produces_leaves_the_log_to_a_consumer_that_lives(make_file: Maker, short: int) -> None:
    storage = make_file()
    number = worker(make_file())

    fill(storage)
    assert log_size(storage) > 4 * short

    storage.unregister(number)
    fill(storage)
    before = log_size(storage)
    fill(storage)
    assert log_size(storage) == before


def test_a_log_that_a_reader_needs_is_not_shortened_at_every_commit(
    make_file: Maker,
    short: int,
    raw: Callable[[], sqlite3.Connection],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tries: list[str] = []

    class Watching(dial.Connection):
        def execute(self, sql: str, *args: object) -> sqlite3.Cursor:
            if "wal_checkpoint" in sql:
                tries.append(sql)
            return super().execute(sql, *args)

    monkeypatch.setattr(dial, "connection_class", Watching)
    storage = make_file()
    reader = raw()
    reader.execute("begin")
    reader.execute("select count(*) from huey_job").fetchall()

    fill(storage)

    assert log_size(storage) > 4 * short
    assert 0 < len(tries) <= log_size(storage) / short
    reader.execute("rollback")


def autocheckpoint(storage: SqliteStorage) -> int:
    return storage.db.transact(
        lambda con: int(con.execute("pragma wal_autocheckpoint").fetchone()[0])
    )


def test_a_closed_file_is_all_there_is(make_file: Maker, path: str) -> None:
    """Somebody may copy it."""
    storage = make_file()
    storage.enqueue([new() for _ in range(10)])
    take(storage, worker(storage))

    storage.unregister(1)
    storage.close()

    assert not os.path.exists(path + "-wal")
    assert make_file().count(Selector()) == 10


def test_looking_holds_no_transaction_open(make_file: Maker, path: str) -> None:
    storage = make_file()
    storage.enqueue([new() for _ in range(50)])
    storage.jobs(Selector(limit=5)), storage.depths(), storage.job("1")
    with pytest.raises(ConfigurationError):
        storage.jobs(Selector(sort="x"))

    other = sqlite3.connect(path, isolation_level=None, timeout=0)
    busy, _, _ = other.execute("pragma wal_checkpoint(truncate)").fetchone()
    other.close()

    assert busy == 0


def test_only_a_snapshot_does_not_change_while_it_is_read(make_file: Maker) -> None:
    reader, writer = make_file(), make_file()
    writer.enqueue([new()])

    def body(con: sqlite3.Connection) -> list[int]:
        counts = []
        for _ in range(3):
            counts.append(con.execute("select count(*) from huey_job").fetchone()[0])
            writer.enqueue([new()])
        return counts

    assert reader.db.read(body, snapshot=True) == [1, 1, 1]
    assert reader.count(Selector()) == 4
    assert reader.db.read(body) == [4, 5, 6]


def test_the_size_is_that_of_the_file_and_its_log(make_file: Maker, path: str) -> None:
    storage = make_file()
    storage.enqueue([new(payload=b"x" * 100_000)])

    size, log = storage.size()

    assert size == os.stat(path).st_size
    assert log == os.stat(path + "-wal").st_size > 100_000
