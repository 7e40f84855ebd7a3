"""The process itself: streams that close, break and fill, signals, files that are not queues."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clikit import DEADLINE, QueueFile, command, tells_of_a_lock

from hueycore.model.jobs import Selector
from tests.helpers import give_up_after, write_lock_of
from tests.storage.sql.lab import write

Run = Callable[..., subprocess.CompletedProcess[str]]
MANY = 3000


@pytest.fixture
def many(queue: QueueFile) -> QueueFile:
    """More jobs than a pipe holds."""
    from hueycore.model.jobs import NewJob
    from hueycore.system.ids import new_id

    payload = queue.serializer.serialize((("x" * 50,), {}))
    queue.storage.enqueue([NewJob(new_id(), "app.task", payload, "x" * 50) for _ in range(MANY)])
    return queue


@pytest.mark.parametrize("form", ["tsv", "json", "jsonl", "plain", "name"])
def test_a_reader_that_leaves_ends_the_command_quietly_with_141(many: QueueFile, form: str) -> None:
    producer = subprocess.Popen(
        command("list", "-u", "queue.db", "-o", form),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
    )
    assert producer.stdout is not None
    assert producer.stderr is not None
    producer.stdout.readline()
    producer.stdout.close()
    said = producer.stderr.read()
    producer.stderr.close()

    assert producer.wait(DEADLINE) == 141
    assert said == b""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize(
    "words", [("list",), ("list", "--json"), ("depth",), ("--help",), ("help", "states"), ("-V",)]
)
def test_a_full_disk_under_stdout_is_74_and_one_line(
    many: QueueFile, hueyctl: Run, words: tuple[str, ...]
) -> None:
    with open("/dev/full", "w") as full:
        done = hueyctl("-u", "queue.db", *words, stdout=full, stderr=subprocess.PIPE)

    assert done.returncode == 74
    assert "cannot write output: No space left on device" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_survived(many: QueueFile, closed: str) -> None:
    for words in ("list --json", "depth", "wait --for started -t 0.1s --allow-empty -", "--help"):
        line = f"{shlex.join(command('-u', 'queue.db'))} {words} {closed}"
        done = subprocess.run(
            ["sh", "-c", line], capture_output=True, text=True, check=False, timeout=DEADLINE
        )
        assert done.returncode == 0, (line, done.stderr)
        assert "Traceback" not in done.stderr


def test_with_stdout_closed_nothing_is_written_into_the_queue(
    queue: QueueFile, hueyctl: Run
) -> None:
    subprocess.run(
        ["sh", "-c", f"{shlex.join(command('enqueue', '-u', 'queue.db', 'a.task'))} >&-"],
        check=True,
        timeout=DEADLINE,
    )

    assert queue.storage.examine(full=True) == []
    assert queue.storage.count(Selector()) == 1


def test_an_interrupt_is_130_and_one_line(
    queue: QueueFile, spawn: Callable[..., Any], until: Callable[..., None]
) -> None:
    queue.add("app.task")
    child = spawn("wait", "1", "-u", "queue.db", "-v", env=os.environ | {"PYTHONUNBUFFERED": "1"})
    until(lambda: is_sleeping(child.pid))

    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=DEADLINE)

    assert child.returncode == 130
    assert said == "hueyctl: interrupted\n"


def test_an_interrupt_while_a_class_is_made_is_130_as_well(hueyctl: Run, home: Path) -> None:
    # A dataclass is made by exec(): CPython would end the process with the signal afterwards.
    (home / "app.py").write_text("import os\nexec('os.kill(os.getpid(), 2)')\n")

    done = hueyctl("tasks", "-A", "app.huey")

    assert done.returncode == 130
    assert done.stderr.endswith("hueyctl: interrupted\n")


def test_a_termination_of_a_waiting_command_is_the_signals_own(
    queue: QueueFile, spawn: Callable[..., Any], until: Callable[..., None]
) -> None:
    queue.add("app.task")
    child = spawn("wait", "1", "-u", "queue.db")
    until(lambda: is_sleeping(child.pid))

    child.terminate()

    assert child.wait(DEADLINE) == -signal.SIGTERM


def is_sleeping(pid: int) -> bool:
    """Whether the process has the queue open, a file or a connection, which it does after
    everything is imported."""
    try:
        opened = [
            os.readlink(f"/proc/{pid}/fd/{number}") for number in os.listdir(f"/proc/{pid}/fd")
        ]
        return any(name.endswith("queue.db") or name.startswith("socket:") for name in opened)
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("words", [("list",), ("depth",), ("wait", "1"), ("result", "1")])
def test_a_mistyped_path_is_69_and_creates_nothing(
    home: Path, hueyctl: Run, words: tuple[str, ...]
) -> None:
    for url in ("nope.db", "sqlite:///nope.db", f"sqlite:///{home}/nope.db?name=x", "no/such.db"):
        done = hueyctl(*words, "-u", url)
        assert done.returncode == 69
        assert done.stderr.startswith("hueyctl: there is no file ")
    assert sorted(os.listdir(home)) == [".git"]


def test_enqueue_with_a_mistyped_path_is_69_and_only_create_makes_the_file(
    home: Path, hueyctl: Run
) -> None:
    assert hueyctl("enqueue", "-u", "nope.db", "a.task").returncode == 69
    assert hueyctl("enqueue", "-u", "nope.db", "a.task", "--create", "--dry-run").returncode == 69
    assert not (home / "nope.db").exists()

    assert hueyctl("enqueue", "-u", "nope.db", "a.task", "--create").returncode == 0
    assert hueyctl("depth", "-u", "nope.db").stdout == "1\n"


@pytest.mark.parametrize("words", [("list",), ("depth",), ("enqueue", "a.task")])
def test_a_file_that_is_no_database_is_69_and_left_alone(
    home: Path, hueyctl: Run, words: tuple[str, ...]
) -> None:
    garbage = bytes(range(256)) * 20
    (home / "garbage.db").write_bytes(garbage)

    done = hueyctl(*words, "-u", "garbage.db")

    assert done.returncode == 69
    assert "not a database" in done.stderr
    assert "Traceback" not in done.stderr
    assert (home / "garbage.db").read_bytes() == garbage


def test_a_database_without_a_queue_is_69_and_gets_none(home: Path, hueyctl: Run) -> None:
    connection = sqlite3.connect("other.db")
    connection.execute("create table mine (a)")
    connection.commit()
    connection.close()

    for words in (("depth",), ("enqueue", "a.task"), ("enqueue", "a.task", "-Q", "x")):
        done = hueyctl(*words, "-u", "other.db")
        assert done.returncode == 69, done.stderr
        assert "no queue" in done.stderr
    connection = sqlite3.connect("other.db")
    assert connection.execute("select name from sqlite_master").fetchall() == [("mine",)]
    connection.close()


def test_a_directory_and_an_empty_file_are_69(home: Path, hueyctl: Run) -> None:
    (home / "empty.db").touch()

    assert hueyctl("depth", "-u", ".").returncode == 69
    assert hueyctl("depth", "-u", "empty.db").returncode == 69


@pytest.mark.sql_only("tables have a schema")
def test_a_newer_schema_is_78(queue: QueueFile, hueyctl: Run) -> None:
    write(queue.storage, "update huey_meta set value = '999' where name = 'schema'")

    done = hueyctl("depth", "-u", "queue.db", "--json")

    assert done.returncode == 78
    assert json.loads(done.stderr)["error"]["code"] == "config"


@pytest.mark.sql_only("a writer holds a lock")
def test_a_locked_queue_can_be_read_and_writing_is_69_when_it_stays_locked(
    queue: QueueFile, invoke: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    give_up_after(monkeypatch, 0.1)
    with write_lock_of(str(queue.where)):
        read = invoke("depth", "-u", "queue.db")
        written = invoke("enqueue", "-u", "queue.db", "a.task")

    assert (read.exit_code, read.stdout) == (0, "0\n")
    assert written.exit_code == 69
    assert tells_of_a_lock(written.stderr)


def test_a_bug_is_70_with_a_short_message_and_a_traceback_on_request(
    queue: QueueFile, invoke: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any) -> None:
        raise ZeroDivisionError("surprise")

    monkeypatch.setattr(type(queue.storage), "depths", fail)

    short = invoke("depth", "-u", "queue.db")
    long = invoke("depth", "-u", "queue.db", "-v")

    assert short.exit_code == long.exit_code == 70
    assert short.stderr.startswith("hueyctl: internal error: ZeroDivisionError: surprise\n")
    assert "Traceback" not in short.stderr
    assert "Traceback" in long.stderr


def test_output_survives_a_terminal_that_knows_only_ascii(queue: QueueFile, hueyctl: Run) -> None:
    queue.add("app.tâche", "snow ☃", preview="'snow ☃'")
    for extra in ({"LC_ALL": "C"}, {"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "POSIX"}):
        env = os.environ | extra
        text = hueyctl("list", "-u", "queue.db", env=env, encoding="utf-8")
        data = hueyctl("list", "-u", "queue.db", "--json", env=env, encoding="utf-8")

        assert text.returncode == data.returncode == 0, text.stderr
        assert json.loads(data.stdout)[0]["args"] == ["snow ☃"]


def test_lone_surrogates_do_not_break_the_output(queue: QueueFile, hueyctl: Run) -> None:
    queue.add("app.task", "\udcff", preview=None)

    data = hueyctl("list", "-u", "queue.db", "--json")

    assert data.returncode == 0
    assert json.loads(data.stdout)[0]["args"] == ["\udcff"]
