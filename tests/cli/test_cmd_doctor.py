"""doctor: what is wrong with the set-up."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from clikit import QueueFile
from operatingkit import alter

from hueycore.storage.sqlite.checkup import files
from hueyctl.commands.doctor.machine import has_wal_reset_bug, sqlite_release
from tests.helpers import give_up_after
from tests.storage.engines import lab_of

Invoke = Callable[..., Result]
OnTty = Callable[..., tuple[int, str]]
Hueyctl = Callable[..., subprocess.CompletedProcess[str]]

URL = ("-u", "queue.db")
NAMES = [
    "versions", "sqlite", "config", "app", "storage", "durability", "wal", "space", "files",
    "clock", "consumers", "alarms", "integrity", "tasks",
]  # fmt: skip


def report(invoke: Invoke, *words: str) -> dict[str, Any]:
    result = invoke("doctor", *words, "--json")
    found: dict[str, Any] = json.loads(result.stdout)
    problems = [row for row in found["checks"] if row["status"] == "problem"]
    assert found["schema"] == "hueyctl.doctor/1"
    assert found["problems"] == len(problems)
    assert found["ok"] is (result.exit_code == 0)
    return found


def check(found: dict[str, Any], name: str) -> dict[str, Any]:
    rows: list[dict[str, Any]] = [row for row in found["checks"] if row["name"] == name]
    return max(rows, key=lambda row: ["skipped", "ok", "warning", "problem"].index(row["status"]))


@pytest.mark.sqlite_only("a server is asked other questions")
def test_a_sound_queue_has_no_problems(mixed: QueueFile, invoke: Invoke) -> None:
    for words in ((), ("--full",)):
        found = report(invoke, *URL, *words)
        assert found["ok"]
        assert [row["name"] for row in found["checks"]] == NAMES
        assert check(found, "durability")["facts"]["per_second"] > 0
        assert check(found, "storage")["facts"]["queues"] == ["huey"]


@pytest.mark.sqlite_only("a server is asked other questions")
def test_people_get_a_line_per_question(mixed: QueueFile, invoke: Invoke) -> None:
    result = invoke("doctor", *URL)
    lines = result.stdout.splitlines()

    assert result.exit_code == 0
    assert lines[-1] == "No problems."
    assert [line.split()[1] for line in lines[:-1] if line[0] != " "] == NAMES


def test_an_application_is_imported_and_timed(mixed: QueueFile, app: str, invoke: Invoke) -> None:
    found = report(invoke, "-A", app)

    assert check(found, "app")["facts"]["tasks"] == 5
    assert check(found, "app")["facts"]["import_s"] >= 0


def test_jobs_of_tasks_that_nobody_registers_are_a_problem(
    queue: QueueFile, app: str, invoke: Invoke
) -> None:
    queue.add("app.add")
    queue.add("app.gone")
    queue.finish()
    assert check(report(invoke, "-A", app), "tasks")["status"] == "ok"

    for _ in range(2):
        queue.add("app.go*[e")
    found = check(report(invoke, "-A", app), "tasks")

    assert found["status"] == "problem"
    assert found["facts"] == {"task": "app.go*[e", "jobs": 2}


def test_functions_that_are_called_by_their_path_are_none(
    queue: QueueFile, app: str, invoke: Invoke, home: Path
) -> None:
    (home / "doctors_tools.py").write_text("def heal(): ...")
    (home / "doctors_broken.py").write_text("raise RuntimeError")
    queue.add("doctors_tools.heal")
    queue.add("doctors_broken.heal")

    assert check(report(invoke, "-A", app), "tasks")["status"] == "ok"
    queue.add("doctors_tools.kill")
    assert check(report(invoke, "-A", app), "tasks")["facts"]["task"] == "doctors_tools.kill"


def test_an_application_that_cannot_be_imported_is_78(home: Path, invoke: Invoke) -> None:
    (home / "doctor_broken.py").write_text("import nothing_like_it")

    result = invoke("doctor", "-A", "doctor_broken:huey")

    assert result.exit_code == 78
    assert "nothing_like_it" in result.stdout
    assert "1 problem" in result.stdout
    assert "Traceback" not in result.output


def test_a_broken_application_does_not_hide_the_storage(
    mixed: QueueFile, home: Path, invoke: Invoke
) -> None:
    (home / "doctor_broken.py").write_text("1 / 0")

    result = invoke("doctor", "-A", "doctor_broken:huey", *URL, "--json")

    assert result.exit_code == 78
    assert check(json.loads(result.stdout), "storage")["status"] == "ok"


def test_a_bad_config_file_is_78(home: Path, invoke: Invoke) -> None:
    (home / "hueyctl.toml").write_text("url = ")

    assert invoke("doctor").exit_code == 78


def test_without_anything_named_only_the_machine_is_looked_at(home: Path, invoke: Invoke) -> None:
    found = report(invoke)

    assert check(found, "storage")["status"] == "skipped"
    assert list(home.glob("*.db")) == []


def test_missing_files_and_garbage_are_problems(home: Path, invoke: Invoke) -> None:
    (home / "garbage.db").write_bytes(b"not a database at all" * 500)

    for name in ("missing.db", "garbage.db"):
        result = invoke("doctor", "-u", name)
        assert result.exit_code == 1
        assert "Traceback" not in result.output
    assert not (home / "missing.db").exists()


@pytest.mark.sql_only("a schema has a number")
def test_a_newer_schema_is_78(mixed: QueueFile, invoke: Invoke) -> None:
    mixed.storage.db.transact(
        lambda con: con.execute("update huey_meta set value = '99' where name = 'schema'")
    )

    result = invoke("doctor", *URL)

    assert result.exit_code == 78
    assert "99" in result.stdout


@pytest.mark.sqlite_only("it is about the file")
def test_a_damaged_page_is_found(mixed: QueueFile, home: Path, invoke: Invoke) -> None:
    for number in range(300):
        mixed.add("app.task", number)
    mixed.storage.close()
    path = home / "queue.db"
    with open(path, "r+b") as file:
        size = os.stat(path).st_size
        file.seek(size // 4096 * 4096 - 3 * 4096)
        file.write(b"\xff" * 4096)

    found = check(report(invoke, *URL), "integrity")

    assert found["status"] == "problem"


def test_a_broken_invariant_is_found_by_full_only(mixed: QueueFile, invoke: Invoke) -> None:
    lab_of(mixed.storage).set_payload(3, None)

    assert check(report(invoke, *URL), "integrity")["status"] in ("ok", "skipped")
    found = check(report(invoke, *URL, "--full"), "integrity")
    assert (found["status"], found["facts"]["rows"]) == ("problem", [3])


def test_dead_consumers_lose_their_jobs_to_the_doctor(
    queue: QueueFile, home: Path, invoke: Invoke, hueyctl: Hueyctl
) -> None:
    queue.add("app.task")
    script = (
        "import os, sys\n"
        "from hueycore.storage.open import open_storage\n"
        "from hueycore.model.jobs import Want\n"
        "storage = open_storage(sys.argv[1], create=False)\n"
        "number = storage.register(name='victim', kind='thread', slots=1)\n"
        "claim, = storage.exchange(number, [], Want(1)).claims\n"
        "storage.slots(number).start(0, claim.seq, claim.claim)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    died = subprocess.run([sys.executable, "-c", script, str(queue.where)], check=False)
    assert died.returncode == -signal.SIGKILL
    assert queue.state("1") == "running"

    found = check(report(invoke, *URL), "consumers")

    assert found["status"] == "warning"
    assert (found["facts"]["dead"], found["facts"]["recovered"]) == (1, [1])
    assert queue.state("1") == "pending"
    assert check(report(invoke, *URL), "consumers")["status"] == "ok"


def test_living_consumers_are_left_alone(queue: QueueFile, invoke: Invoke) -> None:
    number = queue.storage.register(name="w", kind="thread", slots=2)

    found = check(report(invoke, *URL), "consumers")

    assert (found["status"], found["facts"]["alive"]) == ("ok", 1)
    queue.storage.unregister(number)


@pytest.mark.parametrize(
    ("mode", "status"), [(0o600, "ok"), (0o660, "ok"), (0o644, "warning"), (0o666, "problem")]
)
@pytest.mark.sqlite_only("it is about the file")
def test_modes_of_the_file(
    queue: QueueFile, home: Path, invoke: Invoke, mode: int, status: str
) -> None:
    os.chmod(home / "queue.db", mode)

    found = check(report(invoke, *URL), "files")

    assert (found["status"], found["facts"]["mode"]) == (status, f"{mode:04o}")


@pytest.mark.root
@pytest.mark.sqlite_only("it is about the file")
@pytest.mark.parametrize(
    ("mode", "group", "status"),
    [(0o660, -1, "ok"), (0o600, -1, "problem"), (0o640, -1, "problem"), (0o660, 4711, "problem")],
)
def test_a_log_of_another_owner_is_right_where_the_group_has_it_in_common(
    queue: QueueFile, home: Path, mode: int, group: int, status: str
) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    queue.add("app.task")
    for name in ("queue.db", "queue.db-wal"):
        os.chmod(home / name, mode)
    # Not by the command: SQLite gives what it opens as root to the owner of the database.
    os.chown(home / "queue.db-wal", 12345, group)

    found = {each.status for each in files(str(home / "queue.db"))}

    assert status in found and ("problem" in found) == (status == "problem")


@pytest.mark.root
@pytest.mark.sqlite_only("it is about the file")
def test_owners_that_differ_are_a_problem(queue: QueueFile, home: Path, invoke: Invoke) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    queue.add("app.task")
    os.chown(home / "queue.db-huey", 12345, -1)

    # Whoever owns the side file could say who lives: the queue is not even opened with it.
    found = check(report(invoke, *URL), "storage")

    assert found["status"] == "problem"
    assert "12345" in found["message"]


def test_a_job_from_the_future_tells_of_a_clock(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.task")
    alter(queue, enqueued_at=time.time() + 3600)

    assert check(report(invoke, *URL), "clock")["status"] == "problem"


@pytest.mark.sqlite_only("it is about the file")
def test_a_log_that_grew_is_a_warning(
    mixed: QueueFile, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hueycore.storage.sqlite import checkup

    monkeypatch.setattr(checkup, "LOG_LIMIT", 1000)

    assert check(report(invoke, *URL), "wal")["status"] == "warning"


@pytest.mark.sqlite_only("it is about the file")
def test_a_network_file_system_is_a_problem(
    mixed: QueueFile, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hueycore.storage.sqlite import path

    monkeypatch.setattr(path, "file_system", lambda path, mountinfo="": "nfs4")

    found = check(report(invoke, *URL), "storage")

    assert (found["status"], found["facts"]) == ("problem", {"file_system": "nfs4"})


@pytest.mark.sqlite_only("it is about the file")
def test_a_disk_that_is_too_quick_is_a_warning(
    mixed: QueueFile, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.fsync", lambda descriptor: None)

    assert check(report(invoke, *URL), "durability")["status"] == "warning"


@pytest.mark.parametrize(
    ("version", "bug"),
    [
        ((3, 6, 23), False), ((3, 40, 1), True), ((3, 44, 5), True), ((3, 44, 6), False),
        ((3, 44, 9), False), ((3, 45, 0), True), ((3, 50, 6), True), ((3, 50, 7), False),
        ((3, 51, 0), True), ((3, 51, 2), True), ((3, 51, 3), False), ((3, 52, 0), False),
    ],
)  # fmt: skip
def test_the_releases_with_the_wal_reset_bug(version: tuple[int, int, int], bug: bool) -> None:
    assert has_wal_reset_bug(version) is bug


def test_a_sqlite_without_strict_tables_is_a_problem() -> None:
    assert sqlite_release((3, 36, 0)).status == "problem"
    assert sqlite_release((3, 53, 0)).status == "ok"
    assert sqlite_release((3, 45, 0)).status == "warning"


def test_secrets_are_masked(home: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUEYCTL_URL", "postgresql://ann:sesame@db/queue")

    for words in ((), ("--json",)):
        result = invoke("doctor", *words)
        assert result.exit_code == 1
        assert "sesame" not in result.output
        assert "HUEYCTL_URL" in result.output


@pytest.mark.sqlite_only("it is about the file")
def test_a_file_that_can_only_be_read_is_examined(
    mixed: QueueFile, home: Path, invoke: Invoke
) -> None:
    mixed.storage.close()
    os.chmod(home / "queue.db", 0o400)

    assert check(report(invoke, *URL), "integrity")["status"] == "ok"


@pytest.mark.sqlite_only("nobody can keep readers from a table for good")
def test_a_file_that_is_locked_for_good_is_a_problem(
    mixed: QueueFile, home: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_up_after(monkeypatch, 0.05)
    mixed.storage.close()
    other = sqlite3.connect(home / "queue.db", isolation_level=None)
    other.execute("pragma locking_mode=exclusive")
    other.execute("begin exclusive")
    try:
        assert check(report(invoke, *URL), "storage")["status"] == "problem"
    finally:
        other.close()


def test_hostile_names_are_spelled_out(queue: QueueFile, app: str, on_tty: OnTty) -> None:
    queue.add("app.\x1b[2J\n")

    code, shown = on_tty("doctor", "-A", app, "--color", "never")

    assert code == 1
    assert "\x1b" not in shown
    assert "app.\\x1b[2J" in shown
