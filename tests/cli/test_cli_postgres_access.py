"""The way to a PostgreSQL server: where the password comes from, that nobody reads it, and what is
said when the server, the driver or a right is not there."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest
from clikit import DEADLINE

from tests import servers

Run = Callable[..., subprocess.CompletedProcess[str]]
Spawn = Callable[..., subprocess.Popen[str]]

PASSWORD = "sesame"
READY = "import os\nfrom hueycore import Huey\nhuey = Huey('shop', url=os.environ['SHOP_URL'])\n"


class Locked(NamedTuple):
    """A server that lets ann in with her password, into a schema of hers."""

    host: str
    port: int

    @property
    def bare(self) -> str:
        return f"postgresql://ann@{self.host}:{self.port}/huey?schema=jobs"

    @property
    def url(self) -> str:
        return self.bare.replace("ann@", f"ann:{PASSWORD}@")


@pytest.fixture(scope="module")
def locked(postgres_binaries: Path) -> Iterator[Locked]:
    with servers.crashing() as server:
        rules = server.data / "pg_hba.conf"
        asks = "".join(f"host all {name} 127.0.0.1/32 scram-sha-256\n" for name in ("ann", "bob"))
        rules.write_text(asks + rules.read_text())
        with psycopg.connect(server.dsn, autocommit=True) as con:
            for name in ("ann", "bob"):
                con.execute(f"create role {name} login password '{PASSWORD}'".encode())
            con.execute("create schema jobs authorization ann")
            con.execute("select pg_reload_conf()")
        assert server.port is not None
        there = Locked("127.0.0.1", server.port)
        from hueycore.storage.open import open_storage

        deadline = time.monotonic() + DEADLINE
        while _lets_in(server.dsn.replace("huey@", "ann@")):
            assert time.monotonic() < deadline, "the rules were not read again"
        open_storage(there.url, "shop").close()
        yield there


def _lets_in(dsn: str) -> bool:
    """Whether without any password."""
    try:
        psycopg.connect(dsn, password="").close()
    except psycopg.OperationalError:
        return False
    return True


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    for name in [name for name in os.environ if name.startswith("PG")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PGPASSFILE", str(home / "pgpass"))
    monkeypatch.setenv("PGSERVICEFILE", str(home / "services"))


def test_the_password_comes_from_where_psql_has_it(
    locked: Locked, hueyctl: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert hueyctl("depth", "-u", locked.url).stdout == "0\n"

    (home / "secret").write_text(f"{locked.url}\n")
    assert hueyctl("depth", "-u", "@secret").stdout == "0\n"

    (home / "services").write_text(
        f"[queues]\nhost={locked.host}\nport={locked.port}\nuser=ann\npassword={PASSWORD}\n"
        "dbname=huey\n"
    )
    assert hueyctl("depth", "-u", "postgresql:///?service=queues&schema=jobs").stdout == "0\n"

    (home / "pgpass").write_text(f"{locked.host}:*:huey:ann:{PASSWORD}\n")
    (home / "pgpass").chmod(0o600)
    assert hueyctl("depth", "-u", locked.bare).stdout == "0\n"
    (home / "pgpass").unlink()
    assert hueyctl("depth", "-u", locked.bare).returncode == 69

    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    assert hueyctl("depth", "-u", locked.bare).stdout == "0\n"
    monkeypatch.setenv("HUEYCTL_URL", locked.bare)
    assert hueyctl("depth").stdout == "0\n"


def test_no_answer_of_a_command_has_the_password(
    locked: Locked, hueyctl: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "shop.py").write_text(READY)
    monkeypatch.setenv("SHOP_URL", locked.url)
    words = ["-u", locked.url]
    for line in (
        ["doctor", *words], ["doctor", "--json", *words], ["stats", *words],
        ["stats", "--json", *words], ["metrics", *words], ["check", *words],
        ["config", "show", *words], ["config", "show", "--json", *words], ["list", "-v", *words],
        ["db", "backup", "x", *words], ["check", "--disk-free", "1", *words],
        ["consume", "shop", "--preflight", "--json"], ["consume", "shop", "--burst", "-v"],
        ["doctor", "-A", "shop"], ["scaffold", "compose", "shop", *words],
        ["list", "-v", "-u", locked.url.replace("huey?", "nothing?")],
        ["list", "-v", "-u", locked.url.replace("?schema", "?nonsense=1&schema")],
        ["list", "-v", "-u", locked.url.replace("127.0.0.1", "127.0.0.1,nowhere.invalid")],
        ["list", "-v", "-u", locked.url.replace("ann:", "ann'x:")],
        ["list", "-v", "-u", f"postgresql:/ann:{PASSWORD}@h/db"],
        ["list", "-v", "-u", f"{locked.bare}&password={PASSWORD}"],
    ):  # fmt: skip
        done = hueyctl(*line)
        assert PASSWORD not in done.stdout + done.stderr, line


def test_ps_shows_no_password_of_a_consumer_and_its_children(
    locked: Locked, spawn: Spawn, home: Path
) -> None:
    (home / "shop.py").write_text(READY.replace("url=os.environ['SHOP_URL']", "'huey.db'"))
    child = spawn("consume", "shop", "-k", "process", "-w", "2", "-u", locked.url)
    deadline = time.monotonic() + DEADLINE
    while len(family := _family(child.pid)) < 3:
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)

    lines = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in family]

    assert not any(PASSWORD.encode() in line for line in lines)
    assert b"ann:***@" in lines[0]
    child.terminate()
    _, log = child.communicate(timeout=DEADLINE)
    assert PASSWORD not in log


def _family(pid: int) -> list[int]:
    """A process, and those that it has started."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(each for child in children for each in _family(int(child)))]


@pytest.mark.parametrize(
    ("change", "said", "hint"),
    [
        (("sesame", "wrong"), "password authentication failed", "PGPASSWORD"),
        ((":sesame", ""), "no password supplied", "PGPASSWORD"),
        (("127.0.0.1", "nowhere.invalid"), "nowhere.invalid", "check the host"),
        (("/huey", "/nothing"), 'database "nothing" does not exist', "createdb"),
        (("=jobs", "=nothing"), 'no queue in the schema "nothing"', "--create"),
        (("?", "?nonsense=1&"), 'invalid URI query parameter: "nonsense"', "libpq"),
    ],
)
def test_an_address_that_is_wrong_is_one_line_and_a_next_step(
    locked: Locked, hueyctl: Run, change: tuple[str, str], said: str, hint: str
) -> None:
    done = hueyctl("depth", "-u", locked.url.replace(*change))

    message, step = done.stderr.splitlines()
    assert done.returncode == 69
    assert said in message
    assert hint in step
    assert hueyctl("check", "-u", locked.url.replace(*change)).returncode == 2


def test_a_server_that_is_away_is_named_with_every_address(hueyctl: Run) -> None:
    done = hueyctl("depth", "-u", "postgresql://ann@127.0.0.1:1,127.0.0.1:2/huey")

    message, step = done.stderr.splitlines()
    assert done.returncode == 69
    assert "port 1 failed: Connection refused" in message
    assert "port 2 failed: Connection refused" in message
    assert "is the server running" in step


def test_a_right_that_is_missing_is_named(locked: Locked, hueyctl: Run) -> None:
    bob = locked.url.replace("ann:", "bob:")

    looks = hueyctl("depth", "-u", bob)
    makes = hueyctl("enqueue", "a.b", "--create", "-u", bob.replace("=jobs", "=mine"))

    assert (looks.returncode, makes.returncode) == (69, 69)
    assert "permission denied for schema jobs" in looks.stderr
    assert "permission denied for database huey" in makes.stderr
    assert "hint: " in looks.stderr and "hint: " in makes.stderr


def test_a_newer_schema_is_78_and_asks_for_an_upgrade(
    postgres: str, postgres_schema: str, hueyctl: Run
) -> None:
    url = f"{postgres}{'&' if '?' in postgres else '?'}schema={postgres_schema}"
    assert hueyctl("enqueue", "a.b", "--create", "-u", url).returncode == 0
    with psycopg.connect(postgres) as con:
        table = f"{postgres_schema}.huey_meta"
        con.execute(f"update {table} set value = '99' where name = 'schema'".encode())

    for words in (("depth",), ("enqueue", "a.b"), ("doctor",)):
        done = hueyctl(*words, "-u", url)
        assert done.returncode == 78, words
        assert "99" in done.stderr + done.stdout
        assert "upgrade hueyctl" in done.stderr + done.stdout


def test_without_the_driver_one_line_says_what_to_install(
    hueyctl: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "elsewhere").mkdir()
    (home / "elsewhere" / "psycopg.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'psycopg'\", name='psycopg')"
    )
    path = os.environ["PYTHONPATH"]
    monkeypatch.setenv("PYTHONPATH", f"{home / 'elsewhere'}{os.pathsep}{path}")
    (home / "shop.py").write_text(READY)
    monkeypatch.setenv("SHOP_URL", "postgresql://h/db")

    for words in (("depth", "-u", "postgresql://h/db"), ("depth", "-A", "shop")):
        done = hueyctl(*words)
        assert done.returncode == 78
        assert len(done.stderr.splitlines()) == 1
        assert "pip install 'hueyctl[postgres]'" in done.stderr
    for words in (("consume", "shop"), ("consume", "shop", "--preflight", "--json")):
        done = hueyctl(*words)
        assert done.returncode == 78
        assert "pip install 'hueyctl[postgres]'" in done.stderr + done.stdout


def test_errors_are_json_where_json_was_asked_for(hueyctl: Run) -> None:
    done = hueyctl("list", "--json", "-u", "postgresql://ann:sesame@127.0.0.1:1/huey")

    error = json.loads(done.stderr)["error"]
    assert (error["code"], error["exit"]) == ("unavailable", 69)
    assert error["hint"] == "is the server running, and is it reached from here?"
