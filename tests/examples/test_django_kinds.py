"""``manage.py run_huey`` on every kind of workers, with its probes."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import click
import pytest
from djangokit import PROJECT, Manage, invoices

from hueycore import SqliteHuey, State
from hueyctl.options import GlobalOption
from tests.helpers import run_in, wait_until

KINDS = ("thread", "greenlet", "asyncio", "process")
Start = Callable[..., "subprocess.Popen[str]"]


def words(kind: str) -> list[str]:
    """gevent has to patch before Django is loaded."""
    if kind == "greenlet":
        pytest.importorskip("gevent")
    patching = ["-m", "gevent.monkey"] if kind == "greenlet" else []
    return [sys.executable, *patching, "manage.py", "run_huey", "-k", kind]


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def run(kind: str, *options: str, **environ: str) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [*words(kind), *options], cwd=PROJECT, env={**environment, **environ},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        started.append(child)
        return child

    yield run
    for child in started:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
        child.communicate(timeout=20)


def ask(port: int, path: str) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.feature("deployment")
@pytest.mark.parametrize("kind", KINDS)
def test_it_runs_the_jobs_answers_probes_and_tells_systemd(
    manage: Manage, queue: SqliteHuey, start: Start, tmp_path: Path, kind: str
) -> None:
    log = tmp_path / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "s"))
        systemd.settimeout(20)
        child = start(
            kind, "-w", "2", "--http", "127.0.0.1:0", "--notify", "-l", str(log),
            "--log-format", "json", "--pidfile", str(tmp_path / "pid"), "--name", "shop",
            NOTIFY_SOCKET=str(tmp_path / "s"),
        )  # fmt: skip
        heard: list[str] = []
        while not any("READY=1" in one for one in heard):
            assert child.poll() is None, child.communicate()
            heard.append(systemd.recv(65536).decode())
    ordered = [manage("order", name) for name in ("ann", "bob")]
    wait_until(lambda: [_state(queue, each) for each in ordered] == [State.DONE] * 2, 20)

    (port,) = re.findall(r"http://127\.0\.0\.1:(\d+)/healthz", log.read_text())
    assert (ask(int(port), "/healthz"), ask(int(port), "/readyz")) == (200, 200)
    assert (tmp_path / "pid").read_text().strip() == str(child.pid)
    rows = [row for row in queue.storage.workers() if row.alive]
    assert {(row.kind, row.name.partition("/")[0]) for row in rows} == {(kind, "shop")}

    child.terminate()
    _, said = child.communicate(timeout=30)
    assert (child.returncode, said) == (0, "")
    assert not (tmp_path / "pid").exists()
    assert invoices(tmp_path) == [(name, f"invoice of {name}") for name in ("ann", "bob")]
    assert all(
        json.loads(line)["level"] in ("info", "debug") for line in log.read_text().splitlines()
    )


def _state(queue: SqliteHuey, key: str) -> Any:
    job = queue.storage.job(key)
    return job and job.state


def test_worker_processes_have_connections_of_their_own(
    manage: Manage, queue: SqliteHuey, environment: dict[str, str]
) -> None:
    """One that the project has opened before is closed when they are forked."""
    ordered = [manage("order", f"c{n}") for n in range(4)]
    code = (
        "import os, django; django.setup()\n"
        "from django.core.management import call_command\n"
        "from django.db import connection\n"
        "from hueycore.contrib.djhuey import on_startup\n"
        "connection.ensure_connection()\n"
        "@on_startup()\n"
        "def look():\n"
        "    word = b'open ' if connection.connection else b'closed '\n"
        "    os.write(1, word)  # in one piece: three processes say it\n"
        "call_command('run_huey', '-k', 'process', '-w', '3', '--burst')\n"
    )
    said = run_in(PROJECT, environment, "-c", code).stdout

    assert set(said.split()) == {"closed"}
    assert [_state(queue, each) for each in ordered] == [State.DONE] * 4


def test_greenlets_without_patching_are_refused_with_the_command_that_patches(
    environment: dict[str, str],
) -> None:
    pytest.importorskip("gevent")
    done = subprocess.run(
        [sys.executable, "manage.py", "run_huey", "-k", "greenlet"],
        cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip

    assert done.returncode == 1
    assert "run python -m gevent.monkey manage.py run_huey -k greenlet" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        (["--http", "nowhere"], 2, "is not HOST:PORT"),
        (["-k", "tread"], 2, "invalid choice"),
        (["-t", "soon"], 2, "-t/--shutdown-timeout"),
        (["-l", "/no/such/folder/log"], 74, "cannot write the log"),
        (["--pidfile", "/no/such/folder/pid"], 74, "cannot write the pidfile"),
        (["-w", "5000"], 1, "workers"),
    ],
)
def test_what_makes_no_sense_is_one_line(
    environment: dict[str, str], options: list[str], code: int, text: str
) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "run_huey", *options],
        cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip

    assert done.returncode == code, done.stderr
    assert text in done.stderr
    assert "Traceback" not in done.stderr


def test_it_has_the_options_of_consume(manage: Manage) -> None:
    """But those that a project's settings answer."""
    from hueyctl.commands.consume import consume

    theirs = set(re.findall(r"(?<![\w-])--?[\w-]+", manage("run_huey", "--help")))
    ours = {
        option.strip()
        for param in consume.params
        if isinstance(param, click.Option) and not isinstance(param, GlobalOption)
        for option in (*param.opts, *param.secondary_opts)
    }
    assert ours - theirs == {"--import", "--preflight", "--periodic", "--reload"}
