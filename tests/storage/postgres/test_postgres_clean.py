"""Dead rows: the janitor removes what the server leaves, and tells who keeps both from it."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest

from hueycore.storage.postgres import PostgresStorage, checkup, hindrance, vacuum
from tests.helpers import stays_true, wait_until
from tests.storage.kit import by_seq, new
from tests.storage.postgres.conftest import Connect, Open
from tests.storage.sql.lab import sql


@pytest.fixture
def postgres(postgres: str) -> Iterator[str]:
    """A database of its own: in another one's a transaction of another test keeps dead rows."""
    name = f"clean_{secrets.token_hex(6)}"
    with psycopg.connect(postgres, autocommit=True) as con:
        con.execute(f"create database {name}".encode())
        yield urlsplit(postgres)._replace(path=f"/{name}").geturl()
        con.execute(f"drop database {name} with (force)".encode())


def make_dead(storage: PostgresStorage, number: int) -> None:
    """Autovacuum is off for the table: the server leaves them."""
    storage.db.transact(
        lambda con: con.execute("alter table huey_job set (autovacuum_enabled = false)")
    )
    jobs = storage.enqueue([new() for _ in range(number)])
    storage.revoke(by_seq(*(job.seq for job in jobs)), "by hand")

    def are_counted() -> bool:
        storage.db.notify()  # who has nothing to do tells of it after ten seconds
        return dead(storage) >= number

    wait_until(are_counted, 20)


def dead(storage: PostgresStorage) -> int:
    query = "select n_dead_tup from pg_stat_user_tables where relid = to_regclass('huey_job')"
    return int(sql(storage, query)[0][0])


def vacuums(storage: PostgresStorage) -> int:
    query = "select vacuum_count from pg_stat_user_tables where relid = to_regclass('huey_job')"
    return int(sql(storage, query)[0][0])


def tries(storage: PostgresStorage, cleaner: vacuum.Vacuum) -> int:
    """How many there were, after another look."""
    storage.db.notify()
    cleaner.look()
    return vacuums(storage)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hundred dead rows are many, and each look is one."""
    monkeypatch.setattr(vacuum, "MANY_DEAD", 200)
    monkeypatch.setattr(vacuum, "LOOK", 0.0)


@pytest.mark.usefixtures("few")
def test_the_janitor_removes_many_dead_rows(open_: Open) -> None:
    storage = open_()
    make_dead(storage, 300)

    storage.checkpoint()

    wait_until(lambda: dead(storage) == 0, 20)


@pytest.mark.usefixtures("few")
def test_what_jobs_leave_is_removed_while_they_run_and_not_once_a_minute(open_: Open) -> None:
    storage = open_()
    storage.checkpoint()
    make_dead(storage, 300)

    storage.checkpoint()

    wait_until(lambda: dead(storage) == 0, 20)


@pytest.mark.usefixtures("few")
def test_what_other_processes_leave_is_removed_while_jobs_wait(open_: Open) -> None:
    storage, other = open_(), open_()
    other.enqueue([new()])
    storage.nudge()
    assert storage.glance().pending
    storage.checkpoint()
    make_dead(other, 300)

    storage.checkpoint()

    wait_until(lambda: dead(storage) == 0, 20)


def test_a_few_dead_rows_are_left_to_the_server(open_: Open) -> None:
    storage = open_()
    make_dead(storage, 300)

    storage.checkpoint()

    assert stays_true(lambda: vacuums(storage) == 0, 0.5)


@pytest.mark.usefixtures("few")
def test_what_cannot_be_removed_is_not_tried_at_each_look(open_: Open, connect: Connect) -> None:
    storage = open_()
    holder: psycopg.Connection[object] = connect()
    holder.execute("select pg_current_xact_id()")
    make_dead(storage, 300)
    cleaner = vacuum.Vacuum(storage.db)

    wait_until(lambda: tries(storage, cleaner) == 1, 20)
    assert dead(storage) >= 300

    assert stays_true(lambda: tries(storage, cleaner) == 1, 0.5)
    make_dead(storage, 300)
    wait_until(lambda: tries(storage, cleaner) == 2, 20)


@pytest.mark.usefixtures("few")
def test_a_table_that_is_dirty_again_before_the_next_look_is_cleaned_again(open_: Open) -> None:
    storage = open_()
    make_dead(storage, 1000)
    cleaner = vacuum.Vacuum(storage.db)

    cleaner.look()
    wait_until(lambda: vacuums(storage) == 1, 20)
    make_dead(storage, 400)
    assert stays_true(lambda: tries(storage, cleaner) == 1, 0.3)
    make_dead(storage, 400)

    wait_until(lambda: tries(storage, cleaner) == 2, 20)


@pytest.mark.usefixtures("few")
def test_nothing_is_cleaned_in_vain_while_an_old_transaction_is_open_and_the_log_names_it(
    open_: Open,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    storage = open_()
    holder: psycopg.Connection[object] = connect()
    holder.execute("select pg_current_xact_id()")
    make_dead(storage, 300)
    monkeypatch.setattr(checkup, "LONG_TRANSACTION", 0.0)

    with caplog.at_level(logging.WARNING, hindrance.logger.name):
        storage.checkpoint()

    assert f"pid {holder.info.backend_pid}" in caplog.text
    assert stays_true(lambda: vacuums(storage) == 0, 0.5)
