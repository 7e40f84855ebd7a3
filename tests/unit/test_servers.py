"""The servers that the tests make for themselves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests import servers
from tests.helpers import PYTHONPATH, wait_until
from tests.servers import Server

#: Prints the URL of its run's server, and waits to be killed.
RUN = "from tests import servers; print(servers.of_this_run(), flush=True); input()"


def one(dsn: str, query: str) -> object:
    with psycopg.connect(dsn) as con:
        row = con.execute(query.encode()).fetchone()
        assert row
        return row[0]


@pytest.fixture
def runs(
    postgres_binaries: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[subprocess.Popen[str]]]:
    """Two processes of another run of the tests, which share its server."""
    monkeypatch.setenv("PYTEST_XDIST_TESTRUNUID", f"of-{os.getpid()}")
    monkeypatch.delenv("HUEY_TEST_POSTGRES", raising=False)
    monkeypatch.setenv("PYTHONPATH", PYTHONPATH)
    started = [
        subprocess.Popen(
            [sys.executable, "-c", RUN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    yield started
    for run in started:
        run.kill()
        run.communicate()


def url(run: subprocess.Popen[str]) -> str:
    assert run.stdout
    return run.stdout.readline().strip()


def test_processes_of_a_run_share_a_server_and_nothing_is_left_when_they_are_killed(
    runs: list[subprocess.Popen[str]], postgres: str
) -> None:
    dsn = url(runs[0])
    assert dsn == url(runs[1]) != postgres
    folder = Path(dsn.partition("host=")[2])
    server = int((folder / "data" / "postmaster.pid").read_text().split()[0])
    runs[0].kill()
    runs[0].wait()
    assert one(dsn, "select 1") == 1
    runs[1].kill()
    runs[1].wait()
    wait_until(lambda: not folder.exists(), what="the folder is gone")
    wait_until(lambda: not is_running(server), what="the server is gone")


def is_running(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_schema_is_dropped_with_what_is_in_it(postgres: str) -> None:
    query = "select count(*) from pg_namespace where nspname = '{}'"
    with servers.schema(postgres) as name:
        assert one(postgres, query.format(name)) == 1
        with psycopg.connect(postgres) as con:
            con.execute(f"create table {name}.things (thing int)".encode())
    assert one(postgres, query.format(name)) == 0


def test_a_server_of_a_test_waits_for_the_disk_and_survives_what_is_done_to_it(
    postgres_server: Server,
) -> None:
    dsn = postgres_server.dsn
    assert one(dsn, "show fsync") == "on"
    with psycopg.connect(dsn) as con:
        con.execute("create table things (thing int)")
    for accident in (postgres_server.kill, lambda: postgres_server.stop(signal.SIGQUIT)):
        accident()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(dsn)
        postgres_server.start()
        assert one(dsn, "select count(*) from things") == 0
    postgres_server.restart()
    assert one(dsn, "select count(*) from things") == 0
