"""Recipes of transactional enqueue and ``complete_in``: psycopg, Django, SQLAlchemy."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import sqlalchemy
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from hueycore import PostgresHuey
from hueycore.exceptions import ClaimLost
from tests.storage.sql.lab import sql


@pytest.fixture
def huey(postgres: str, postgres_schema: str) -> Iterator[PostgresHuey]:
    with psycopg.connect(postgres, autocommit=True) as con:
        con.execute(f"create table {postgres_schema}.account (name text, euros int)".encode())
    found = PostgresHuey("app", postgres, schema=postgres_schema)
    yield found
    found.close()


@pytest.fixture
def account(postgres_schema: str) -> str:
    """The application's own table."""
    return f"{postgres_schema}.account"


def count(huey: PostgresHuey) -> tuple[int, int]:
    """(business rows, jobs) as everybody else sees them."""
    storage: Any = huey.storage
    table = f"{storage.db.schema}.account"
    query = f"select (select count(*) from {table}), (select count(*) from huey_job)"
    return sql(storage, query)[0]


# --- psycopg --------------------------------------------------------------------------------------


@pytest.mark.feature("transactional enqueue")
def test_a_transfer_and_its_job_are_both_there_or_neither(
    huey: PostgresHuey, postgres: str, account: str
) -> None:
    @huey.task()
    def receipt(name: str) -> str:
        return f"paid by {name}"

    def transfer(connection: psycopg.Connection[Any], fails: bool) -> None:
        with connection.transaction(), huey.using(connection):
            connection.execute(f"insert into {account} values ('ann', 5)".encode())
            receipt("ann")
            if fails:
                raise ZeroDivisionError

    with psycopg.connect(postgres, autocommit=True) as connection:
        with pytest.raises(ZeroDivisionError):
            transfer(connection, fails=True)
        assert count(huey) == (0, 0)
        transfer(connection, fails=False)

    assert count(huey) == (1, 1)
    task = huey.dequeue()
    assert task is not None and huey.execute(task) == "paid by ann"


def test_consumers_are_woken_by_a_commit_within_using(huey: PostgresHuey, postgres: str) -> None:
    @huey.task()
    def receipt() -> None: ...

    receipt()
    huey.storage.wait(0)
    assert not huey.storage.wait(0)

    connection = psycopg.connect(postgres, autocommit=True)
    with connection, huey.using(connection), connection.transaction():
        receipt()
        assert not huey.storage.wait(0.05)

    assert huey.storage.wait(0.2)
    assert count(huey) == (0, 2)


def test_coroutines_enqueue_in_their_transaction(
    huey: PostgresHuey, postgres: str, account: str
) -> None:
    @huey.task()
    def receipt() -> None: ...

    async def main() -> None:
        async with await psycopg.AsyncConnection.connect(postgres) as connection:
            async with connection.transaction():
                await connection.execute(f"insert into {account} values ('ann', 5)".encode())
                with huey.using(connection):
                    receipt()
            assert count(huey) == (1, 1)
            with pytest.raises(ZeroDivisionError):
                async with connection.transaction():
                    with huey.using(connection):
                        receipt()
                    1 / 0

    asyncio.run(main())
    assert count(huey) == (1, 1)


def test_a_run_ends_with_the_rows_that_it_wrote(
    huey: PostgresHuey, postgres: str, account: str
) -> None:
    @huey.task(context=True, retries=1)
    def pay(fails: bool, task: Any = None) -> None:
        with psycopg.connect(postgres) as connection:
            connection.execute(f"insert into {account} values ('ann', 5)".encode())
            task.complete_in(connection, "paid")
            if fails:
                raise ZeroDivisionError

    paid, failed = pay(False), pay(True)
    for _ in range(2):
        task = huey.dequeue()
        assert task is not None
        huey.execute(task)

    assert paid.get() == "paid"
    assert failed.state in ("pending", "scheduled", "dead")
    assert count(huey)[0] == 1


def test_a_run_that_lost_its_job_cannot_end_it(huey: PostgresHuey, postgres: str) -> None:
    @huey.task(context=True)
    def late(task: Any = None) -> str:
        huey.storage.flush()
        with psycopg.connect(postgres) as connection, pytest.raises(ClaimLost):
            task.complete_in(connection, "late")
        return "told"

    late()
    task = huey.dequeue()
    assert task is not None and huey.execute(task) == "told"


# --- SQLAlchemy -----------------------------------------------------------------------------------


def address(postgres: str) -> sqlalchemy.URL:
    known = conninfo_to_dict(postgres)
    return sqlalchemy.URL.create(
        "postgresql+psycopg",
        username=known.get("user"),
        password=known.get("password"),
        database=known["dbname"],
        query={"host": str(known["host"])},
    )


def test_a_session_of_sqlalchemy_commits_both_or_neither(
    huey: PostgresHuey, postgres: str, account: str
) -> None:
    @huey.task()
    def receipt() -> None: ...

    engine = sqlalchemy.create_engine(address(postgres))
    insert = sqlalchemy.text(f"insert into {account} values ('ann', 5)")
    with Session(engine) as session:
        session.execute(insert)
        with huey.using(session.connection().connection.driver_connection):
            receipt()
        session.rollback()
        assert count(huey) == (0, 0)

        with session.begin():
            with huey.using(session.connection().connection.driver_connection):
                receipt()
                with session.begin_nested():
                    receipt()
            session.execute(insert)

    assert count(huey) == (1, 2)
    engine.dispose()


def test_an_asynchronous_session_of_sqlalchemy_commits_both_or_neither(
    huey: PostgresHuey, postgres: str, account: str
) -> None:
    @huey.task()
    def receipt() -> None: ...

    async def main() -> None:
        engine = create_async_engine(address(postgres))
        async with AsyncSession(engine) as session, session.begin():
            await session.execute(sqlalchemy.text(f"insert into {account} values ('ann', 5)"))
            raw = await (await session.connection()).get_raw_connection()
            with huey.using(raw.driver_connection):
                receipt()
            assert count(huey) == (0, 0)
        await engine.dispose()

    asyncio.run(main())
    assert count(huey) == (1, 1)


# --- Django ---------------------------------------------------------------------------------------

SITE = """
import django, json, sys
import psycopg
from django.conf import settings

from hueycore import PostgresHuey

dsn, schema, database = json.loads(sys.argv[1])
settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", **database}})
django.setup()
from django.db import connection, transaction

huey = PostgresHuey("app", dsn, schema=schema, allow_paths=["*", "__main__.*"])


@huey.task()
def receipt(): ...


def count():
    with psycopg.connect(dsn) as other:
        tables = [f"(select count(*) from {schema}.{name})" for name in ("account", "huey_job")]
        return other.execute(f"select {', '.join(tables)}").fetchone()


def pay():
    with connection.cursor() as cursor:
        cursor.execute(f"insert into {schema}.account values ('ann', 5)")


seen = []
try:
    with transaction.atomic():
        pay()
        with huey.using(connection.connection):
            receipt()
        1 / 0
except ZeroDivisionError:
    seen.append(count())
with transaction.atomic():
    with huey.using(connection.connection):
        receipt()
        try:
            with transaction.atomic():
                receipt()
                1 / 0
        except ZeroDivisionError:
            pass
    pay()
    seen.append(count())
seen.append(count())
connection.ensure_connection()
try:
    with huey.using(connection.connection):
        receipt()
except Exception as error:
    seen.append(str(error))
print(json.dumps(seen))
huey.close()
connection.close()
"""


def test_atomic_of_django_commits_both_or_neither(
    huey: PostgresHuey, postgres: str, postgres_schema: str
) -> None:
    """``connection.connection`` is the connection of psycopg in that of Django's. The blocks inside
    are savepoints, whose jobs go with them."""
    known = conninfo_to_dict(postgres)
    names = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host"}
    database = {name: known[word] for name, word in names.items() if word in known}

    done = subprocess.run(
        [sys.executable, "-c", SITE, json.dumps([postgres, postgres_schema, database])],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    *seen, refused = json.loads(done.stdout)
    assert seen == [[0, 0], [0, 0], [1, 1]]
    assert "no transaction is open" in refused
