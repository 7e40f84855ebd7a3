"""The state in which a job rests: one rule, in Python and in SQL."""

import sqlite3
from contextlib import closing

import pytest

from hueycore.model import rest
from hueycore.model.states import State
from hueycore.storage.sql.rest import READY, state

NOW = 1_700_000_000.0


@pytest.mark.parametrize("key", [None, "", "key"])
@pytest.mark.parametrize("run_at", [0.0, NOW - 1e-6, NOW, NOW + 1e-6, NOW + 60])
def test_sql_says_the_same(run_at: float, key: str | None) -> None:
    with closing(sqlite3.connect(":memory:")) as con:
        found = con.execute(
            f"""
            select {state("run_at")}, {READY}
            from (select :run_at as run_at, :key as key_name) as job
            """,
            {"now": NOW, "run_at": run_at, "key": key},
        ).fetchone()

    assert found == (rest.state(run_at, NOW, key), rest.ready(key))


def test_a_job_of_later_is_scheduled_whether_it_has_a_key_or_not() -> None:
    assert rest.state(NOW + 1, NOW, None) is rest.state(NOW + 1, NOW, "key") is State.SCHEDULED


def test_a_due_job_is_pending_unless_it_has_a_key() -> None:
    assert rest.state(NOW, NOW, None) is State.PENDING
    assert rest.state(NOW, NOW, "key") is State.BLOCKED
