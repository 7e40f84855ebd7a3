"""Who lives is counted: a process that ends is dead in seconds, one that was stopped after many
looks, one that lives never."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from hueycore.exceptions import StorageError
from hueycore.storage.redis import watch as watch_module
from hueycore.storage.redis.client import Client
from hueycore.storage.redis.watch import GONE, PATIENCE
from tests.helpers import PYTHONPATH, wait_until
from tests.redis_servers import RedisServer
from tests.storage.redis.conftest import Connect
from tests.storage.redis.watchkit import KEY, register, watching

#: A worker in a process of its own: says its number, and lives until it is killed.
WORKER = """
import sys
from hueycore.storage.redis.client import Client
from tests.storage.redis import watchkit as kit
client = Client(sys.argv[1])
watch = kit.watching(client)
kit.register(client, watch, int(sys.argv[2]))
watch.beat()
print("beats", flush=True)
input()
"""


class Janitor:
    """Looks as fast as it can: a look counts without a second between."""

    def __init__(self, client: Client) -> None:
        self.client, self.watch = client, watching(client)
        self.looks = 0

    def rows(self) -> tuple[dict[int, dict[str, Any]], dict[int, int]]:
        flat = self.client.call("HGETALL", KEY)
        found = {flat[n].decode(): flat[n + 1] for n in range(0, len(flat), 2)}
        workers = {
            int(name): {**json.loads(row), **json.loads(found.get(f"{name} link", b"{}"))}
            for name, row in found.items()
            if " " not in name
        }
        return workers, {number: int(found.get(f"{number} beat", 0)) for number in workers}

    def look(self) -> list[int]:
        self.looks += 1
        return self.watch.dead(*self.rows())

    def living(self) -> set[int]:
        return self.watch.living(self.rows()[0])


@pytest.fixture
def every_look_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_module, "APART", 0.0)


@pytest.fixture
def janitor(server: RedisServer, connect: Connect) -> Janitor:
    return Janitor(connect(server.url))


@pytest.fixture
def worker(server: RedisServer) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, server.url, "7"],
        env={**os.environ, "PYTHONPATH": PYTHONPATH},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "beats\n"
    yield process
    process.kill()
    process.communicate()


@pytest.mark.usefixtures("every_look_counts")
def test_a_worker_that_was_killed_is_dead_after_a_few_looks(
    janitor: Janitor, worker: subprocess.Popen[str]
) -> None:
    assert janitor.look() == []
    worker.kill()
    worker.wait()
    wait_until(lambda: janitor.living() == set())
    first = janitor.looks
    wait_until(lambda: janitor.look() == [7])
    assert janitor.looks - first <= GONE + 1


@pytest.mark.usefixtures("every_look_counts")
def test_a_worker_that_is_stopped_is_dead_after_many_looks_and_is_told_so_when_it_comes_back(
    janitor: Janitor, worker: subprocess.Popen[str]
) -> None:
    worker.send_signal(signal.SIGSTOP)
    janitor.look()  # perhaps it had beaten meanwhile
    janitor.looks = 0
    looks = [janitor.look() for _ in range(PATIENCE)]
    assert looks[: PATIENCE - 2] == [[]] * (PATIENCE - 2) and janitor.look() == [7]


@pytest.mark.usefixtures("every_look_counts")
def test_a_beat_in_between_starts_the_count_anew(janitor: Janitor, connect: Connect) -> None:
    mine = watching(janitor.client)
    register(janitor.client, mine, 7)
    for _ in range(3):
        for _ in range(PATIENCE - 2):
            assert janitor.look() == []
        mine.beat()
    mine.close()


@pytest.mark.usefixtures("every_look_counts")
def test_a_worker_whose_connection_is_killed_lives_on(
    janitor: Janitor, server: RedisServer
) -> None:
    mine = watching(janitor.client)
    register(janitor.client, mine, 7)
    mine.beat()
    before = janitor.rows()[0][7]["client"]
    server.ask("CLIENT", "KILL", "ID", before)
    wait_until(lambda: janitor.rows()[0][7]["client"] != before, 5, "it beats on a new connection")
    assert janitor.look() == [] and janitor.living() == {7}
    mine.close()


@pytest.mark.usefixtures("every_look_counts")
def test_a_server_that_was_away_kills_nobody(janitor: Janitor, server: RedisServer) -> None:
    mine = watching(janitor.client)
    register(janitor.client, mine, 7)
    mine.beat()
    janitor.client.timeout = 0.1
    server.kill()
    for _ in range(GONE + 2):
        with pytest.raises(StorageError):
            janitor.look()
    server.start()
    for _ in range(GONE + 1):
        # The server has begun anew: that it knows no such connection says nothing.
        assert janitor.look() == []
    wait_until(lambda: janitor.rows()[1][7] > 1, 5, "it beats again")
    mine.close()


def test_looks_that_follow_at_once_are_one(janitor: Janitor) -> None:
    janitor.client.call("HSET", KEY, 7, json.dumps({"client": 0, "server": ""}))
    for _ in range(3 * PATIENCE):
        assert janitor.look() == []


@pytest.mark.usefixtures("every_look_counts")
def test_a_worker_that_was_taken_for_dead_learns_it_from_its_beat(
    janitor: Janitor, connect: Connect
) -> None:
    mine = watching(janitor.client)
    register(janitor.client, mine, 7)
    mine.beat()
    assert not mine.lost(7)
    janitor.client.call("HDEL", KEY, 7)
    mine.beat()
    assert mine.lost(7)
    mine.drop(7)
    assert not mine.lost(7)
    mine.close()


def test_what_has_begun_goes_out_with_the_next_beat(janitor: Janitor) -> None:
    mine = watching(janitor.client)
    register(janitor.client, mine, 7)
    mine.slots(7).start(1, 12, 3)
    mine.slots(7).start(5, 13, 1)  # of a worker that takes the place of one that hangs
    mine.beat()
    assert janitor.client.call("HGET", KEY, "7 runs") == b"[[1,12,3],[5,13,1]]"
    mine.slots(7).clear(1)
    assert mine.started(7) == "[[5,13,1]]"
    mine.close()


def test_where_the_connections_may_not_be_listed_only_beats_count(
    server: RedisServer, connect: Connect
) -> None:
    server.ask("ACL", "SETUSER", "ann", "on", ">pw", "+@all", "-client", "~*", "&*")
    janitor = Janitor(connect(f"redis://ann:pw@127.0.0.1:{server.port}"))
    mine = watching(janitor.client)
    register(janitor.client, mine, 7)
    mine.beat()
    assert janitor.living() == {7}
    mine.close()
