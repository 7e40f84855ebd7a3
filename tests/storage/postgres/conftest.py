from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from hueycore.storage.postgres import PostgresStorage
from tests.storage.sqlite.faults.rig import Crew

Open = Callable[..., PostgresStorage]
Connect = Callable[..., psycopg.Connection[Any]]


@pytest.fixture
def open_(postgres: str, postgres_schema: str) -> Iterator[Open]:
    """Opens queues in one schema."""
    opened: list[PostgresStorage] = []

    def open_one(queue: str = "huey", **options: Any) -> PostgresStorage:
        options = {"dsn": postgres, "schema": postgres_schema, **options}
        opened.append(PostgresStorage(queue=queue, **options))
        return opened[-1]

    yield open_one
    for storage in opened:
        storage.close()


@pytest.fixture
def storage(open_: Open) -> PostgresStorage:
    return open_()


@pytest.fixture
def connect(storage: PostgresStorage, postgres: str) -> Iterator[Connect]:
    """The application's own connections, and a table of its own."""
    opened: list[psycopg.Connection[Any]] = []

    def open_one(**options: Any) -> psycopg.Connection[Any]:
        opened.append(psycopg.connect(postgres, **options))
        opened[-1].execute(f"set search_path to {storage.db.schema}".encode())
        opened[-1].commit()
        return opened[-1]

    with closing(open_one(autocommit=True)) as con:
        con.execute("create table account (name text, euros int)")
    yield open_one
    for connection in opened:
        connection.close()


@pytest.fixture
def crew() -> Iterator[Crew]:
    found = Crew(Path(__file__).with_name("crew.py"))
    yield found
    found.dismiss()
