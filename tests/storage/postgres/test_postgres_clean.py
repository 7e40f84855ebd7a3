"""Dead rows: the janitor removes what the server leaves, and tells who keeps both from it."""

from __future__ import annotations

import logging

import psycopg
import pytest

from hueycore.storage.postgres import PostgresStorage, checkup, hindrance
from tests.helpers import wait_until
from tests.storage.kit import by_seq, new
from tests.storage.postgres.conftest import Connect, Open
from tests.storage.sql.lab import sql


def make_dead(storage: PostgresStorage, number: int) -> None:
    """Autovacuum is off for the table: the server leaves them."""
    storage.db.transact(
        lambda con: con.execute("alter table huey_job set (autovacuum_enabled = false)")
    )
    jobs = storage.enqueue([new() for _ in range(number)])
    storage.revoke(by_seq(*(job.seq for job in jobs)), "by hand")
    wait_until(lambda: dead(storage) >= number, 20)


def dead(storage: PostgresStorage) -> int:
    query = "select n_dead_tup from pg_stat_user_tables where relid = to_regclass('huey_job')"
    return int(sql(storage, query)[0][0])


def test_the_janitor_removes_many_dead_rows(open_: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = open_()
    make_dead(storage, 300)
    monkeypatch.setattr(checkup, "MANY_DEAD", 200)

    storage.checkpoint()

    wait_until(lambda: dead(storage) == 0, 20)


def test_a_few_dead_rows_are_left_to_the_server(open_: Open) -> None:
    storage = open_()
    make_dead(storage, 300)

    storage.clean()

    assert dead(storage) >= 300


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
    monkeypatch.setattr(checkup, "MANY_DEAD", 200)
    monkeypatch.setattr(checkup, "LONG_TRANSACTION", 0.0)

    with caplog.at_level(logging.WARNING, hindrance.logger.name):
        storage.checkpoint()
    storage.clean()

    assert f"pid {holder.info.backend_pid}" in caplog.text
    assert dead(storage) >= 300
