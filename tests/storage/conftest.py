from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hueycore.storage.sqlite import SqliteStorage, sidefile
from tests.storage.engines import ENGINES, Factory, sqlite_file
from tests.storage.kit import give_back
from tests.storage.sqlite.invariants import violations

Maker = Callable[..., SqliteStorage]


@pytest.fixture(autouse=True)
def no_byte_stays_locked() -> Iterator[None]:
    """A worker that a test registered would live, and keep its side file open, as long as the
    suite: hundreds of descriptors, which other tests count."""
    before = set(sidefile._files)
    yield
    give_back(before)


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Factory:
    return ENGINES[request.param]


def _maker(factory: Factory, folder: Path) -> Iterator[Maker]:
    made: list[SqliteStorage] = []

    def make(queue: str = "huey", **options: object) -> SqliteStorage:
        made.append(factory(folder, queue, **options))
        return made[-1]

    yield make
    for storage in made:
        if not storage.db._closed:
            found: list[str] = []
            try:
                found = storage.db.read(violations, snapshot=True)
            finally:
                storage.close()
            assert not found, found


@pytest.fixture
def make(engine: Factory, tmp_path: Path) -> Iterator[Maker]:
    """Opens storages of one engine; whatever a test did, the rows must make sense at its end."""
    yield from _maker(engine, tmp_path)


@pytest.fixture
def storage(make: Maker) -> SqliteStorage:
    """A queue of each engine."""
    return make()


@pytest.fixture
def make_file(tmp_path: Path) -> Iterator[Maker]:
    """As ``make``, on the SQLite file engine only."""
    yield from _maker(sqlite_file, tmp_path)


@pytest.fixture
def file(make_file: Maker) -> SqliteStorage:
    """A queue in a SQLite file."""
    return make_file()


@pytest.fixture
def raw(path: str) -> Iterator[Callable[[], sqlite3.Connection]]:
    """Opens connections of somebody else to the file."""
    opened: list[sqlite3.Connection] = []

    def connect() -> sqlite3.Connection:
        opened.append(sqlite3.connect(path, isolation_level=None, timeout=0))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()
