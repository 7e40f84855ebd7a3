"""What the server refuses, whoever writes it."""

from __future__ import annotations

import pytest
from psycopg import errors

from hueycore.storage.postgres import PostgresStorage
from tests.storage.kit import born
from tests.storage.postgres.conftest import Connect

WAITING = {"worker": "null", "claimed_at": "null", "finished_at": "null", "waits": "0"}
FINAL = {**WAITING, "finished_at": "1"}
#: What a row is in each state, and in which of them it may wait for others.
STATES = {
    "scheduled": WAITING,
    "pending": WAITING,
    "blocked": WAITING,
    "running": {**WAITING, "worker": "1", "claimed_at": "1", "claim": "1"},
    **dict.fromkeys(("done", "dead", "revoked", "expired"), FINAL),
}
WAITS = {"blocked", "dead", "revoked", "expired"}
OTHER = {"worker": "1", "claimed_at": "1", "finished_at": "1", "waits": "1"}


@pytest.mark.parametrize("state", STATES)
def test_a_row_is_what_its_state_says(
    storage: PostgresStorage, connect: Connect, state: str
) -> None:
    seq = born(storage).seq
    right = {"claim": "0", **STATES[state]}

    def is_refused(values: dict[str, str]) -> bool:
        sets = ", ".join(f"{name} = {value}" for name, value in values.items())
        con = connect(autocommit=True)
        try:
            con.execute(f"update huey_job set {sets} where seq = {seq}".encode())
        except errors.CheckViolation:
            return True
        return False

    here = {**right, "state": f"'{state}'"}
    assert not is_refused(here)
    for name in OTHER:
        other = "null" if right[name] == "1" else OTHER[name]
        allowed = name == "waits" and state in WAITS
        assert is_refused({**here, name: other}) != allowed, name
    if state == "running":
        assert is_refused({**here, "claim": "0"})
    assert is_refused({**here, "state": "'other'"})


@pytest.mark.parametrize(
    "wrong",
    [
        *("attempt = -1", "attempt = 1", "retries = -1", "retry_delay = -1", "waits = -1"),
        *("at_most_once = 2", "taken = 0", "taken = 2, finished_at = 1", "delivered = 4"),
        *("cancel_requested = 4", "unique_until = 'end'", "unique_key = 'k', unique_until = 'x'"),
    ],
)
def test_a_number_that_means_nothing_is_refused(
    storage: PostgresStorage, connect: Connect, wrong: str
) -> None:
    seq = born(storage).seq

    with pytest.raises(errors.CheckViolation):
        connect(autocommit=True).execute(f"update huey_job set {wrong} where seq = {seq}".encode())
