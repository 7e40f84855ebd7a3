"""What must be true of every queue in PostgreSQL at every moment."""

from __future__ import annotations

from typing import Any

import psycopg

from hueycore.storage.open import locate_dsn
from tests.storage.sql.invariants import broken

#: Jobs from which on the planner must know that there are many. Else it takes tables that were just
#: filled for small ones, and looks through them once for each job.
MANY = 1000
ANALYZE = "analyze huey_job, huey_payload, huey_result, huey_input, huey_log"
#: Where most jobs lead to the same one, it takes any other for one of theirs.
BY_INDEX = "set local enable_seqscan to off"


def check_invariants(url: str) -> None:
    """AssertionError with every violation in the schema that a URL names."""
    location = locate_dsn(url)
    with psycopg.connect(location.dsn) as con:

        def query(statement: str) -> list[Any]:
            return con.execute(statement.encode()).fetchall()

        con.execute(f'set search_path to "{location.schema}"'.encode())
        if query("select to_regclass('huey_job')") == [(None,)]:
            return
        if query("select count(*) from huey_job")[0][0] >= MANY:
            con.execute(ANALYZE)
        con.commit()
        con.execute("set transaction isolation level repeatable read, read only")
        con.execute(BY_INDEX)
        found = broken(query)
    assert not found, f"{location.name}:\n" + "\n".join(found)
