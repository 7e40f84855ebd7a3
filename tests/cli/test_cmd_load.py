"""load: the jobs that Huey left come over from the command line, once."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from operatingkit import Invoke

from tests.helpers import wait_until

Run = Callable[..., subprocess.CompletedProcess[str]]

#: What an application is before and after the move, but for the first word.
APP = """
import json, time
from {package} import SqliteHuey
from {package}.serializer import {serializer} as Base
{more}
huey = SqliteHuey("{queue}", filename="{filename}", serializer={made})

@huey.task()
def double(n):
    return 2 * n

@huey.task()
def nap(n):
    time.sleep(n)

@huey.task(name="sum_up")
def sum_up(numbers):
    return sum(numbers)
"""
OLD_JSON = """
from huey.registry import Message

class Old(Base):
    def _serialize(self, data):
        value = data._asdict() if isinstance(data, Message) else data
        return json.dumps(value, default=str).encode()

    def _deserialize(self, data):
        found = json.loads(data)
        return Message(**found) if isinstance(found, dict) and "on_error" in found else found
"""
#: Queue: the serializer of Huey's, and ours.
KINDS = {
    "pickled": ("Serializer", "", "Base()", "Serializer", "Base()"),
    "packed": (
        "Serializer", "", "Base(compression=True)", "Serializer", "Base(compression=True)"
    ),
    "signed": (
        "SignedSerializer", "", "Base('secret')", "SignedSerializer", "Base('secret')"
    ),
    "json": ("Serializer", OLD_JSON, "Old()", "JSONSerializer", "Base()"),
}  # fmt: skip


def write_app(path: Path, package: str, queue: str = "pickled", filename: str = "huey.db") -> None:
    old = package == "huey"
    base, more, made, ours, made_here = KINDS[queue]
    path.write_text(
        APP.format(
            package=package,
            queue=queue,
            filename=filename,
            serializer=base if old else ours,
            more=more if old else "",
            made=made if old else made_here,
        )
    )


def huey_runs(home: Path, body: str) -> list[Any]:
    """What a program of Huey's prints, as JSON lines."""
    run = subprocess.run(
        [sys.executable, "-c", body], cwd=home, capture_output=True, text=True, check=True
    )
    return [json.loads(line) for line in run.stdout.splitlines()]


FILL = """
import json
from huey.api import chord
from {module} import *
huey.storage.conn.execute("pragma synchronous=off")
ids = {{}}
for n in range({count}):
    if n % 10 == 0:
        result = double.schedule((n,), delay=1 if n % 20 else 3600)
    elif n % 10 == 1:
        _, result = huey.enqueue(double.s(n).then(double))
    else:
        result = double(n)
    ids[result.id] = 4 * n if n % 10 == 1 else 2 * n
members = chord([double.s(n) for n in range(3)], sum_up.s())
ids[huey.enqueue(members).callback.id] = 6
print(json.dumps(ids))
"""


@pytest.fixture
def old(home: Path) -> dict[str, int]:
    """Six jobs of Huey's in huey.db, one of them in an hour; what they are to return."""
    write_app(home / "jobs.py", "huey")
    (ids,) = huey_runs(home, FILL.format(module="jobs", count=3))
    return ids


def change(invoke: Invoke, *words: str) -> dict[str, Any]:
    """What a command has changed, without a failure."""
    result = invoke(*words, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def error(invoke: Invoke, *words: str) -> tuple[int, str, str | None]:
    """Exit code, message and hint of a command that fails."""
    result = invoke(*words, "--json")
    told = json.loads(result.stderr.splitlines()[-1])["error"]
    return result.exit_code, told["message"], told["hint"]


def waiting(home: Path) -> int:
    with closing(sqlite3.connect(home / "huey.db")) as con:
        return int(con.execute("select count(*) from task").fetchone()[0])


@pytest.mark.feature("moving over")
def test_jobs_of_four_serializers_come_over_once_and_run(home: Path, hueyctl: Run) -> None:
    """A consumer of Huey's is killed on the way; what it has run is not run again."""
    expected, before = {}, {}
    for queue in KINDS:
        write_app(home / f"{queue}_jobs.py", "huey", queue)
        (ids,) = huey_runs(home, FILL.format(module=f"{queue}_jobs", count=1250))
        expected[queue] = ids
    consumer = subprocess.Popen(
        [sys.executable, "-m", "huey.bin.huey_consumer", "pickled_jobs.huey", "-w", "4"],
        cwd=home,
        env={**os.environ, "PYTHONPATH": str(home)},
        stderr=subprocess.DEVNULL,
    )
    start = waiting(home)
    try:
        wait_until(lambda: waiting(home) < start - 100, 30)
        refused = hueyctl("load", "--from-huey", "huey.db", "--queue", "packed")
    finally:
        consumer.send_signal(signal.SIGKILL)
        consumer.wait()
    assert refused.returncode == 6
    assert f"process {consumer.pid}" in refused.stderr
    with closing(sqlite3.connect(home / "huey.db")) as con:
        for table in ("task", "schedule", "kv"):
            before[table] = con.execute(f"select * from {table}").fetchall()

    for queue in KINDS:
        write_app(home / f"{queue}_jobs.py", "hueycore", queue)
        command = ["load", "--from-huey", "huey.db", "-A", f"{queue}_jobs:huey", "--json"]
        first, second = hueyctl(*command), hueyctl(*command)
        assert (first.returncode, second.returncode) == (0, 0), first.stderr
        assert json.loads(first.stdout)["changed"] > 0
        assert json.loads(second.stdout)["changed"] == 0
        hueyctl("reschedule", "--all", "--state", "scheduled", "--now", "--yes", "--queue", queue,
                "--url", "sqlite:///huey.db")  # fmt: skip
        consumed = hueyctl("consume", "-A", f"{queue}_jobs:huey", "--burst", "-w", "4")
        assert consumed.returncode == 0, consumed.stderr

    with closing(sqlite3.connect(home / "huey.db")) as con:
        for table, rows in before.items():
            assert con.execute(f"select * from {table}").fetchall() == rows
        states = dict(con.execute("select state, count(*) from huey_job group by state").fetchall())
    lost = 0
    for queue, ids in expected.items():
        answers = huey_runs(home, CHECK.format(queue=queue, ids=ids))
        wrong = {key: got for key, got in answers[0].items() if got not in (ids[key], "unknown")}
        assert wrong == {}
        unknown = [key for key, got in answers[0].items() if got == "unknown"]
        assert queue == "pickled" or unknown == []
        lost += len(unknown)
    assert lost <= 4  # what the killed consumer had in its hands
    assert states.keys() == {"done"}


CHECK = """
import json
from hueycore.exceptions import UnknownJob
from {queue}_jobs import huey
def ask(id):
    try:
        return huey.result(id, preserve=True)
    except UnknownJob:
        return "unknown"
print(json.dumps({{id: ask(id) for id in {ids}}}))
"""


def test_a_file_goes_into_itself_without_an_application(
    home: Path, old: dict[str, int], invoke: Invoke
) -> None:
    loaded = change(invoke, "load", "--from-huey", "huey.db")

    assert loaded["action"] == "load"
    assert loaded["changed"] == 8
    assert loaded["known"] == 0
    listed = invoke("list", "--json", "--url", "sqlite:///huey.db")
    assert len(listed.stdout.splitlines()) == 8
    assert change(invoke, "load", "--from-huey", "huey.db")["known"] == 8


def test_it_goes_into_another_file_that_is_made_only_when_asked(
    home: Path, old: dict[str, int], invoke: Invoke
) -> None:
    url = ("--url", "sqlite:///new.db")
    code, _, hint = error(invoke, "load", "--from-huey", "huey.db", *url)
    assert code == 69
    assert "--create" in (hint or "")

    loaded = change(invoke, "load", "--from-huey", "huey.db", *url, "--create")

    assert loaded["changed"] == 8
    with closing(sqlite3.connect(home / "huey.db")) as con:
        assert con.execute("select 1 from sqlite_master where name = 'huey_job'").fetchall() == []


def test_a_dry_run_writes_nothing(home: Path, old: dict[str, int], invoke: Invoke) -> None:
    told = change(invoke, "load", "--from-huey", "huey.db", "--dry-run")

    assert (told["matched"], told["changed"], told["dry_run"]) == (8, 0, True)
    with closing(sqlite3.connect(home / "huey.db")) as con:
        assert con.execute("select 1 from sqlite_master where name = 'huey_job'").fetchall() == []
    text = invoke("load", "--from-huey", "huey.db", "--dry-run")
    assert "8 jobs would come over" in text.stderr


def test_what_only_the_application_can_read_is_named_and_comes_with_it(
    home: Path, old: dict[str, int], hueyctl: Run
) -> None:
    (home / "money.py").write_text("class Money: pass\n")
    (ids,) = huey_runs(
        home,
        "import json\nfrom jobs import *\nfrom money import Money\n"
        "print(json.dumps(double(Money()).id))",
    )
    write_app(home / "jobs.py", "hueycore")

    without = hueyctl("load", "--from-huey", "huey.db", "-u", "sqlite:///huey.db", "--create")
    with_app = hueyctl("load", "--from-huey", "huey.db", "-A", "jobs:huey", "--json")

    assert without.returncode == 1
    assert f"{ids} jobs.double" in without.stderr
    assert "money.Money is only in the application" in without.stderr
    assert "8 jobs came over" in without.stderr
    assert json.loads(with_app.stdout)["ids"] == [ids]


def test_which_queue_is_meant_must_be_clear(
    home: Path, old: dict[str, int], invoke: Invoke
) -> None:
    write_app(home / "others.py", "huey", "packed")
    huey_runs(home, FILL.format(module="others", count=1))

    code, message, _ = error(invoke, "load", "--from-huey", "huey.db")
    assert code == 78
    assert "several queues: Huey's are packed, pickled" in message
    code, message, _ = error(invoke, "load", "--from-huey", "huey.db", "--queue", "mail")
    assert (code, "no queue 'mail'" in message) == (78, True)
    assert change(invoke, "load", "--from-huey", "huey.db", "--queue", "pickled")["changed"] == 8


def test_a_file_that_is_not_hueys_is_told(home: Path, invoke: Invoke) -> None:
    with closing(sqlite3.connect(home / "huey.db")) as con:
        con.execute("create table task (id integer, title text)")

    code, message, _ = error(invoke, "load", "--from-huey", "huey.db")
    assert code == 69
    assert "no tables of Huey's" in message
    assert error(invoke, "load", "--from-huey", "missing.db")[0] == 69


def test_doctor_and_whoever_only_looks_say_what_the_file_is(
    home: Path, old: dict[str, int], invoke: Invoke
) -> None:
    code, message, _ = error(invoke, "list", "--url", "sqlite:///huey.db")
    assert code == 69
    assert "Huey's, with 6 waiting jobs: hueyctl load --from-huey" in message
    change(invoke, "load", "--from-huey", "huey.db")
    huey_runs(home, "from jobs import double\ndouble(1)")

    found = json.loads(invoke("doctor", "--json", "--url", "sqlite:///huey.db").stdout)

    (note,) = [check for check in found["checks"] if check["name"] == "huey"]
    assert note["facts"] == {"queue": "pickled", "jobs": 1}
    assert "--from-huey" in note["hint"]


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="nobody can be seen without /proc")
def test_who_else_has_the_file_open_is_named(
    home: Path, old: dict[str, int], invoke: Invoke
) -> None:
    body = "from jobs import huey\nhuey.pending_count()\nprint(1, flush=True)\ninput()"
    with subprocess.Popen(
        [sys.executable, "-c", body], cwd=home, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as program:
        assert program.stdout is not None
        assert program.stdout.readline()
        result = invoke("load", "--from-huey", "huey.db")
        program.communicate(b"\n")

    assert result.exit_code == 0
    assert f"process {program.pid} (" in result.stderr
