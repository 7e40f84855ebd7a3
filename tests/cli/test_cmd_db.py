"""db info, backup, restore, vacuum: a queue file as a whole."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from clikit import QueueFile
from operatingkit import Invoke, OnTty, ask, consumer, error, states

from hueycore.model.jobs import Selector
from hueycore.storage.sqlite import SqliteStorage, space
from hueycore.storage.sqlite.schema import VERSION
from tests.storage.kit import new

Run = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.sqlite_only("a backup is a file")


def test_a_queue_is_copied_into_a_new_private_file(
    queue: QueueFile, invoke: Invoke, tmp_path: Path
) -> None:
    queue.add("app.add", 1, 2)
    file = tmp_path / "copy.db"

    result = ask(invoke, "db", "backup", str(file), "--json")

    found = json.loads(result.stdout)
    assert found == {
        "schema": "hueyctl.backup/1",
        "file": str(file),
        "bytes": file.stat().st_size,
    }
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    copy = SqliteStorage(file)
    assert copy.job("1") is not None
    copy.close()
    assert states(queue) == {1: "pending"}


def test_for_people_one_line_says_what_was_written(
    queue: QueueFile, invoke: Invoke, tmp_path: Path
) -> None:
    result = ask(invoke, "db", "backup", "copy.db")
    assert (result.exit_code, result.stdout) == (0, "")
    assert f"{os.path.getsize('copy.db'):,} bytes written to copy.db" in result.stderr
    assert "%" not in result.stderr
    shown = ask(invoke, "db", "backup", "copy.db", "--overwrite", "--progress")
    assert "100 %" in shown.stderr


def test_an_existing_file_is_refused_unless_said(queue: QueueFile, invoke: Invoke) -> None:
    Path("copy.db").write_text("mine")

    code, message, hint = error(invoke, "db", "backup", "copy.db")

    assert (code, message) == (6, "copy.db exists already")
    assert hint is not None and "--overwrite" in hint
    assert Path("copy.db").read_text() == "mine"


def test_a_folder_that_is_not_there_is_74(queue: QueueFile, invoke: Invoke) -> None:
    code, message, _ = error(invoke, "db", "backup", "missing/copy.db")
    assert code == 74
    assert "missing" in message


# --- info -----------------------------------------------------------------------------------------


def test_info_says_what_a_file_is_and_takes(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.add", 1, 2)

    found = json.loads(ask(invoke, "db", "info", "--json").stdout)

    assert (found["schema"], found["engine"], found["schema_version"]) == (
        "hueyctl.db/1",
        "SQLite",
        VERSION,
    )
    assert found["size_bytes"] == found["pages"] * found["page_size"] or found["log_bytes"]
    assert found["free_bytes"] == found["free_pages"] * found["page_size"]
    assert (found["journal_mode"], found["other_tables"], found["readers"]) == ("wal", [], [])
    shown = ask(invoke, "db", "info", "-o", "plain").stdout
    assert "engine" in shown and "SQLite" in shown


def test_info_names_who_keeps_the_log_long(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.add", 1, 2)
    code = """
import sqlite3, sys
con = sqlite3.connect("queue.db", isolation_level=None)
con.execute("begin"); con.execute("select count(*) from huey_job").fetchall()
print("reads", flush=True); sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None and child.stdout.readline() == "reads\n"
        found = json.loads(ask(invoke, "db", "info", "--json").stdout)
        child.communicate("")

    assert found["readers"] == [child.pid]


# --- vacuum ---------------------------------------------------------------------------------------


def test_a_vacuum_gives_space_back_to_the_disk(queue: QueueFile, invoke: Invoke) -> None:
    queue.storage.enqueue([new(payload=b"x" * 5000) for _ in range(200)])
    queue.storage.put("name", b"value")
    queue.storage.flush()
    queue.add("app.add", 1, 2)
    before = json.loads(ask(invoke, "db", "info", "--json").stdout)
    assert before["free_bytes"] > 500_000

    found = json.loads(ask(invoke, "db", "vacuum", "--json").stdout)

    assert found["before_bytes"] - found["after_bytes"] > 500_000
    assert json.loads(ask(invoke, "db", "info", "--json").stdout)["free_bytes"] == 0
    assert states(queue) == {201: "pending"}
    assert queue.storage.examine(full=True) == []


def test_a_person_is_told_what_a_vacuum_would_give_back(queue: QueueFile, on_tty: OnTty) -> None:
    queue.storage.enqueue([new(payload=b"x" * 5000) for _ in range(20)])
    queue.storage.flush()

    last = on_tty("db", "info", "-u", "queue.db")[1].splitlines()[-1]

    assert re.fullmatch(
        r"A vacuum gives \d+ KB back to the disk: hueyctl -u queue\.db db vacuum", last
    )


def test_a_vacuum_is_refused_beside_a_consumer(queue: QueueFile, invoke: Invoke) -> None:
    consumer(queue, "alpha")

    code, message, hint = error(invoke, "db", "vacuum")

    assert (code, message, hint) == (6, "consumers work on it: alpha", "stop them first")


def test_doctor_advises_a_vacuum_when_most_of_a_file_is_free(
    queue: QueueFile, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(space, "LARGE", 100_000)
    queue.storage.enqueue([new(payload=b"x" * 5000) for _ in range(200)])

    def said() -> tuple[str, str]:
        answer = json.loads(ask(invoke, "doctor", "--json").stdout)
        (note,) = [each for each in answer["checks"] if each["name"] == "space"]
        return note["status"], str(note["hint"])

    assert said() == ("ok", "None")
    queue.storage.flush()
    status, hint = said()
    assert status == "warning" and "hueyctl db vacuum" in hint


# --- restore --------------------------------------------------------------------------------------


def test_a_copy_comes_back_into_the_file_that_others_have_open(
    queue: QueueFile, invoke: Invoke
) -> None:
    queue.add("app.first")
    queue.finish(1)
    assert ask(invoke, "db", "backup", "copy.db").exit_code == 0
    queue.add("app.second")
    queue.storage.purge(Selector())

    done = ask(invoke, "db", "restore", "copy.db", "--yes", "--json")

    found = json.loads(done.stdout)
    assert (found["schema"], found["jobs"]) == ("hueyctl.restore/1", 1)
    assert states(queue) == {1: "done"}, "seen by a connection that was open"
    queue.add("app.third")
    assert states(queue) == {1: "done", 3: "pending"}, "2 was given out before"
    assert queue.storage.examine(full=True) == []


def test_a_restore_asks_and_goes_nowhere_without_an_answer(
    queue: QueueFile, invoke: Invoke
) -> None:
    assert ask(invoke, "db", "backup", "copy.db").exit_code == 0
    queue.add("app.add")

    code, _, hint = error(invoke, "db", "restore", "copy.db")

    assert code == 6 and hint is not None and "--yes" in hint
    assert states(queue) == {1: "pending"}


def test_a_restore_is_refused_beside_a_consumer_and_other_tables(
    queue: QueueFile, invoke: Invoke
) -> None:
    assert ask(invoke, "db", "backup", "copy.db").exit_code == 0
    queue.storage.sql("create table mine (x)", commit=True)
    code, message, _ = error(invoke, "db", "restore", "copy.db", "--yes")
    assert (code, message) == (
        6, "the file has tables of other programs, which would be lost: mine",
    )  # fmt: skip
    queue.storage.sql("drop table mine", commit=True)
    consumer(queue, "alpha")
    code, message, _ = error(invoke, "db", "restore", "copy.db", "--yes")
    assert (code, message) == (6, "consumers work on it: alpha")

    assert ask(invoke, "db", "restore", "copy.db", "--yes", "--force").exit_code == 0


@pytest.mark.parametrize("what", ["noise", "half", "empty"])
def test_what_is_no_copy_is_not_restored(queue: QueueFile, invoke: Invoke, what: str) -> None:
    queue.storage.enqueue([new(payload=b"x" * 5000) for _ in range(50)])
    assert ask(invoke, "db", "backup", "copy.db").exit_code == 0
    whole = Path("copy.db").read_bytes()
    Path("bad.db").write_bytes(
        {"noise": bytes(range(256)) * 20, "half": whole[: len(whole) // 2], "empty": b""}[what]
    )

    assert ask(invoke, "db", "restore", "bad.db", "--yes").exit_code == 69

    assert len(states(queue)) == 50
    assert queue.storage.examine(full=True) == []


def test_a_restore_makes_a_file_only_when_asked(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.add")
    assert ask(invoke, "db", "backup", "copy.db").exit_code == 0

    assert invoke("db", "restore", "copy.db", "-u", "new.db").exit_code == 69
    assert invoke("db", "restore", "copy.db", "-u", "new.db", "--create").exit_code == 0

    with closing(SqliteStorage("new.db", create=False)) as copy:
        assert copy.job("1") is not None
    assert invoke("db", "restore", "missing", "-u", "new.db", "--yes").exit_code == 2


# --- beside others --------------------------------------------------------------------------------

PRODUCER = """
import sys
from hueycore.storage.sqlite import SqliteStorage
from tests.storage.kit import new

storage = SqliteStorage("queue.db", timeout=30)
for number in range(400):
    storage.enqueue([new("app.add", id=f"job-{number}")])
    print(number, flush=True)
"""


def test_nobody_who_enqueues_beside_a_backup_and_a_vacuum_loses_a_job(
    queue: QueueFile, hueyctl: Run
) -> None:
    queue.storage.enqueue([new(payload=b"x" * 5000) for _ in range(500)])
    queue.storage.flush()
    with subprocess.Popen(
        [sys.executable, "-c", PRODUCER], stdout=subprocess.PIPE, text=True, cwd=os.getcwd()
    ) as producer:
        assert producer.stdout is not None and producer.stdout.readline() == "0\n"
        for number, words in enumerate(("backup", f"copy-{n}.db") for n in range(3)):
            assert hueyctl("db", *words, "-u", "queue.db").returncode == 0
            assert hueyctl("db", "vacuum", "-u", "queue.db").returncode == 0
            with closing(SqliteStorage(f"copy-{number}.db", read_only=True)) as copy:
                assert copy.examine(full=True) == []
        producer.communicate(timeout=60)

    assert producer.returncode == 0
    assert {job.id for job in queue.storage.jobs(Selector())} == {f"job-{n}" for n in range(400)}
    assert queue.storage.examine(full=True) == []


def test_a_disk_that_is_full_leaves_the_queue_as_it_was(
    queue: QueueFile, hueyctl: Run, invoke: Invoke
) -> None:
    queue.storage.enqueue([new(payload=b"x" * 5000) for _ in range(200)])
    assert ask(invoke, "db", "backup", "copy.db").exit_code == 0
    queue.storage.flush()
    queue.add("app.add", 1, 2)

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    for words in (("restore", "copy.db", "--yes"), ("vacuum",)):
        done = hueyctl("db", *words, "-u", "queue.db", preexec_fn=small)
        if words[0] == "restore":
            assert done.returncode in (69, 74), done.stderr
        assert states(queue) == {201: "pending"}
        assert queue.storage.examine(full=True) == []
