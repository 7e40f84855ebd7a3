"""Consumers and servers that die, stop, are cut off or full while there is work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from hueycore import ConfigurationError, Huey, RedisHuey, State, StorageFull
from hueycore.exceptions import StorageError
from hueycore.storage.redis import RedisStorage
from tests.helpers import PYTHONPATH, consuming, drain, jobs, run_python, states, wait_until
from tests.proxy import Proxy
from tests.redis_servers import ClusterOfThree, Guarded, RedisServer
from tests.storage.redis.invariants import violations

#: Seconds.
DEADLINE = 60.0


class Site:
    """Where a test's application runs: its environment, and what its runs have left."""

    def __init__(self, folder: Path) -> None:
        self.runs_file = folder / "runs"
        self.environment = {
            **os.environ,
            "PYTHONPATH": PYTHONPATH,
            "RUNS": str(self.runs_file),
        }
        self.consumers: list[subprocess.Popen[bytes]] = []

    def consume(self, *options: str) -> subprocess.Popen[bytes]:
        """A consumer in a process of its own."""
        command = [sys.executable, "-m", "hueyctl", "consume", "tests.storage.redis.app:huey"]
        process = subprocess.Popen([*command, "-q", *options], env=self.environment)
        self.consumers.append(process)
        return process

    def runs(self) -> Counter[str]:
        if not self.runs_file.exists():
            return Counter()
        return Counter(self.runs_file.read_text().split())

    def close(self) -> None:
        for process in self.consumers:
            process.kill()
            process.wait()


@pytest.fixture
def site(tmp_path: Path, server: RedisServer) -> Iterator[Site]:
    with closing(Site(tmp_path)) as found:
        found.environment["URL"] = server.url
        yield found


@contextmanager
def producing(url: str | None = None, **options: object) -> Iterator[Huey]:
    """The application as its producer has it."""
    with closing(RedisHuey("app", url=url, timeout=20.0, **options)) as huey:  # type: ignore[arg-type]
        yield huey


def send(huey: Huey, name: str, *args: object, **options: object) -> str:
    handle = huey.enqueue(huey.path(f"tests.storage.redis.app.{name}").s(*args, **options))
    assert handle is not None
    return str(handle.id)


def all_end(huey: Huey, number: int) -> Callable[[], bool]:
    return lambda: states(huey) == {"done": number}


# --- answers that are lost ------------------------------------------------------------------------


def test_jobs_run_once_and_are_counted_once_while_answers_are_lost(way: Proxy) -> None:
    ran: list[int] = []
    with closing(RedisHuey("app", url=way.url, timeout=20.0)) as huey:
        task = huey.task(name="task")(ran.append)
        lossy = threading.Event()

        def lose() -> None:
            while not lossy.wait(0.25):
                way.after, way.drop_answers = b"EVALSHA", 1

        thread = threading.Thread(target=lose)
        thread.start()
        try:
            for number in range(60):
                if number % 10 == 0:
                    way.after, way.drop_answers = b"EVALSHA", 1
                task(number)
            with consuming(huey, workers=4):
                wait_until(all_end(huey, 60), DEADLINE, "all ended")
        finally:
            lossy.set()
            thread.join()
            way.drop_answers = 0
        assert way.dropped >= 6
        assert sorted(ran) == list(range(60))
        (totals,) = [row for row in huey.storage.totals() if row.task == task.name]
        assert (totals.done, totals.dead, totals.retried) == (60, 0, 0)
        assert violations(_storage(huey).client) == []


def _storage(huey: Huey) -> RedisStorage:
    assert isinstance(huey.storage, RedisStorage)
    return huey.storage


def test_a_network_that_breaks_again_and_again_delays_and_loses_nothing(way: Proxy) -> None:
    ran: list[int] = []
    with closing(RedisHuey("app", url=way.url, timeout=20.0)) as huey:
        task = huey.task(name="task")(ran.append)
        with consuming(huey, workers=4):
            for number in range(100):
                task(number)
                if number % 10 == 0:
                    way.cut()
            wait_until(all_end(huey, 100), DEADLINE, "all ended")
        assert sorted(ran) == list(range(100))


# --- servers --------------------------------------------------------------------------------------


def test_a_consumer_that_starts_while_the_server_is_killed_waits_for_it(
    server: RedisServer, way: Proxy, site: Site
) -> None:
    with producing(server.url) as huey:
        send(huey, "work", 1)
        site.environment["URL"] = way.url
        server.send(signal.SIGSTOP)
        consumer = site.consume("-w", "1")
        wait_until(lambda: way.connections, DEADLINE, "it has connected")
        server.restart(signal.SIGKILL)
        wait_until(all_end(huey, 1), DEADLINE, "all ended")
        assert consumer.poll() is None
    assert site.runs() == {"1": 1}


def test_a_full_server_refuses_jobs_and_lets_the_queue_empty_itself(server: RedisServer) -> None:
    with closing(RedisHuey("app", url=server.url, timeout=0.5)) as huey:
        task = huey.task(name="task")(lambda *_: "x" * 1000)
        for number in range(20):
            task(number)
        server.ask("CONFIG", "SET", "maxmemory", 1)
        with pytest.raises(StorageFull):
            task(99)
        with consuming(huey, workers=2):
            wait_until(all_end(huey, 20), DEADLINE, "all ended")
        server.ask("CONFIG", "SET", "maxmemory", 0)
        task(99)


@pytest.mark.parametrize("doing", ["enqueue", "register"])
def test_a_server_that_may_evict_the_queue_is_refused(server: RedisServer, doing: str) -> None:
    server.ask("CONFIG", "SET", "maxmemory", 100_000_000)
    server.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    with closing(RedisHuey("app", url=server.url)) as huey:
        task = huey.task(name="task")(lambda: None)
        with pytest.raises(ConfigurationError, match="noeviction"):
            if doing == "enqueue":
                task()
            else:
                huey.storage.register(name="w", kind="thread", slots=1)


# --- consumers ------------------------------------------------------------------------------------


def test_a_consumer_that_is_killed_gives_its_jobs_back_in_seconds(
    server: RedisServer, site: Site
) -> None:
    with producing(server.url) as huey:
        send(huey, "work", 1, 600)
        first = site.consume("-w", "1")
        wait_until(lambda: site.runs()["1"] == 1, DEADLINE, "it runs")
        # Until a beat has said that it runs: else it is only suspected.
        wait_until(lambda: _begun(huey), DEADLINE, "its beat has told of it")
        first.kill()
        first.wait()
        site.consume("-w", "1")
        began = time.monotonic()
        wait_until(lambda: site.runs()["1"] == 2, DEADLINE, "it runs again")
        assert time.monotonic() - began < 15
        (row,) = jobs(huey)
        assert row.crashes == 1


def _begun(huey: Huey) -> bool:
    return any(worker.running for worker in huey.storage.workers())


@pytest.mark.slow
def test_a_consumer_that_was_stopped_for_long_gives_its_jobs_up_and_starts_anew(
    server: RedisServer, site: Site
) -> None:
    with producing(server.url) as huey:
        handle = send(huey, "stop")
        stopped = site.consume("-w", "1")
        wait_until(lambda: site.runs()["stop"] == 1, DEADLINE, "it stands still")
        storage = huey.storage
        other = storage.register(name="other", kind="thread", slots=1)
        began = time.monotonic()
        found = wait_until(storage.recover, DEADLINE, "it is taken for dead")
        assert 10 < time.monotonic() - began < 40
        assert [one.job.id for one in found] == [handle]
        stopped.send_signal(signal.SIGCONT)
        # Its ending is refused: somebody else may run the job by now.
        wait_until(lambda: stopped.poll() is not None, DEADLINE, "it ends")
        (row,) = jobs(huey)
        assert row.state is State.PENDING
        storage.unregister(other)


def test_a_consumer_whose_connections_are_killed_works_on(server: RedisServer, site: Site) -> None:
    with producing(server.url) as huey:
        site.consume("-w", "4")
        for number in range(100):
            send(huey, "work", number, 0.01)
            if number % 20 == 0:
                for kind in ("normal", "pubsub"):
                    server.ask("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
        wait_until(all_end(huey, 100), DEADLINE, "all ended")
        assert site.runs() == Counter(map(str, range(100)))
        assert len(huey.storage.workers()) == 1


def test_a_forked_child_enqueues_with_connections_of_its_own(redis_url: str) -> None:
    run_python(
        """
        import os, sys
        from hueycore import RedisHuey
        huey = RedisHuey("app", url=sys.argv[1])
        task = huey.path("os.getpgid")
        task(0)
        children = []
        for n in range(3):
            child = os.fork()
            if child == 0:
                for _ in range(20):
                    task(n)
                os._exit(0)
            children.append(child)
        for _ in range(20):
            task(9)
        assert all(os.waitpid(child, 0)[1] == 0 for child in children)
        assert huey.pending_count() == 81, huey.pending_count()
        """,
        redis_url,
    )


# --- Sentinel, Cluster ----------------------------------------------------------------------------


@pytest.mark.slow
def test_a_failover_under_load_loses_nothing_that_the_replica_had(
    tmp_path: Path, guarded: Guarded
) -> None:
    from redis.sentinel import Sentinel

    with closing(Site(tmp_path)) as site:
        site.environment["SENTINELS"] = ",".join(str(port) for _, port in guarded.addresses)
        pool = Sentinel(guarded.addresses).master_for("main").connection_pool
        with producing(connection_pool=pool, replicas=1) as huey:
            site.consume("-w", "4")
            wait_until(huey.storage.workers, DEADLINE, "the consumer works")
            answered = []
            # Nobody follows the new master: each of the last ones waits for a replica in vain.
            for number in range(104):
                if number == 100:
                    guarded.master().kill()
                try:
                    send(huey, "work", number)
                    answered.append(str(number))
                except StorageError as error:
                    # Stored on one server, and not on the other.
                    assert "replicat" in str(error)
            assert len(answered) >= 100
            wait_until(
                lambda: set(answered) <= set(site.runs()) and not jobs(huey, State.PENDING),
                DEADLINE,
                "all that was answered has run",
            )
            wait_until(lambda: not jobs(huey, State.RUNNING), DEADLINE, "and ended")
        pool.disconnect()


@pytest.mark.slow
def test_a_slot_that_moves_under_load_loses_nothing(
    tmp_path: Path, cluster: ClusterOfThree
) -> None:
    with closing(Site(tmp_path)) as site:
        site.environment["NODES"] = ",".join(str(node.port) for node in cluster.nodes)
        own = cluster.client()
        with producing(client=own) as huey:
            site.consume("-w", "4")
            slot = cluster.slot("{huey:app}:row")
            for number in range(300):
                send(huey, "work", number)
                if number in (100, 200):
                    source = cluster.owner(slot)
                    to = next(node for node in cluster.nodes if node is not source)
                    cluster.announce(slot, to)
                    while cluster.carry(slot, source, to, most=3):
                        pass
                    cluster.finish(slot, to)
            wait_until(all_end(huey, 300), DEADLINE, "all ended")
            assert site.runs() == Counter(map(str, range(300)))
            assert violations(_storage(huey).client) == []
        own.close()


def test_a_queue_is_drained_on_a_cluster(cluster: ClusterOfThree) -> None:
    own = cluster.client()
    with closing(RedisHuey("app", client=own)) as huey:
        handle = huey.task(name="task")(lambda: 1)()
        drain(huey)
        assert handle() == 1
    own.close()
