"""What guides to Huey say of Redis, on a real server: configuration by the environment, pools,
several queues, a signed serializer, Sentinel."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing
from urllib.parse import urlsplit

import pytest

from hueycore import (
    Huey,
    PriorityRedisHuey,
    RedisExpireHuey,
    RedisHuey,
    SignedSerializer,
    SqliteHuey,
    State,
)
from tests import redis_servers
from tests.helpers import consuming, drain, or_skip, wait_until
from tests.redis_servers import Guarded, RedisServer

pytestmark = pytest.mark.feature("instances")


@pytest.fixture
def address(redis_url: str) -> tuple[str, int, int]:
    parts = urlsplit(redis_url)
    assert parts.hostname and parts.port
    return parts.hostname, parts.port, int(parts.path[1:])


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    """Closes what is entered."""
    with ExitStack() as stack:
        yield stack


def test_basic_configuration(address: tuple[str, int, int], opened: ExitStack) -> None:
    from redis import ConnectionPool

    host, port, db = address
    pool = ConnectionPool(host=host, port=port, db=db, max_connections=20)
    huey = RedisHuey(name="my_app", connection_pool=pool, immediate=False)
    opened.callback(pool.disconnect)
    opened.enter_context(closing(huey))

    @huey.task()
    def send_email(to_address: str) -> dict[str, str]:
        return {"status": "sent", "recipient": to_address}

    result = send_email("user@example.com")
    assert not result.is_complete()
    with consuming(huey):
        assert result.get(blocking=True, timeout=30) == {
            "status": "sent",
            "recipient": "user@example.com",
        }


@pytest.mark.parametrize("environment", ["production", "development"])
def test_environment_based_configuration(
    address: tuple[str, int, int],
    tmp_path: object,  # before what is open in it: it goes after that
    opened: ExitStack,
    monkeypatch: pytest.MonkeyPatch,
    environment: str,
) -> None:
    host, port, db = address
    monkeypatch.setenv("ENVIRONMENT", environment)
    monkeypatch.setenv("REDIS_HOST", host)
    monkeypatch.setenv("REDIS_PORT", str(port))
    monkeypatch.setenv("REDIS_DB", str(db))
    monkeypatch.delenv("REDIS_PASSWORD", raising=False)

    def get_huey() -> Huey:
        if os.getenv("ENVIRONMENT", "development") == "production":
            return RedisHuey(
                name="my_app",
                host=os.getenv("REDIS_HOST", "localhost"),
                port=int(os.getenv("REDIS_PORT", "6379")),
                password=os.getenv("REDIS_PASSWORD"),
                db=int(os.getenv("REDIS_DB", "0")),
            )
        return SqliteHuey(name="my_app", filename=f"{tmp_path}/huey.db")

    huey = opened.enter_context(closing(get_huey()))
    handle = huey.task(name="task")(lambda: 1)()
    assert handle.state is State.PENDING
    assert drain(huey) == 1
    assert handle() == 1
    assert huey.storage.url.startswith("redis://" if environment == "production" else "")


def test_task_introspection(redis_url: str, opened: ExitStack) -> None:
    huey = opened.enter_context(closing(RedisHuey("my_app", url=redis_url)))
    task = huey.task(name="task")(lambda: None)
    task()
    task.schedule(delay=60)
    storage = huey.storage
    assert (storage.queue_size(), storage.scheduled_count()) == (1, 1)


def test_multiple_queues(address: tuple[str, int, int], opened: ExitStack) -> None:
    from redis import ConnectionPool

    host, port, db = address
    pool = ConnectionPool(host=host, port=port, db=db, max_connections=20)
    opened.callback(pool.disconnect)
    emails = opened.enter_context(closing(RedisHuey("myapp_emails", connection_pool=pool)))
    reports = opened.enter_context(closing(RedisHuey("myapp_reports", connection_pool=pool)))
    sent = emails.task(name="send_email")(lambda: "sent")()
    built = reports.task(name="build_report")(lambda: "built")()
    with consuming(emails, workers=2), consuming(reports):
        assert (sent.get(blocking=True, timeout=30), built.get(blocking=True, timeout=30)) == (
            "sent",
            "built",
        )


def test_signed_serializer_for_untrusted_environments(redis_url: str, opened: ExitStack) -> None:
    serializer = SignedSerializer(secret="my-secret-key")
    huey = opened.enter_context(closing(RedisHuey("my-app", url=redis_url, serializer=serializer)))
    handle = huey.task(name="add")(lambda a, b: a + b)(1, 2)
    drain(huey)
    assert handle() == 3


def test_priorities_need_no_class_of_their_own(redis_url: str, opened: ExitStack) -> None:
    for kind in (PriorityRedisHuey, RedisHuey):
        huey = opened.enter_context(closing(kind(kind.__name__, url=redis_url)))
        ran: list[int] = []
        task = huey.task(name="task")(ran.append)
        for priority in (1, 50, 10):
            task.s(priority, priority=priority)
            huey.enqueue(task.s(priority, priority=priority))
        drain(huey)
        assert ran == [50, 10, 1]


def test_results_that_expire_are_read_as_often_as_wanted(redis_url: str, opened: ExitStack) -> None:
    huey = opened.enter_context(closing(RedisExpireHuey("my-app", expire_time=3600, url=redis_url)))
    handle = huey.task(name="task")(lambda: 7)()
    drain(huey)
    assert huey.result(handle.id) == huey.result(handle.id) == 7
    row = huey.storage.job(handle.id)
    assert row is not None and row.result_ttl == 3600 and row.taken is False


@pytest.fixture
def guarded() -> Iterator[Guarded]:
    with or_skip(), redis_servers.guarded() as found:
        yield found


@pytest.mark.slow
def test_high_availability_redis(guarded: Guarded, opened: ExitStack) -> None:
    from redis.sentinel import Sentinel

    sentinel = Sentinel(guarded.addresses, socket_timeout=5.0)
    pool = sentinel.master_for("main").connection_pool
    opened.callback(pool.disconnect)
    huey = opened.enter_context(closing(RedisHuey("my-app", connection_pool=pool, timeout=20)))
    task = huey.task(name="task")(lambda n: n)
    first = task(1)
    with consuming(huey):
        assert first.get(blocking=True, timeout=30) == 1
        master = guarded.master()
        assert master.ask("WAIT", 1, 5000) >= 1
        master.kill()
        wait_until(lambda: _other(guarded, master), 30, "the other takes over")
        assert task(2).get(blocking=True, timeout=30) == 2


def _other(guarded: Guarded, than: RedisServer) -> bool:
    return guarded.master() is not than
