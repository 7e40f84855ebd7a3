"""What must be true of every queue in PostgreSQL at every moment."""

from __future__ import annotations

from typing import Any

import psycopg

from hueycore.storage.open import locate_dsn
from tests.storage.sql.invariants import broken


def check_invariants(url: str) -> None:
    """AssertionError with every violation in the schema that a URL names."""
    location = locate_dsn(url)
    with psycopg.connect(location.dsn) as con:
        con.execute("set transaction isolation level repeatable read, read only")
        con.execute(f'set local search_path to "{location.schema}"'.encode())
        if con.execute("select to_regclass('huey_job')").fetchone() == (None,):
            return

        def query(statement: str) -> list[Any]:
            return con.execute(statement.encode()).fetchall()

        found = broken(query)
    assert not found, f"{location.name}:\n" + "\n".join(found)
