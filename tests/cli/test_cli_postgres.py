"""An operator's day on a queue in PostgreSQL, by the commands that are typed there."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from clikit import DEADLINE, QueueFile

Run = Callable[..., subprocess.CompletedProcess[str]]
Spawn = Callable[..., subprocess.Popen[str]]

SHOP = """
import os, time
from hueycore import Huey, crontab

huey = Huey("shop", url=os.environ["SHOP_URL"])

@huey.task()
def add(a, b):
    return a + b

@huey.task()
def fail():
    raise ValueError("no stock")

@huey.task()
def nap(seconds):
    time.sleep(seconds)

@huey.task(max_concurrent=1)
def pack(seconds):
    time.sleep(seconds)

@huey.periodic_task(crontab(minute="0"))
def hourly():
    pass
"""


@pytest.fixture
def url(postgres: str, postgres_schema: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where the shop's queue is, whose application is ``shop`` in the working directory."""
    url = f"{postgres}{'&' if '?' in postgres else '?'}schema={postgres_schema}"
    (home / "shop.py").write_text(SHOP)
    monkeypatch.setenv("SHOP_URL", url)
    return url


@pytest.fixture
def sold(url: str, hueyctl: Run) -> str:
    """Job 1 is done, 2 dead, 3 pending."""
    ok(hueyctl("enqueue", "shop.add", ":1", ":2", "-A", "shop"))
    ok(hueyctl("enqueue", "shop.fail", "-A", "shop"))
    ok(hueyctl("consume", "shop", "--burst"))
    ok(hueyctl("enqueue", "shop.add", ":3", ":4", "-A", "shop"))
    return url


@pytest.fixture
def consumer(url: str, hueyctl: Run, spawn: Spawn) -> Iterator[subprocess.Popen[str]]:
    child = spawn("consume", "shop", "-w", "2", "--name", "till")
    until(lambda: '"till"' in hueyctl("workers", "-u", url, "--json").stdout)
    yield child


def ok(done: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
    assert done.returncode == 0, done.stderr
    return done


def rows(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(ok(done).stdout)
    return found


def until(condition: Callable[[], Any]) -> Any:
    end = time.monotonic() + DEADLINE
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


def states(done: subprocess.CompletedProcess[str]) -> dict[int, str]:
    return {row["seq"]: row["state"] for row in rows(done)}


def test_jobs_are_queued_run_and_read(sold: str, hueyctl: Run) -> None:
    assert states(hueyctl("list", "--state", "all", "-u", sold, "--json")) == {
        1: "done",
        2: "dead",
        3: "pending",
    }
    assert ok(hueyctl("result", "1", "-A", "shop")).stdout == "3\n"
    assert ok(hueyctl("depth", "-u", sold)).stdout == "1\n"
    shown = json.loads(ok(hueyctl("show", "2", "-u", sold, "--json")).stdout)
    assert shown["error"]["message"] == "no stock"


def test_figures_are_those_of_the_server(sold: str, hueyctl: Run) -> None:
    figures = json.loads(ok(hueyctl("stats", "-u", sold, "--json")).stdout)

    assert figures["storage"]["kind"] == "postgresql"
    assert figures["storage"]["size_bytes"] > 0
    assert (figures["totals"]["done"], figures["totals"]["dead"]) == (1, 1)
    samples = ok(hueyctl("metrics", "-u", sold)).stdout
    assert 'ending="dead"} 1\n' in samples
    assert "\nhueyctl_connections_left " in samples


def test_dead_letters_are_listed_and_retried(sold: str, hueyctl: Run) -> None:
    (letter,) = rows(hueyctl("dead", "list", "-u", sold, "--json"))
    assert letter["task"] == "shop.fail"

    ok(hueyctl("dead", "retry", "2", "-u", sold, "--yes"))

    assert states(hueyctl("list", "--state", "all", "-u", sold, "--json"))[2] == "pending"
    ok(hueyctl("consume", "shop", "--burst"))
    assert len(rows(hueyctl("dead", "list", "-u", sold, "--json"))) == 1


def test_dead_letters_go_from_one_engine_into_another_and_back(
    sold: str, hueyctl: Run, home: Path
) -> None:
    ok(hueyctl("dead", "dump", "--to", "dead.jsonl", "--remove", "-u", sold))
    assert rows(hueyctl("dead", "list", "-u", sold, "--json")) == []

    ok(hueyctl("dead", "load", "dead.jsonl", "-u", "sqlite:///away.db", "--create"))
    (there,) = rows(hueyctl("dead", "list", "-u", "away.db", "--json"))
    ok(hueyctl("dead", "dump", "--to", "back.jsonl", "-u", "away.db"))
    ok(hueyctl("dead", "load", "back.jsonl", "-u", sold))
    (back,) = rows(hueyctl("dead", "list", "-u", sold, "--json"))

    assert (there["task"], back["task"]) == ("shop.fail", "shop.fail")
    assert there["id"] == back["id"]


def test_a_bad_line_is_refused_and_the_others_come(sold: str, hueyctl: Run, home: Path) -> None:
    ok(hueyctl("dead", "dump", "--to", "dead.jsonl", "--remove", "-u", sold))
    _, line, _ = (home / "dead.jsonl").read_text().splitlines()
    bad = json.dumps({**json.loads(line), "id": "another", "attempt": 2**40})
    (home / "both.jsonl").write_text(f"{bad}\n{line}\n")

    done = hueyctl("dead", "load", "both.jsonl", "-u", sold)

    assert done.returncode == 1
    assert "line 1" in done.stderr
    assert len(rows(hueyctl("dead", "list", "-u", sold, "--json"))) == 1


def test_why_a_job_waits(consumer: subprocess.Popen[str], url: str, hueyctl: Run) -> None:
    for _ in range(2):
        ok(hueyctl("enqueue", "shop.pack", ":30", "-A", "shop"))
    until(
        lambda: "running" in states(hueyctl("list", "--state", "all", "-u", url, "--json")).values()
    )

    (blocked,) = rows(hueyctl("list", "--state", "blocked", "-u", url, "--json"))
    reason = ok(hueyctl("why", str(blocked["seq"]), "-u", url)).stdout

    assert "shop.pack" in reason


def test_workers_are_seen_while_they_live_and_when_they_are_dead(
    consumer: subprocess.Popen[str], url: str, hueyctl: Run
) -> None:
    (row,) = rows(hueyctl("workers", "-u", url, "--json"))
    assert (row["name"], row["pid"], row["slots"]) == ("till", consumer.pid, 2)
    assert hueyctl("check", "-u", url, "--workers-min", "2:1").returncode == 0

    ok(hueyctl("enqueue", "shop.nap", ":30", "-A", "shop"))
    until(lambda: rows(hueyctl("workers", "-u", url, "--json"))[0]["busy"])
    consumer.kill()
    consumer.wait()

    until(lambda: hueyctl("check", "-u", url, "--workers-min", "2:1").returncode == 2)
    ok_or_problems = hueyctl("doctor", "-u", url, "--json")
    notes = {note["name"]: note for note in json.loads(ok_or_problems.stdout)["checks"]}
    assert notes["consumers"]["status"] in ("ok", "warning")


def test_a_consumer_stops_gently(consumer: subprocess.Popen[str], url: str, hueyctl: Run) -> None:
    consumer.terminate()

    assert consumer.wait(DEADLINE) == 0
    assert rows(hueyctl("workers", "-u", url, "--json")) == []


def test_schedules_and_locks(consumer: subprocess.Popen[str], url: str, hueyctl: Run) -> None:
    (row,) = rows(hueyctl("periodic", "list", "-u", url, "--json"))
    assert row["name"] == "shop.hourly"

    ok(hueyctl("periodic", "pause", "shop.hourly", "-u", url))
    assert rows(hueyctl("periodic", "list", "-u", url, "--json"))[0]["paused"]
    done = ok(hueyctl("lock", "acquire", "deploy", "-u", url, "--", "echo", "hello"))
    assert done.stdout == "hello\n"
    assert rows(hueyctl("lock", "list", "-u", url, "--json")) == []


def test_jobs_are_paused_revoked_and_purged(sold: str, hueyctl: Run) -> None:
    ok(hueyctl("pause", "-u", sold))
    ok(hueyctl("resume", "-u", sold))
    ok(hueyctl("revoke", "3", "-u", sold))
    assert states(hueyctl("list", "--state", "all", "-u", sold, "--json"))[3] == "revoked"

    ok(hueyctl("purge", "revoked", "-u", sold, "--yes"))

    assert 3 not in states(hueyctl("list", "--state", "all", "-u", sold, "--json"))


def test_what_huey_left_in_a_file_comes_to_the_server(sold: str, hueyctl: Run, home: Path) -> None:
    import huey as theirs

    old = theirs.SqliteHuey("shop", filename=str(home / "old.db"))
    old.task(name="add")(lambda a, b: a + b)(5, 6)
    old.storage.close()

    done = hueyctl("load", "--from-huey", "old.db", "-u", sold, "-Q", "shop")

    assert "1 job came over" in done.stderr
    assert ok(hueyctl("depth", "-u", sold)).stdout == "2\n"


@pytest.mark.parametrize(
    ("words", "tool"),
    [
        (("backup", "copy.db"), "pg_dump"),
        (("restore", "copy.db", "--yes"), "pg_restore"),
        (("vacuum",), "VACUUM FULL"),
    ],
    ids=["backup", "restore", "vacuum"],
)
def test_copies_and_space_are_the_servers_own_matter(
    sold: str, hueyctl: Run, home: Path, words: tuple[str, ...], tool: str
) -> None:
    done = hueyctl("db", *words, "-u", sold)

    assert done.returncode == 6
    assert tool in done.stderr
    assert not (home / "copy.db").exists()


def test_info_tells_of_the_server(sold: str, hueyctl: Run) -> None:
    found = json.loads(ok(hueyctl("db", "info", "-u", sold, "--json")).stdout)

    assert (found["schema"], found["engine"]) == ("hueyctl.db/1", "PostgreSQL")
    assert found["size_bytes"] > 0 and found["free_bytes"] is None
    assert {"live_rows", "dead_rows", "database", "oldest_reader"} <= {*found}


def test_nothing_is_made_where_one_only_looks(url: str, hueyctl: Run, postgres: str) -> None:
    missing = hueyctl("depth", "-u", url)
    enqueued = hueyctl("enqueue", "shop.add", "-u", url)

    assert (missing.returncode, enqueued.returncode) == (69, 69)
    assert "there is no queue in the schema" in missing.stderr
    assert "--create" in missing.stderr
    with psycopg.connect(postgres) as con:
        schema = url.partition("schema=")[2]
        found = con.execute("select 1 from pg_tables where schemaname = %s", (schema,)).fetchall()
    assert found == []
    ok(hueyctl("enqueue", "shop.add", "-u", url, "--create"))
    assert ok(hueyctl("depth", "-u", url)).stdout == "1\n"


def test_preflight_connects_and_makes_nothing(url: str, hueyctl: Run) -> None:
    done = ok(hueyctl("consume", "shop", "--preflight", "--json"))

    assert json.loads(done.stdout)["storage"].startswith("postgresql://")
    assert hueyctl("depth", "-u", url).returncode == 69


def test_a_server_that_takes_no_writes_is_named_before_a_consumer_starts(
    sold: str, hueyctl: Run
) -> None:
    frozen = f"{sold}&options=-c%20default_transaction_read_only%3Don"

    before = hueyctl("consume", "shop", "--preflight", "-u", frozen)
    start = hueyctl("consume", "shop", "-u", frozen)
    change = hueyctl("revoke", "3", "-u", frozen)

    assert (before.returncode, start.returncode, change.returncode) == (69, 69, 69)
    assert "takes no writes" in before.stderr
    assert "read-only transaction" in start.stderr
    assert "target_session_attrs=read-write" in change.stderr
    assert ok(hueyctl("depth", "-u", frozen)).stdout == "1\n"
    notes = json.loads(hueyctl("doctor", "-u", frozen, "--json").stdout)["checks"]
    (server,) = [note for note in notes if note["name"] == "server"]
    assert (server["status"], server["facts"]["writable"]) == ("problem", False)


def test_the_doctor_asks_the_server(sold: str, hueyctl: Run, postgres: str) -> None:
    with psycopg.connect(postgres) as idle:
        idle.execute("select txid_current()")
        found = json.loads(hueyctl("doctor", "-u", sold, "--full", "--json").stdout)
        oldest = idle.info.backend_pid

    notes = {note["name"]: note for note in found["checks"]}
    assert "sqlite" not in notes
    assert notes["server"]["facts"]["version"]
    assert notes["server"]["facts"]["standby"] is False
    assert notes["server"]["facts"]["transaction_pooler"] is False
    assert {"fsync", "synchronous_commit"} <= notes["durability"]["facts"].keys()
    assert notes["transaction"]["facts"]["pid"] == oldest
    assert str(oldest) in notes["transaction"]["message"]
    assert notes["connections"]["facts"]["left"] > 0
    assert notes["rows"]["facts"]["live"] > 0
    assert notes["integrity"]["status"] == notes["clock"]["status"] == "ok"


def test_a_consumer_names_who_keeps_the_server_from_cleaning(
    url: str, postgres: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hueycore.storage.open import open_storage
    from hueycore.storage.postgres import checkup

    monkeypatch.setattr(checkup, "LONG_TRANSACTION", 0.0)
    with closing(open_storage(url, "shop")) as storage, psycopg.connect(postgres) as idle:
        idle.execute("select txid_current()")
        storage.checkpoint()
        storage.checkpoint()
        pid = idle.info.backend_pid

    (line,) = [record.getMessage() for record in caplog.records if "oldest" in record.message]
    assert f"select pg_terminate_backend({pid})" in line


def test_check_has_the_figures_of_a_server(sold: str, hueyctl: Run, postgres: str) -> None:
    ok(hueyctl("consume", "shop", "--burst"))  # what waits for nobody is an alarm
    with psycopg.connect(postgres) as idle:
        idle.execute("select txid_current()")
        words = ("--transaction", "1h:2h", "--connections-left", "3:1")
        fine = hueyctl("check", "-u", sold, *words)
        late = hueyctl("check", "-u", sold, "--transaction", "0s:1h")

    assert (fine.returncode, late.returncode) == (0, 1)
    assert "connections_left=" in fine.stdout
    assert re.search(r"transaction \S+ \(>0s\), pid \d+", late.stdout)
    assert hueyctl("check", "-u", sold, "--disk-free", "1G:1M").returncode == 3


@pytest.mark.sqlite_only("it is about the file")
def test_a_file_has_no_figures_of_a_server(queue: QueueFile, hueyctl: Run) -> None:
    done = hueyctl("check", "-u", "queue.db", "--transaction", "1m:1h")

    assert done.returncode == 3
    assert "another engine" in done.stdout
