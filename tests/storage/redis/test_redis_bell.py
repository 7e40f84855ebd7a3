"""Sleeping until somebody publishes, on any kind of threads."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator

import pytest

from hueycore.storage.redis.bell import Bell
from tests.helpers import run_python, wait_until
from tests.proxy import Proxy
from tests.redis_servers import RedisServer
from tests.storage.redis.conftest import Connect

CHANNEL = "{huey:app}:bell"


@pytest.fixture
def bell(server: RedisServer, connect: Connect) -> Iterator[Bell]:
    found = Bell(connect(server.url), CHANNEL)
    assert found.wait(0)  # what came before could not be heard
    yield found
    found.close()


def seconds(bell: Bell, timeout: float) -> tuple[bool, float]:
    before = time.monotonic()
    return bell.wait(timeout), time.monotonic() - before


def test_a_message_ends_the_sleep_at_once(bell: Bell, server: RedisServer) -> None:
    assert seconds(bell, 0.05)[0] is False
    threading.Timer(0.1, server.ask, ("PUBLISH", CHANNEL, "1")).start()
    rang, took = seconds(bell, 0.4)
    assert rang and took < 0.35


def test_many_messages_are_one_piece_of_news(bell: Bell, server: RedisServer) -> None:
    for _ in range(1000):
        server.ask("PUBLISH", CHANNEL, "1")
    assert bell.wait(0.3)
    assert not bell.wait(0.1)


def test_who_sleeps_long_looks_by_himself(bell: Bell) -> None:
    rang, took = seconds(bell, 30)
    assert rang and took < 5


def test_a_nudge_ends_the_sleep_of_another_thread(bell: Bell) -> None:
    threading.Timer(0.1, bell.nudge).start()
    rang, took = seconds(bell, 0.45)
    assert rang and took < 0.4


def test_a_signal_handler_can_nudge(bell: Bell) -> None:
    before = signal.signal(signal.SIGALRM, lambda *_: bell.nudge())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        rang, took = seconds(bell, 0.45)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert rang and took < 0.4


def test_without_a_server_the_sleep_is_a_pause_and_it_hears_again_later(
    bell: Bell, server: RedisServer
) -> None:
    server.kill()
    assert bell.wait(0.2)  # the connection has ended: there may be news
    assert seconds(bell, 0.2)[0] is False
    server.start()
    assert wait_until(lambda: bell.wait(0.1), 10)
    threading.Timer(0.1, server.ask, ("PUBLISH", CHANNEL, "1")).start()
    assert bell.wait(0.4)


def test_a_connection_that_was_killed_is_made_anew(bell: Bell, server: RedisServer) -> None:
    server.ask("CLIENT", "KILL", "TYPE", "pubsub")
    assert bell.wait(0.4)
    assert wait_until(lambda: bell.wait(0.1), 5)
    server.ask("PUBLISH", CHANNEL, "1")
    assert bell.wait(0.4)


def test_a_user_that_may_not_listen_looks_by_himself(server: RedisServer, connect: Connect) -> None:
    server.ask("ACL", "SETUSER", "ann", "on", ">pw", "+@all", "~*", "resetchannels")
    bell = Bell(connect(f"redis://ann:pw@127.0.0.1:{server.port}"), CHANNEL)
    assert seconds(bell, 0.1)[0] is False
    assert bell.wait(30)
    bell.close()


def test_a_bell_that_was_cut_off_by_the_network_rings(way: Proxy, connect: Connect) -> None:
    bell = Bell(connect(way.url), CHANNEL)
    bell.wait(0)
    way.cut()
    assert bell.wait(0.4)
    bell.close()


def test_a_child_has_a_bell_of_its_own(redis_url: str) -> None:
    said = run_python(
        """
        import os, sys, threading
        from hueycore.storage.redis.bell import Bell
        from hueycore.storage.redis.client import Client
        client = Client(sys.argv[1])
        bell = Bell(client, "c")
        bell.wait(0)
        if os.fork() == 0:
            assert bell.wait(0)  # a new one
            threading.Timer(0.1, bell.nudge).start()
            print("child", bell.wait(10), flush=True)
            os._exit(0)
        os.wait()
        print("parent", bell.wait(0.1), client.call("PUBLISH", "c", "1"), bell.wait(10))
        """,
        redis_url,
    )
    assert said.split("\n")[:2] == ["child True", "parent False 1 True"]


def test_a_thread_of_the_system_hears_where_gevent_has_patched(redis_url: str) -> None:
    said = run_python(
        """
        import gevent.monkey
        gevent.monkey.patch_all()
        import gevent, sys, time
        from hueycore.storage.redis.bell import Bell
        from hueycore.storage.redis.client import Client
        from hueycore.system import native
        client = Client(sys.argv[1])
        bell = Bell(client, "c")
        found = []
        def sleep():
            bell.wait(0)
            found.append("listens")
            found.append(bell.wait(0.45))
            found.append(client.call("PING"))
        thread = native.Thread(sleep, "feed")
        thread.start()
        while not found:
            gevent.sleep(0.01)
        jobs = [gevent.spawn(client.call, "INCR", "n") for _ in range(20)]
        gevent.joinall(jobs)
        client.call("PUBLISH", "c", "1")
        thread.join(5)
        print(found, sorted(job.value for job in jobs) == list(range(1, 21)))
        """,
        redis_url,
    )
    assert said.strip() == "['listens', True, b'PONG'] True"


@pytest.mark.parametrize("pool", ["redis.ConnectionPool", "redis.BlockingConnectionPool"])
def test_a_pool_of_the_applications_works_where_gevent_has_patched(
    redis_url: str, pool: str
) -> None:
    said = run_python(
        f"""
        import gevent.monkey
        gevent.monkey.patch_all()
        import gevent, redis, sys
        from hueycore.storage.redis.bell import Bell
        from hueycore.storage.redis.client import Client
        from hueycore.system import native
        client = Client(client={pool}.from_url(sys.argv[1], max_connections=30))
        bell = Bell(client, "c")
        found = []
        def work():
            bell.wait(0)
            for _ in range(200):
                client.call("INCR", "n")
            found.append("done")
        thread = native.Thread(work, "feed")
        thread.start()
        def mine():
            for _ in range(50):
                client.call("INCR", "n")
        gevent.joinall([gevent.spawn(mine) for _ in range(10)], timeout=20)
        thread.join(20)
        print(found, client.call("GET", "n"))
        """,
        redis_url,
    )
    assert said.strip() == "['done'] b'700'"
