"""What a client does about a server that is away, busy, full or another one's replica."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest
import redis
import valkey

from hueycore.exceptions import (
    ConfigurationError,
    StorageBusy,
    StorageError,
    StorageFull,
    StorageReadOnly,
)
from hueycore.storage.redis import client as client_module
from hueycore.storage.redis.errors import Refused, Unanswered
from hueycore.storage.redis.wire import is_stale
from tests import redis_servers
from tests.helpers import Clock, run_python, wait_until
from tests.proxy import Proxy
from tests.redis_servers import ClusterOfThree, Guarded, RedisServer
from tests.storage.redis.conftest import Connect, lua

KEY = "{huey:app}:row"
COUNT = lua("return redis.call('INCR', KEYS[1])")
#: Counts under a number that the caller gives: twice the same counts once.
NUMBERED = lua(
    """
    if redis.call('SADD', KEYS[2], ARGV[1]) == 1 then redis.call('INCR', KEYS[1]) end
    return redis.call('GET', KEYS[1])
    """
)
BIG = lua("return redis.call('SET', KEYS[1], ARGV[1])")
FREEING = lua("#!lua flags=allow-oom\nreturn redis.call('DEL', KEYS[1])")
REFUSING = lua("return redis.error_reply('HUEY FULL the queue has 3 jobs')")


# --- answers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"decode_responses": True},
        {"protocol": 3},
        {"protocol": 3, "decode_responses": True},
        {"protocol": 2},
        {"encoding": "latin-1"},
    ],
)
def test_answers_are_the_same_bytes_however_the_applications_client_was_made(
    redis_url: str, connect: Connect, options: dict[str, object]
) -> None:
    own = redis.Redis.from_url(redis_url, **options)
    client = connect(client=own)
    client.call("HSET", "{q}:h", "a", b"\xff\0", "b", 1.5)
    client.call("ZADD", "{q}:z", 2, "m")
    assert client.call("HGETALL", "{q}:h") == [b"a", b"\xff\0", b"b", b"1.5"]
    assert client.call("ZRANGE", "{q}:z", 0, -1) == [b"m"]
    assert client.call("ZRANGE", "{q}:z", 0, -1, "WITHSCORES") == [b"m", b"2"]
    assert client.call("GET", "{q}:none") is None
    answers = client.ask(("ZSCORE", "{q}:z", "m"), ("HLEN", "{q}:h"), ("GET", "{q}:none"))
    assert answers == [b"2", 2, None]
    assert client.run(COUNT, ["{q}:nü"], []) == 1
    assert client.call("GET", "{q}:nü") == b"1"
    own.close()


def test_a_pool_a_client_of_valkey_and_a_url_all_lead_to_the_server(
    redis_url: str, connect: Connect
) -> None:
    pool = redis.ConnectionPool.from_url(redis_url, max_connections=2)
    other = valkey.Valkey.from_url(redis_url)
    for client in (connect(redis_url), connect(client=pool), connect(client=other)):
        assert client.run(COUNT, [KEY], []) > 0
        assert client.version >= (6, 2)
        assert client.url.startswith("redis://127.0.0.1:")
    assert connect(redis_url).call("GET", KEY) == b"3"
    other.close()
    pool.disconnect()


def test_a_pool_of_the_applications_keeps_its_limit(redis_url: str, connect: Connect) -> None:
    pool = redis.BlockingConnectionPool.from_url(redis_url, max_connections=1, timeout=5)
    client = connect(client=pool)
    threads = [
        threading.Thread(target=lambda: [client.run(COUNT, [KEY], []) for _ in range(50)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert client.call("GET", KEY) == b"200"
    assert len(pool._connections) == 1
    pool.disconnect()


@pytest.mark.parametrize("wrong", [object(), "redis://", redis.asyncio.Redis()])
def test_what_is_no_client_is_refused(wrong: object) -> None:
    with pytest.raises(ConfigurationError, match="client"):
        client_module.Client(client=wrong)


def test_a_script_is_known_by_its_name_and_sent_again_when_it_is_forgotten(
    redis_url: str, connect: Connect
) -> None:
    client = connect(redis_url)
    assert client.run(COUNT, [KEY], []) == 1
    client.call("SCRIPT", "FLUSH")
    assert client.run(COUNT, [KEY], [], again=False) == 2


def test_flags_of_a_script_are_left_out_where_the_server_is_too_old_for_them(
    redis_url: str, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hueycore.storage.redis import wire

    monkeypatch.setattr(wire, "FLAGS", (99, 0))
    client = connect(redis_url)
    client.call("SET", KEY, "x")
    assert client.run(FREEING, [KEY], []) == 1
    plain = lua(FREEING.text.partition("\n")[2])
    assert client.call("SCRIPT", "EXISTS", plain.sha, FREEING.sha) == [1, 0]


def test_a_scripts_own_refusal_is_told_by_its_word(redis_url: str, connect: Connect) -> None:
    with pytest.raises(Refused, match="the queue has 3 jobs") as caught:
        connect(redis_url).run(REFUSING, [KEY], [])
    assert caught.value.word == "FULL"


# --- time -----------------------------------------------------------------------------------------


def test_now_is_the_servers_but_not_for_milliseconds(
    redis_url: str, connect: Connect, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    client = connect(redis_url)
    at = clock.freeze()
    assert client.now() == at
    real = client_module.clock_gettime
    monkeypatch.setattr(client_module, "clock_gettime", lambda which: real(which) - 100.0)
    assert connect(redis_url).now() == pytest.approx(at + 100.0, abs=0.5)


# --- refusals -------------------------------------------------------------------------------------


def test_a_full_server_takes_nothing_more_but_what_frees_room(
    server: RedisServer, connect: Connect
) -> None:
    client = connect(server.url)
    client.run(BIG, [KEY], [b"x" * 100_000])
    server.ask("CONFIG", "SET", "maxmemory", 1)
    for again in (True, False):
        with pytest.raises(StorageFull, match="no memory left") as caught:
            client.run(BIG, [KEY], [b"x"], again=again)
        assert caught.value.hint and "maxmemory" in caught.value.hint
    if client.version >= (7, 0):
        assert client.run(FREEING, [KEY], []) == 1


def test_a_server_that_cannot_save_is_full(server: RedisServer, connect: Connect) -> None:
    client = connect(server.url)
    client.run(COUNT, [KEY], [])
    if client.version < (7, 0):
        pytest.skip("an older server lets scripts write all the same")
    server.ask("CONFIG", "SET", "min-replicas-to-write", 1)
    client.timeout = 0.1
    with pytest.raises(StorageBusy, match="too few replicas"):
        client.run(COUNT, [KEY], [])


@pytest.mark.parametrize(
    "url", ["redis://:sesame@127.0.0.1:{}", "redis://ann:sesame@127.0.0.1:{}?password=sesame2"]
)
def test_a_wrong_password_is_an_error_of_configuration_and_is_told_to_nobody(
    server: RedisServer, connect: Connect, url: str
) -> None:
    server.ask("CONFIG", "SET", "requirepass", "other")
    client = connect(url.format(server.port))
    with pytest.raises(ConfigurationError) as caught:
        client.call("PING")
    shown = f"{caught.value} {client.url} {client!r} {caught.value.__cause__}"
    assert "sesame" not in shown
    with pytest.raises(ConfigurationError, match="was not given"):
        connect(server.url).call("PING")


def test_a_url_that_cannot_be_read_is_told_without_its_password(connect: Connect) -> None:
    with pytest.raises(ConfigurationError) as caught:
        connect("redis://ann:sesame@host:port/0")
    assert "sesame" not in f"{caught.value} {caught.value.__cause__}"


def test_missing_rights_are_an_error_of_configuration(
    server: RedisServer, connect: Connect
) -> None:
    server.ask("ACL", "SETUSER", "ann", "on", ">pw", "+@all", "-incr", "~*", "&*")
    client = connect(f"redis://ann:pw@127.0.0.1:{server.port}")
    assert client.call("PING") == b"PONG"
    with pytest.raises(ConfigurationError, match="ACL"):
        client.call("INCR", KEY)


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-random"])
def test_a_server_that_may_throw_the_queue_away_is_refused(
    server: RedisServer, connect: Connect, policy: str
) -> None:
    client = connect(server.url)
    server.ask("CONFIG", "SET", "maxmemory-policy", policy)
    client.check_policy()  # without a maxmemory it throws nothing away
    server.ask("CONFIG", "SET", "maxmemory", 100_000_000)
    client.check_policy()  # asked a moment ago
    with pytest.raises(ConfigurationError, match=f"{policy}.*noeviction"):
        connect(server.url).check_policy()
    server.ask("CONFIG", "SET", "maxmemory-policy", "volatile-lru")
    connect(server.url).check_policy()


def test_a_server_that_is_not_there_is_not_waited_for(connect: Connect) -> None:
    before = time.monotonic()
    with pytest.raises(StorageError, match=r"127\.0\.0\.1:1"):
        connect("redis://127.0.0.1:1").call("PING")
    assert time.monotonic() - before < 2


# --- a server that goes and comes -----------------------------------------------------------------


def test_a_server_that_restarts_is_waited_for(server: RedisServer, connect: Connect) -> None:
    client = connect(server.url)
    client.run(COUNT, [KEY], [])
    server.kill()
    starter = threading.Timer(0.5, server.start)
    starter.start()
    assert client.run(COUNT, [KEY], [], again=True) == 2
    starter.join()
    server.restart()
    # It certainly had not arrived: the connection was seen to be closed.
    assert client.run(COUNT, [KEY], [], again=False) == 3


def test_a_server_that_goes_while_it_is_met_for_the_first_time_is_waited_for(
    way: Proxy, server: RedisServer, connect: Connect
) -> None:
    way.drop_answers = 3
    assert connect(way.url).call("PING") == b"PONG"
    assert way.dropped == 3

    server.send(signal.SIGSTOP)
    client = connect(way.url)
    met = way.connections

    def restart() -> None:
        wait_until(lambda: way.connections > met)
        server.restart()

    thread = threading.Thread(target=restart)
    thread.start()
    assert client.call("PING") == b"PONG"
    thread.join()


def test_a_server_that_stays_away_is_an_error_in_time(
    server: RedisServer, connect: Connect
) -> None:
    client = connect(server.url, timeout=0.5)
    client.run(COUNT, [KEY], [])
    server.kill()
    before = time.monotonic()
    with pytest.raises(StorageError, match="refused"):
        client.run(COUNT, [KEY], [])
    assert 0.2 < time.monotonic() - before < 5


def test_a_replica_is_read_only_until_it_is_a_master(server: RedisServer, connect: Connect) -> None:
    client = connect(server.url, timeout=0.3)
    client.run(COUNT, [KEY], [])
    server.ask("REPLICAOF", "127.0.0.1", 1)
    with pytest.raises((StorageReadOnly, StorageBusy)):
        client.run(COUNT, [KEY], [])
    client.timeout = 10
    threading.Timer(0.3, server.ask, ("REPLICAOF", "NO", "ONE")).start()
    assert client.run(COUNT, [KEY], [], again=False) == 2


# --- durability -----------------------------------------------------------------------------------


def test_what_is_to_be_durable_is_on_the_disk_or_an_error(
    server: RedisServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = connect(server.url, durability="full")
    if client.version < (7, 2):
        with pytest.raises(ConfigurationError, match="unknown command"):
            client.run(COUNT, [KEY], [], durable=True)
        return
    assert client.run(COUNT, [KEY], [], durable=True) == 1
    server.ask("CONFIG", "SET", "appendonly", "no")
    with pytest.raises(StorageError, match="appendonly"):
        client.run(COUNT, [KEY], [], durable=True)
    assert client.run(COUNT, [KEY], []) == 3


def test_a_replica_that_is_missing_is_an_error_and_what_was_stored_stays(
    server: RedisServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "SAFE", 0.1)
    client = connect(server.url, replicas=1)
    with pytest.raises(StorageError, match=r"stored, not replicated.*0 of 1"):
        client.run(COUNT, [KEY], [], durable=True)
    assert client.call("GET", KEY) == b"1"


# --- answers that are lost ------------------------------------------------------------------------


def test_a_call_that_may_be_repeated_survives_a_lost_answer(way: Proxy, connect: Connect) -> None:
    client = connect(way.url)
    keys = [KEY, "{huey:app}:seen"]
    assert client.run(NUMBERED, keys, [1]) == b"1"
    way.after, way.drop_answers = b"EVALSHA", 2
    assert client.run(NUMBERED, keys, [2]) == b"2"
    assert way.dropped == 2
    assert client.call("GET", KEY) == b"2"


def test_a_call_that_may_not_be_repeated_says_that_it_may_be_done(
    way: Proxy, connect: Connect
) -> None:
    client = connect(way.url)
    client.run(COUNT, [KEY], [])
    way.after, way.drop_answers = b"EVALSHA", 1
    with pytest.raises(Unanswered, match="may be done or not"):
        client.run(COUNT, [KEY], [], again=False)
    assert client.call("GET", KEY) == b"2"


def test_connections_that_were_cut_while_idle_are_no_error(way: Proxy, connect: Connect) -> None:
    client = connect(way.url)
    client.run(COUNT, [KEY], [])
    for number in (2, 3, 4):
        way.cut()
        idle = client.nodes.pool(KEY)._idle  # type: ignore[attr-defined]
        wait_until(lambda: [*map(is_stale, idle)] == [True], what="the end of the stream is here")  # noqa: B023
        assert client.run(COUNT, [KEY], [], again=False) == number


@pytest.mark.parametrize("how", ["redis", "valkey"])
def test_a_client_that_would_send_everything_again_does_not(
    way: Proxy, connect: Connect, how: str
) -> None:
    kind = {"redis": redis.Redis, "valkey": valkey.Valkey}[how]
    client = connect(client=kind(port=way.port))
    client.run(COUNT, [KEY], [])
    way.after, way.drop_answers = b"EVALSHA", 1
    with pytest.raises(Unanswered):
        client.run(COUNT, [KEY], [], again=False)
    assert client.call("GET", KEY) == b"2"


# --- forks ----------------------------------------------------------------------------------------


def test_a_forked_child_has_connections_of_its_own(redis_url: str) -> None:
    said = run_python(
        """
        import os, sys
        from hueycore.storage.redis.client import Client
        client = Client(sys.argv[1])
        mine = client.call("CLIENT", "ID")
        if os.fork() == 0:
            print("child", client.call("CLIENT", "ID") != mine, flush=True)
            os._exit(0)
        os.wait()
        print("parent", client.call("CLIENT", "ID") == mine)
        """,
        redis_url,
    )
    assert said.split("\n")[:2] == ["child True", "parent True"]


def test_a_child_does_not_keep_its_parents_connection_alive(server: RedisServer) -> None:
    child = int(
        run_python(
            """
            import os, sys, time
            from hueycore.storage.redis.client import Client
            from hueycore.storage.redis.link import Link
            client = Client(sys.argv[1], client_name="parent")
            link = Link(client, "k")
            link.call("PING"), client.call("PING")
            said, says = os.pipe()
            child = os.fork()
            if child == 0:
                os.close(1), os.close(2)
                os.write(says, b"!")
                time.sleep(30)
                os._exit(0)
            print(child, flush=True)
            os.read(said, 1)  # it has closed what it does not need
            os.kill(os.getpid(), 9)
            """,
            server.url,
            exits=-9,
        )
    )
    try:
        wait_until(lambda: "name=parent" not in str(server.ask("CLIENT", "LIST")), 5)
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_native_thread_of_a_gevent_program_connects_without_a_hub(redis_url: str) -> None:
    pytest.importorskip("gevent")
    said = run_python(
        """
        from gevent import monkey
        monkey.patch_all()
        import sys
        from gevent._hub_local import get_hub_if_exists
        from hueycore.storage.redis.client import Client
        from hueycore.system import native

        def connect():
            client = Client(sys.argv[1])
            print(client.call("PING"), get_hub_if_exists())
            client.close()

        thread = native.Thread(connect, "native")
        thread.start()
        thread.join(10)
        """,
        redis_url,
    )
    assert said == "b'PONG' None\n"


# --- Sentinel, Cluster ----------------------------------------------------------------------------


@pytest.mark.slow
def test_a_sentinels_pool_finds_the_new_master(guarded: Guarded, connect: Connect) -> None:
    from redis.sentinel import Sentinel

    sentinel = Sentinel(guarded.addresses, socket_timeout=1.0)
    pool = sentinel.master_for("main").connection_pool
    client = connect(client=pool, timeout=20)
    assert "main" in client.url
    assert client.run(COUNT, [KEY], []) == 1
    first = guarded.master()
    assert first.ask("WAIT", 1, 1000) == 1
    client.call("SET", "{huey:app}:x", 1)
    wait_until(lambda: guarded.servers[1].ask("GET", KEY) == b"1")
    first.kill()
    assert client.run(COUNT, [KEY], [], again=True) == 2
    assert guarded.master() is not first
    pool.disconnect()


def test_a_queue_is_found_on_its_node_and_followed_to_another(
    cluster: ClusterOfThree, connect: Connect
) -> None:
    own = cluster.client()
    client = connect(client=own, timeout=0.3)
    keys = [KEY, "{huey:app}:seen", "{huey:app}:more"]
    client.run(NUMBERED, keys, [1])
    slot = cluster.slot(KEY)
    source = cluster.owner(slot)
    to = next(node for node in cluster.nodes if node is not source)
    cluster.announce(slot, to)
    for most in (1, 10):
        # A key that is nowhere may be here or there already.
        with pytest.raises(StorageBusy, match="moving the queue"):
            client.run(NUMBERED, keys, [2])
        cluster.carry(slot, source, to, most)
    assert client.run(NUMBERED, keys[:2], [3]) == b"2"  # all of it is there: it is asked for
    assert client.ask(("GET", KEY), ("SCARD", "{huey:app}:seen")) == [b"2", 2]
    cluster.finish(slot, to)
    assert client.run(NUMBERED, keys, [4], again=False) == b"3"
    assert client.run(COUNT, [KEY], [], again=False) == 4
    assert source.ask("DBSIZE") == 0
    own.close()


def test_one_node_of_a_cluster_says_that_a_cluster_is_wanted(
    cluster: ClusterOfThree, connect: Connect
) -> None:
    owner = cluster.owner(cluster.slot(KEY))
    other = next(node for node in cluster.nodes if node is not owner)
    with pytest.raises(ConfigurationError, match=r"RedisCluster"):
        connect(other.url).run(COUNT, [KEY], [])


def test_a_way_that_is_slow_to_answer_ends_in_an_error(
    server: RedisServer, connect: Connect
) -> None:
    client = connect(server.url, timeout=0.2, socket_timeout=0.3)
    client.run(COUNT, [KEY], [])
    server.send(signal.SIGSTOP)
    try:
        with pytest.raises(StorageError, match=r"(?i)timeout"):
            client.run(COUNT, [KEY], [])
    finally:
        server.send(signal.SIGCONT)
    client.timeout = 5
    assert client.run(COUNT, [KEY], []) >= 2


def test_redis_servers_of_a_run_are_shared(redis: str) -> None:
    assert redis_servers.of_this_run() == redis
