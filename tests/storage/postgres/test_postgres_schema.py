"""What the server refuses, whoever writes it."""

from __future__ import annotations

import pytest
from psycopg import errors

from hueycore.model.endings import Done
from hueycore.model.jobs import Selector
from hueycore.storage.postgres import PostgresStorage, schema
from tests.storage.kit import born, end, one, pipeline, run, worker
from tests.storage.postgres.conftest import Connect, Open

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


def test_tables_of_schema_1_answer_whoever_only_reads_and_a_writer_brings_them_up_to_date(
    open_: Open, storage: PostgresStorage, connect: Connect
) -> None:
    con = connect(autocommit=True)
    job = born(storage)
    storage.close()
    con.execute("alter table huey_job drop column ran_by")
    con.execute("update huey_meta set value = '1' where name = 'schema'")

    reader = open_(read_only=True)
    assert reader.job(job.id) is not None and reader.job(str(job.seq)) is not None
    assert [found.ran_by for found in reader.jobs(Selector(sort="ran_by"))] == [None]
    assert reader.jobs(Selector(where=(("ran_by", "=", "box"),))) == []
    assert [one.job.id for one in reader.export(Selector())] == [job.id]

    writer = open_()
    rows = con.execute("select value from huey_meta where name = 'schema'").fetchall()
    assert rows == [(str(schema.VERSION),)]
    run(writer, worker(writer, "box-1"))
    assert writer.jobs(Selector())[0].ran_by == "box-1"
    assert [found.ran_by for found in reader.jobs(Selector())] == ["box-1"]
    assert reader.jobs(Selector(where=(("ran_by", "=", "box-1"),)))[0].id == job.id


def test_there_is_a_migration_to_every_version() -> None:
    assert sorted(schema.MIGRATIONS) == list(range(2, schema.VERSION + 1))


def test_a_column_that_a_newer_release_adds_disturbs_no_connection_that_is_open(
    storage: PostgresStorage, connect: Connect
) -> None:
    """What is prepared names its columns: none says "cached plan must not change result type"."""

    def life() -> None:
        """What runs all day, with statements that are prepared by now."""
        first, _ = pipeline(storage, 2)
        number = worker(storage)
        claim = one(storage, number)
        storage.slots(number).start(0, claim.seq, claim.claim)
        end(storage, number, claim, Done(b"value"))
        assert run(storage, number).inputs == 1
        assert storage.inputs(first.seq) == []
        found = storage.result(first.id, preserve=True)
        assert found is not None and found.result == b"value"
        storage.unregister(number)
        for look in (storage.queues, storage.workers, storage.totals, storage.periodic):
            look()
        assert storage.jobs(Selector())
        assert [one for page in storage.dump(Selector()) for one in page]
        assert storage.stages(first.seq)
        storage.lock("door", worker(storage), b"mine")
        storage.unlock("door", b"mine")

    life()
    con = connect(autocommit=True)
    tables = con.execute(
        b"select relname from pg_class where relkind = 'r' and relname like 'huey_%'"
        b" and relnamespace = current_schema()::regnamespace"
    ).fetchall()
    assert len(tables) > 5
    for (table,) in tables:
        con.execute(f"alter table {table} add column news text default 'new'".encode())

    life()
