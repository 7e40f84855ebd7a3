from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hueycore.storage.sqlite import SqliteStorage
from tests.storage.conftest import Maker
from tests.storage.engines import ENGINES, Engine


@pytest.fixture(params=["sqlite", "memory"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """SQLite on a file and in memory, no other engine."""
    return ENGINES[request.param]


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Where a file can be, whatever engine was asked for."""
    return str(tmp_path / "queue.db")


@pytest.fixture
def make_file(tmp_path: Path) -> Iterator[Maker]:
    """As ``make``, on a file only."""
    with closing(Maker(ENGINES["sqlite"], tmp_path)) as maker:
        yield maker


@pytest.fixture
def file(make_file: Maker) -> SqliteStorage:
    """A queue in a file."""
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
