"""An application whose queue is in PostgreSQL: the line that changes, and what follows it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest

from hueycore import ConfigurationError, Huey, PostgresHuey
from hueycore.storage.location import PostgresLocation, SqliteLocation
from hueycore.testing import Sandbox
from tests.helpers import PYTHONPATH

pytestmark = pytest.mark.feature("instances")

NOWHERE = "postgresql://ann@127.0.0.1:1/nothing"


@pytest.fixture
def huey(postgres: str, postgres_schema: str) -> Iterator[PostgresHuey]:
    with closing(PostgresHuey("app", dsn=postgres, schema=postgres_schema)) as instance:
        yield instance


def test_a_job_is_stored_run_and_answered(huey: PostgresHuey, postgres: str) -> None:
    @huey.task()
    def add(a: int, b: int) -> int:
        return a + b

    result = add(1, 2)
    other = Huey("app", url=PostgresLocation(postgres, schema=huey.location.schema))
    with closing(other):
        assert other.pending_count() == 1

    task = huey.dequeue()
    assert task is not None
    huey.execute(task)

    assert result() == 3


def test_a_schema_is_made_with_its_tables(postgres: str, postgres_schema: str) -> None:
    sign = "&" if "?" in postgres else "?"
    with closing(Huey("app", url=f"{postgres}{sign}schema={postgres_schema}")) as first:
        assert first.pending_count() == 0
        assert first.storage.shared
        assert f"schema={postgres_schema}" in first.storage.url


def test_what_only_a_file_has_is_no_obstacle_to_another_url(
    postgres: str, postgres_schema: str
) -> None:
    location = PostgresLocation(postgres, schema=postgres_schema)
    with closing(Huey("app", url=location, durability="full", mode=0o640)) as huey:
        assert huey.pending_count() == 0


def test_a_storage_class_is_derived_as_with_a_file(postgres: str, postgres_schema: str) -> None:
    from hueycore.storage import PostgresStorage, SqliteStorage

    class Mine(PostgresStorage):
        pass

    location = PostgresLocation(postgres, schema=postgres_schema)
    with closing(Huey("app", url=location, storage_class=Mine)) as huey:
        assert type(huey.storage) is Mine
    with pytest.raises(ConfigurationError, match="cannot open postgresql://"):
        Huey("app", url=location, storage_class=SqliteStorage).pending_count()


def test_a_sandbox_and_immediate_mode_need_no_server() -> None:
    huey = PostgresHuey("app", dsn=NOWHERE, timeout=0.1)

    @huey.task()
    def double(number: int) -> int:
        return 2 * number

    with Sandbox(huey) as box:
        double(4)
        box.assert_enqueued(double, args=(4,))
        assert len(box.drain()) == 1
    huey.immediate = True
    with closing(huey):
        assert double(5)() == 10


@pytest.mark.parametrize(
    ("settings", "location"),
    [
        ({"url": f"{NOWHERE}?schema=jobs"}, PostgresLocation(NOWHERE, schema="jobs")),
        (
            {"huey_class": "huey.PostgresHuey", "connection": {"dsn": NOWHERE}},
            PostgresLocation(NOWHERE),
        ),
        (
            {
                "huey_class": "hueycore.PostgresHuey",
                "connection": {"host": "db", "dbname": "shop", "password": "p"},
            },
            PostgresLocation("dbname='shop' host='db' password='p'"),
        ),
        ({"filename": "/var/shop.db"}, SqliteLocation("/var/shop.db")),
        ({}, SqliteLocation("huey.db")),
    ],
)
def test_djangos_settings_say_it_as_well(
    settings: dict[str, object], location: PostgresLocation | SqliteLocation
) -> None:
    code = (
        "from django.conf import settings\n"
        f"settings.configure(HUEY={{'name': 'shop', **{settings!r}}}, DEBUG=False)\n"
        "from hueycore.contrib.djhuey import HUEY\n"
        "print(tuple(HUEY.location))\n"
    )
    env = {**os.environ, "PYTHONPATH": PYTHONPATH}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)

    assert done.stdout == f"{tuple(location)}\n", done.stderr
