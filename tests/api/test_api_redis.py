"""An application whose queue is on a Redis server: the line that changes, and what follows it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest
import redis as redis_py
import valkey

from hueycore import ConfigurationError, Huey, RedisHuey
from hueycore.contrib.valkey_glide import ValkeyGlideHuey
from hueycore.model.jobs import Selector
from hueycore.storage.location import RedisLocation
from hueycore.testing import Sandbox
from tests.helpers import PYTHONPATH, drain

pytestmark = pytest.mark.feature("instances")

NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture
def huey(redis_url: str) -> Iterator[RedisHuey]:
    with closing(RedisHuey("app", url=redis_url)) as instance:
        yield instance


def test_a_job_is_stored_run_and_answered(huey: RedisHuey, redis_url: str) -> None:
    @huey.task()
    def add(a: int, b: int) -> int:
        return a + b

    result = add(1, 2)
    with closing(Huey("app", url=redis_url)) as other:
        assert other.pending_count() == 1
        assert other.storage.shared
    drain(huey)
    assert result() == 3


def test_many_jobs_come_a_thousand_at_a_time_whatever_options_they_have(huey: RedisHuey) -> None:
    @huey.task(unique=True)
    def alone(number: int) -> None: ...

    handles = huey.enqueue_many(alone.s(number) for number in range(2001))

    assert len({job.enqueued_at for job in huey.storage.jobs(Selector())}) == 3
    assert [handle.seq for handle in handles] == [*range(1, 2002)]


@pytest.mark.parametrize("kind", [redis_py.Redis, valkey.Valkey])
def test_a_client_of_the_applications_is_used(redis_url: str, kind: type) -> None:
    client = kind.from_url(redis_url, decode_responses=True)  # type: ignore[attr-defined]
    with closing(RedisHuey("app", client=client)) as huey:
        handle = huey.task(name="task")(lambda: "ü")()
        drain(huey)
        assert handle() == "ü"
    assert client.ping()  # it is not ours to close
    client.close()


def test_what_only_a_file_has_is_no_obstacle_to_another_url(redis_url: str) -> None:
    with closing(Huey("app", url=redis_url, mode=0o640, durability="fast")) as huey:
        assert huey.pending_count() == 0


def test_a_storage_class_is_derived_as_with_a_file(redis_url: str) -> None:
    from hueycore.storage import BaseStorage, RedisStorage, SqliteStorage

    class Mine(RedisStorage):
        pass

    with closing(Huey("app", url=redis_url, storage_class=Mine)) as huey:
        assert type(huey.storage) is Mine
        assert isinstance(huey.storage, BaseStorage)
    with pytest.raises(ConfigurationError, match="cannot open redis://"):
        Huey("app", url=redis_url, storage_class=SqliteStorage).pending_count()


def test_a_sandbox_and_immediate_mode_need_no_server() -> None:
    huey = RedisHuey("app", url=NOWHERE, timeout=0.1)

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


def test_the_client_glide_is_an_error_that_says_what_to_use() -> None:
    with pytest.raises(ConfigurationError, match="RedisHuey"):
        ValkeyGlideHuey("app")


def test_a_transaction_of_the_applications_own_cannot_be_shared(huey: RedisHuey) -> None:
    task = huey.task(name="task")(lambda: None)
    with pytest.raises(ConfigurationError), huey.using(object()):
        task()
    assert huey.pending_count() == 0


@pytest.mark.parametrize(
    ("settings", "location"),
    [
        ({"url": "redis://db:1/2"}, RedisLocation("redis://db:1/2")),
        (
            {
                "huey_class": "huey.RedisHuey",
                "immediate": False,
                "blocking": True,
                "connection": {
                    "host": "db",
                    "port": 6379,
                    "db": 0,
                    "connection_pool": None,
                    "read_timeout": 1,
                    "url": None,
                },
            },
            RedisLocation("redis://db:6379/0"),
        ),
        (
            {
                "huey_class": "hueycore.PriorityRedisHuey",
                "connection": {"url": "redis://db", "password": "p"},
            },
            RedisLocation("redis://db", words=(("password", "p"),)),
        ),
    ],
)
def test_djangos_settings_say_it_as_well(
    settings: dict[str, object], location: RedisLocation
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
