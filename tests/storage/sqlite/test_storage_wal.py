"""The write-ahead log: who folds it in, who keeps it from being folded, what a reader sees."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable

import pytest

from hueycore.exceptions import ConfigurationError
from hueycore.model.jobs import Selector
from hueycore.storage.sqlite import SqliteStorage, examine
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
