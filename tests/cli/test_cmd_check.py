"""check: a line and an exit code for a monitoring system."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from clikit import QueueFile
from operatingkit import alter

from hueycore.constants import WORKER_PROCESS

Invoke = Callable[..., Result]
OnTty = Callable[..., tuple[int, str]]
Hueyctl = Callable[..., subprocess.CompletedProcess[str]]

URL = ("-u", "queue.db")


@pytest.fixture(autouse=True)
def served(request: pytest.FixtureRequest) -> None:
    """A consumer without workers of its own: who waits is not left alone, which is an alarm."""
    if "queue" in request.fixturenames:
        queue = request.getfixturevalue("queue")
        queue.storage.register(name="supervisor", kind=WORKER_PROCESS, slots=0)


def aged(queue: QueueFile, seconds: float) -> None:
    alter(queue, run_at=lambda at: at - seconds)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 0, "HUEY OK - pending 2, oldest 0s | pending=2 oldest=0s "),
        (("--depth", "2:3"), 0, "HUEY OK - "),
        (("--depth", "1:3"), 1, "HUEY WARNING - pending 2 (>1) | pending=2;1;3 "),
        (("--depth", "0:1"), 2, "HUEY CRITICAL - pending 2 (>1) | pending=2;0;1 "),
        (("--depth", ":1"), 2, "HUEY CRITICAL - pending 2 (>1) | pending=2;;1 "),
        (("--depth", "1"), 1, "HUEY WARNING - pending 2 (>1) | pending=2;1 "),
        (("--dead", "0:5"), 1, "HUEY WARNING - dead 1 (>0) | "),
        (("--failure", "60%:80%"), 0, "HUEY OK - "),
        (("--failure", "5:20"), 2, "HUEY CRITICAL - failure 50% (>20%) | "),
        (("--workers-min", "2:1"), 2, "HUEY CRITICAL - workers 0 (<1) | "),
        (("--workers-min", "1:"), 1, "HUEY WARNING - workers 0 (<1) | "),
        (("--dead", "0:5", "--depth", "0:1"), 2, "HUEY CRITICAL - pending 2 (>1), dead 1 (>0) | "),
    ],
)  # fmt: skip
def test_the_worst_figure_decides(
    mixed: QueueFile, invoke: Invoke, words: tuple[str, ...], code: int, said: str
) -> None:
    check_line(invoke, words, code, said)


@pytest.mark.sqlite_only("a server does not tell of its disk")
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--disk-free", "1k:1"), 0, "HUEY OK - "),
        (("--disk-free", "900000T:1"), 1, "HUEY WARNING - disk_free "),
    ],
)  # fmt: skip
def test_the_room_on_the_disk_decides(
    mixed: QueueFile, invoke: Invoke, words: tuple[str, ...], code: int, said: str
) -> None:
    check_line(invoke, words, code, said)


def check_line(invoke: Invoke, words: tuple[str, ...], code: int, said: str) -> None:
    result = invoke("check", *URL, *words)

    assert result.exit_code == code
    assert re.sub(r"oldest( |=)0\.\ds", r"oldest\g<1>0s", result.stdout).startswith(said)
    assert len(result.stdout.splitlines()) == 1
    assert result.stderr == ""


def test_the_oldest_is_an_age(mixed: QueueFile, invoke: Invoke) -> None:
    aged(mixed, 92)

    result = invoke("check", *URL, "--oldest", "60s:5m")

    assert result.exit_code == 1
    assert re.match(r"HUEY WARNING - oldest 9\d(\.\d)?s \(>60s\) \| ", result.stdout)
    assert re.search(r" oldest=9\d(\.\d)?s;60;300 ", result.stdout)


@pytest.mark.sqlite_only("there is a free space of its disk")
def test_performance_data_has_the_form_of_the_plugin_api(mixed: QueueFile, invoke: Invoke) -> None:
    words = ("--depth", "5:9", "--workers-min", "2:1", "--disk-free", "2M:1M", "--failure", "1:2")
    figures = invoke("check", *URL, *words).stdout.partition(" | ")[2].split()

    limit = r"[\d.]*:?"
    for figure in figures:
        assert re.fullmatch(rf"[a-z_]+=(U|[\d.]+(s|%|B)?)(;{limit}(;{limit})?)?", figure), figure
    assert "workers=0;2:;1:" in figures


@pytest.mark.sql_only("figures are moved in their table")
def test_the_window_is_what_failures_are_about(mixed: QueueFile, invoke: Invoke) -> None:
    mixed.storage.db.transact(
        lambda con: con.execute("update huey_metric set minute = minute - 30")
    )

    # Where nothing ran nothing failed.
    assert invoke("check", *URL, "--failure", "1:2").exit_code == 0
    assert invoke("check", *URL, "--failure", "1:2", "--window", "1h").exit_code == 2


def test_the_document_has_a_row_per_figure(mixed: QueueFile, invoke: Invoke) -> None:
    result = invoke("check", *URL, "--depth", "1:9", "--json")
    found = json.loads(result.stdout)

    assert result.exit_code == 1
    assert (found["schema"], found["status"]) == ("hueyctl.check/1", "warning")
    assert found["checks"][0] == {
        "name": "pending", "value": 2, "warn": 1, "crit": 9, "status": "warning",
    }  # fmt: skip
    assert [row["name"] for row in found["checks"]] == [
        "pending", "oldest", "failure", "dead", "workers", "alarms",
    ]  # fmt: skip


def test_quiet_leaves_the_exit_code(mixed: QueueFile, invoke: Invoke) -> None:
    result = invoke("check", *URL, "--workers-min", "1:1", "-q")

    assert (result.exit_code, result.output) == (2, "")


def test_living_workers_count(queue: QueueFile, invoke: Invoke) -> None:
    number = queue.storage.register(name="w", kind="thread", slots=2)

    assert invoke("check", *URL, "--workers-min", "2:1").exit_code == 0
    assert invoke("check", *URL, "--workers-min", "3:1").exit_code == 1
    queue.storage.unregister(number)


def test_an_empty_queue_is_fine(queue: QueueFile, invoke: Invoke) -> None:
    words = ("--depth", "0:0", "--oldest", "1s:1s", "--failure", "0:0", "--dead", "0:0")

    assert invoke("check", *URL, *words).exit_code == 0


@pytest.mark.parametrize(
    "words",
    [
        ("--depth", "9:1"), ("--workers-min", "1:2"), ("--depth", "many"), ("--depth", ":"),
        ("--depth", "-1:2"), ("--failure", "200%"), ("--disk-free", "2X"), ("--oldest", "soon"),
        ("--nothing",), ("--time-format", "x"), ("more",), ("-Q", "nowhere"),
        ("-u", "ftp://x/y"),
    ],
)  # fmt: skip
def test_a_wrong_option_is_unknown_and_never_an_alarm(
    mixed: QueueFile, invoke: Invoke, words: tuple[str, ...]
) -> None:
    result = invoke("check", *URL, *words)

    assert result.exit_code == 3
    assert result.stdout.startswith("HUEY UNKNOWN - ")
    assert len(result.stdout.splitlines()) == 1


def test_a_storage_out_of_reach_is_critical(home: Path, invoke: Invoke) -> None:
    (home / "garbage.db").write_bytes(b"not a database at all" * 500)

    for name in ("missing.db", "garbage.db"):
        result = invoke("check", "-u", name)
        assert result.exit_code == 2
        assert result.stdout.startswith("HUEY CRITICAL - ")
        assert invoke("check", "-u", name, "-q").output == ""
        found = json.loads(invoke("check", "-u", name, "--json").stdout)
        assert (found["status"], found["checks"]) == ("critical", [])
        assert found["message"]


def test_an_application_that_cannot_be_imported_is_unknown(home: Path, invoke: Invoke) -> None:
    (home / "check_broken.py").write_text("1 / 0")

    result = invoke("check", "-A", "check_broken:huey")

    assert result.exit_code == 3
    assert "ZeroDivisionError" in result.stdout
    assert len(result.stdout.splitlines()) == 1


@pytest.mark.sqlite_only("it is about the file")
def test_a_file_that_can_only_be_read_is_enough(
    mixed: QueueFile, home: Path, hueyctl: Hueyctl
) -> None:
    mixed.storage.close()
    os.chmod(home / "queue.db", 0o400)

    assert hueyctl("check", *URL).returncode == 0


def test_hostile_messages_are_spelled_out(home: Path, on_tty: OnTty) -> None:
    code, shown = on_tty("check", "-u", "no\x1b[2J\nfile")

    assert code == 2
    assert "\x1b[2J" not in shown
    assert "no\\x1b[2J" in shown
