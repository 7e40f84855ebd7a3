"""What the tests of the command line share: a queue file, an application, ways to run hueyctl."""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from clikit import APP, DEADLINE, FILE, ROOT, QueueFile, Write, addresses, command, fill, typed

from hueyctl import streams


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and no setting of the person who runs the tests."""
    for name in list(os.environ):
        if name.startswith("HUEYCTL_") or name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(ROOT / "core"), str(ROOT))))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("PYTHONIOENCODING", raising=False)
    work = tmp_path / "work"
    work.mkdir()
    # Nothing above is searched for a config file.
    (work / ".git").mkdir()
    monkeypatch.chdir(work)
    return work


@pytest.fixture
def address(
    home: Path, engine_name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> str:
    """Of the queue: ``queue.db``, or the URL that stands for it in the command lines of a test."""
    if engine_name != "sqlite":
        monkeypatch.setitem(addresses, FILE, request.getfixturevalue(f"{engine_name}_url"))
    return typed(FILE)


@pytest.fixture
def queue(home: Path, address: str) -> Iterator[QueueFile]:
    """An empty queue in ``queue.db``, or wherever the engine of the test has it."""
    made = QueueFile(home / address if address == FILE else address)
    yield made
    made.storage.close()


@pytest.fixture
def mixed(queue: QueueFile) -> QueueFile:
    """1 done, 2 dead, 3 and 4 pending, 5 scheduled."""
    fill(queue)
    return queue


@pytest.fixture
def write(home: Path, request: pytest.FixtureRequest) -> Write:
    """Write a file in the working directory. ``queue.db`` in it is the queue of the test, where
    that has one."""
    if "queue" in request.fixturenames:
        request.getfixturevalue("address")

    def write_one(name: str | Path, text: str) -> Path:
        (home / name).write_text(text.replace(FILE, typed(FILE)))
        return home / name

    return write_one


@pytest.fixture
def app(write: Write, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An application in the working directory, of ``queue.db``."""
    write("app.py", APP)
    # ``invoke`` imports it in this process, where that of another test may be still.
    monkeypatch.setattr(sys, "path", list(sys.path))
    sys.modules.pop("app", None)
    yield "app:huey"
    sys.modules.pop("app", None)


@pytest.fixture
def invoke(home: Path) -> Callable[..., Result]:
    """Run a command line in this process: quick, for what needs neither tty nor signals."""

    def run(*args: str, input: str | None = None) -> Result:
        from hueyctl.cli import cli

        return CliRunner().invoke(
            cli, [typed(word) for word in args], input=input, catch_exceptions=False
        )

    return run


@pytest.fixture
def hueyctl(home: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command line in a real process."""

    def run(*args: str, **options: Any) -> subprocess.CompletedProcess[str]:
        options.setdefault("timeout", DEADLINE)
        options.setdefault("stdin", None if "input" in options else subprocess.DEVNULL)
        if "stdout" not in options:
            options["capture_output"] = True
        return subprocess.run(command(*args), text=True, check=False, **options)

    return run


@pytest.fixture
def spawn(home: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a command line; what still runs at the end is killed with all its children."""
    started: list[subprocess.Popen[str]] = []

    def start(*args: str, **options: Any) -> subprocess.Popen[str]:
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        child = subprocess.Popen(command(*args), text=True, start_new_session=True, **options)
        started.append(child)
        return child

    yield start
    for child in started:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
        child.communicate(timeout=DEADLINE)


@pytest.fixture
def until() -> Callable[[Callable[[], Any]], None]:
    """Wait for a condition, with a deadline."""

    def wait(condition: Callable[[], Any]) -> None:
        deadline = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < deadline, "the condition never came true"
            time.sleep(0.01)

    return wait


@pytest.fixture
def on_tty(home: Path) -> Callable[..., tuple[int, str]]:
    """Run a command line on a terminal of its own: exit code, and all that it showed."""

    def run(*args: str, columns: int = 100, answer: bytes = b"") -> tuple[int, str]:
        pid, master = pty.fork()
        if pid == 0:
            # The size comes from the terminal, as it does for people.
            os.environ.pop("COLUMNS", None)
            os.execv(sys.executable, command(*args))
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
        if answer:
            os.write(master, answer)
        shown = _read_all(master)
        os.close(master)
        _, status = os.waitpid(pid, 0)
        return os.waitstatus_to_exitcode(status), shown.decode().replace("\r\n", "\n")

    return run


def _read_all(master: int) -> bytes:
    deadline = time.monotonic() + DEADLINE
    shown = b""
    while time.monotonic() < deadline:
        if not streams.ready([master], 0.2):
            continue
        try:
            chunk = os.read(master, 65536)
        except OSError as error:
            assert error.errno == errno.EIO
            return shown
        if not chunk:
            return shown
        shown += chunk
    raise AssertionError("the command did not end")
