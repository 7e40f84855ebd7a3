"""Behind a pooler that gives each transaction another backend producers work, and consumers are
told why they do not."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from hueycore.exceptions import ConfigurationError
from hueycore.storage.postgres import PostgresStorage
from tests.helpers import PYTHONPATH, wait_until
from tests.storage.kit import born, new, one, worker
from tests.storage.postgres.conftest import Open

#: The pooler's own port, in a folder of its own.
PORT = 6432
_TARGET = ("host", "port", "dbname", "user", "password")

Pooler = Callable[[str], str]


@pytest.fixture
def pooler(postgres: str) -> Iterator[Pooler]:
    """Starts pgbouncer in a mode, and says where it is."""
    if shutil.which("pgbouncer") is None:
        if os.environ.get("HUEY_TEST_ENGINES") == "required":
            pytest.fail("no pgbouncer is installed")
        pytest.skip("no pgbouncer is installed")
    known = conninfo_to_dict(postgres)
    target = " ".join(f"{name}={known[name]}" for name in _TARGET if name in known)
    running: list[tuple[subprocess.Popen[bytes], str]] = []

    def start(mode: str) -> str:
        folder = Path(tempfile.mkdtemp(prefix="huey-pgbouncer-"))
        folder.chmod(0o777)  # it does not run as root
        (folder / "ini").write_text(
            f"""
[databases]
huey = {target}
[pgbouncer]
listen_port = {PORT}
unix_socket_dir = {folder}
auth_type = any
pool_mode = {mode}
"""
        )
        other: dict[str, Any] = {}
        if os.geteuid() == 0:
            other = {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []}
        command = ["pgbouncer", "-q", str(folder / "ini")]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, **other)
        running.append((process, str(folder)))
        wait_until(lambda: _listens(folder / f".s.PGSQL.{PORT}"))
        return f"postgresql://{known['user']}@/huey?host={folder}&port={PORT}"

    yield start
    for process, folder in running:
        process.kill()
        process.wait()
        shutil.rmtree(folder)


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


@pytest.fixture
def through(open_: Open, pooler: Pooler) -> PostgresStorage:
    """The queue, by way of a pooler in transaction mode."""
    return open_(dsn=pooler("transaction"))


@pytest.fixture
def direct(open_: Open) -> PostgresStorage:
    return open_()


def test_a_producer_enqueues_reads_and_steers(
    through: PostgresStorage, direct: PostgresStorage
) -> None:
    (job,) = through.enqueue([new(id="mine")])
    through.enqueue([new() for _ in range(600)])

    assert through.job("mine") is not None
    number = worker(direct)
    assert one(direct, number).seq == job.seq


def test_a_consumer_is_refused_and_told_why(through: PostgresStorage) -> None:
    born(through)

    for _ in range(2):
        with pytest.raises(
            ConfigurationError, match=r"pooler in transaction mode, such as pgbounc"
        ):
            worker(through)

    assert through.workers() == []


def test_in_session_mode_a_consumer_works(open_: Open, pooler: Pooler) -> None:
    storage = open_(dsn=pooler("session"))
    born(storage)

    assert one(storage, worker(storage)).seq == 1
    assert [found.alive for found in storage.workers()] == [True]


def test_a_producer_wakes_consumers_from_behind_a_pooler(
    through: PostgresStorage, direct: PostgresStorage
) -> None:
    direct.wait(0)
    assert not direct.wait(0.05)

    born(through)

    assert direct.wait(0.9)


def test_a_guest_may_come_through_a_pooler(
    through: PostgresStorage, direct: PostgresStorage
) -> None:
    with psycopg.connect(through.db.dsn, prepare_threshold=None) as con:
        (job,) = through.on(con).enqueue([new()])

    assert direct.job(str(job.seq)) is not None


def test_the_doctor_tells_a_pooler_in_transaction_mode_from_others(
    through: PostgresStorage, direct: PostgresStorage
) -> None:
    (behind,) = through.checkup()["server"]()
    (there,) = direct.checkup()["server"]()

    assert (behind.status, behind.facts["transaction_pooler"]) == ("warning", True)
    assert (there.status, there.facts["transaction_pooler"]) == ("ok", False)


def test_commands_work_behind_it_and_a_consumer_says_why_it_does_not(
    through: PostgresStorage, tmp_path: Path
) -> None:
    url = f"{through.db.dsn}&schema={through.db.schema}"
    (tmp_path / "app.py").write_text(
        f"from hueycore import Huey\nhuey = Huey('huey', url={url!r})\n"
    )

    def hueyctl(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "hueyctl", *words]
        env = {**os.environ, "PYTHONPATH": PYTHONPATH}
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)

    enqueued = hueyctl("enqueue", "app.task", "-u", url)
    start = hueyctl("consume", "app", "--burst")
    before = hueyctl("consume", "app", "--preflight")

    assert enqueued.returncode == 0
    assert hueyctl("depth", "-u", url).stdout == "1\n"
    assert (start.returncode, before.returncode) == (78, 78)
    for done in (start, before):
        assert "pooler in transaction mode" in done.stderr
