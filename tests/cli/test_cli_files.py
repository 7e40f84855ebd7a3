"""Files that a user names to be written: a queue is never overwritten, no link is followed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from clikit import APP, QueueFile

from hueyctl import files
from hueyctl.changes.dumpfile import DumpFile
from hueyctl.errors import CliError
from hueyctl.service.pidfile import Pidfile

pytestmark = pytest.mark.sqlite_only("it is about files")

Run = Callable[..., subprocess.CompletedProcess[str]]
Invoke = Callable[..., Result]


def refused(path: Path, why: str) -> None:
    with pytest.raises(CliError, match=why) as caught:
        Pidfile(str(path)).take()
    assert (caught.value.code, bool(caught.value.hint)) == (6, True)


def test_a_queue_that_is_named_as_pidfile_or_log_is_left_as_it_was(
    app: str, queue: QueueFile, hueyctl: Run, home: Path
) -> None:
    queue.add("app.add", 1)
    queue.storage.close()
    before = {path.name: path.read_bytes() for path in home.glob("queue.db*")}
    assert "queue.db-huey" in before

    for name in before:
        for option in ("--pidfile", "--logfile"):
            done = hueyctl("consume", app, "--burst", option, name)
            assert done.returncode == 6, done.stderr
            assert f"{option} {name}" in done.stderr and "hint: name another file" in done.stderr

    for name, content in before.items():
        assert (home / name).read_bytes() == content
    assert queue.path.exists()


def test_what_holds_no_pid_is_no_pidfile(home: Path) -> None:
    for number, content in enumerate((b"notes\n", b"12 34", b"9" * 33, b"12\x00", b"-1")):
        path = home / str(number)
        path.write_bytes(content)
        refused(path, "holds no pid")
        assert path.read_bytes() == content
    os.mkfifo(home / "pipe")
    refused(home / "pipe", "holds no pid")
    for number, content in enumerate((b"", b"\n", b"4194304\n", b"77")):
        path = home / f"pid{number}"
        path.write_bytes(content)
        pidfile = Pidfile(str(path))
        pidfile.take()
        assert path.read_text() == f"{os.getpid()}\n"
        pidfile.drop()
        assert not path.exists()


def test_a_pidfile_follows_no_link(home: Path) -> None:
    (home / "target").write_text("")
    (home / "link").symlink_to("target")
    (home / "dangling").symlink_to("nothing")
    refused(home / "link", "is a link")
    refused(home / "dangling", "is a link")
    assert (home / "target").read_text() == ""
    assert not (home / "nothing").exists()


def test_a_file_that_took_the_place_of_the_pidfile_is_not_removed(home: Path) -> None:
    pidfile = Pidfile(str(home / "pid"))
    pidfile.take()
    (home / "new").write_text("somebody's")
    (home / "new").replace(home / "pid")
    pidfile.drop()
    assert (home / "pid").read_text() == "somebody's"


def test_a_link_of_another_user_is_no_log(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "log").symlink_to("elsewhere")
    files.refuse_planted("--logfile", "log")
    files.refuse_planted("--logfile", "missing")
    owner = os.lstat("log").st_uid
    if owner == 0:
        os.chown("log", 4242, -1, follow_symlinks=False)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(CliError, match="another user"):
        files.refuse_planted("--logfile", "log")


def test_figures_replace_no_queue_and_follow_no_link(
    queue: QueueFile, invoke: Invoke, home: Path
) -> None:
    queue.add("app.add", 1)
    for name in ("queue.db", "queue.db-wal", "queue.db-huey"):
        result = invoke("metrics", "-u", "queue.db", "--textfile", name)
        assert result.exit_code == 6
        assert f"--textfile {name}" in result.stderr
    assert queue.state("1") == "pending"

    (home / "mine").write_text("mine")
    planted = home / f"out.prom.{os.getpid()}.tmp"
    planted.symlink_to("mine")
    assert invoke("metrics", "-u", "queue.db", "--textfile", "out.prom").exit_code == 0
    assert (home / "mine").read_text() == "mine"
    assert "hueyctl_jobs" in (home / "out.prom").read_text()
    assert not planted.is_symlink()


def test_a_backup_replaces_no_queue_that_was_worked_with(
    queue: QueueFile, invoke: Invoke, home: Path
) -> None:
    other = QueueFile(home / "other.db")
    other.add("app.add", 1)
    other.storage.close()
    before = other.path.read_bytes()

    result = invoke("db", "backup", "-u", "queue.db", "other.db", "--overwrite")

    assert result.exit_code == 69
    assert "other.db-huey" in result.stderr
    assert other.path.read_bytes() == before


def test_a_dump_does_not_take_the_name_of_a_file_that_came_meanwhile(home: Path) -> None:
    with pytest.raises(FileExistsError), DumpFile(str(home / "dump")) as file:
        file.write("a line")
        (home / "dump").write_text("somebody's")
        file.finish()
    assert [path.name for path in home.iterdir() if path.is_file()] == ["dump"]
    assert (home / "dump").read_text() == "somebody's"


def test_a_dump_follows_no_link(queue: QueueFile, invoke: Invoke, home: Path) -> None:
    (home / "link").symlink_to("nothing")
    result = invoke("dead", "dump", "-u", "queue.db", "--to", "link")
    assert result.exit_code == 1
    assert not (home / "nothing").exists()


#: Whatever makes the file ``new.db``, typed in a folder with an application and copies of a queue.
MAKING = [
    "enqueue app.add 1 -u new.db --create",
    "enqueue app.add 1 --then app.add -u new.db --create",
    "enqueue app.add 1 -A app:huey",
    "enqueue app.add 1 --then app.add -A app:huey",
    "enqueue --from jobs.jsonl -A app:huey",
    "enqueue app.add 1 -A app:huey -u new.db --create",
    "periodic add tick --every 1h app.add 1 -u new.db --create",
    "periodic add tick --every 1h app.add 1 -A app:huey",
    "consume app:huey --burst",
    "consume app:huey -k process --burst",
    "load all.jsonl -u new.db --create",
    "dead load dead.jsonl -u new.db --create",
    "db restore copy.db -u new.db --create",
    "demo --db new.db --keep --count 50 --seconds 2",
]


@pytest.fixture
def material(queue: QueueFile, home: Path, invoke: Invoke) -> None:
    """A dump of each kind, a copy, a file of lines, and an application whose queue is nowhere."""
    queue.add("app.add", 1)
    queue.kill()
    for words in (
        ("dump", "--to", "all.jsonl"),
        ("dead", "dump", "--to", "dead.jsonl"),
        ("db", "backup", "copy.db"),
    ):
        assert invoke(*words, "-u", "queue.db").exit_code == 0
    (home / "app.py").write_text(APP.replace("queue.db", "new.db"))
    (home / "jobs.jsonl").write_text('{"task": "app.add", "args": [1]}\n')


@pytest.mark.parametrize("line", MAKING)
def test_whoever_makes_a_queue_says_so_once(
    line: str, material: None, hueyctl: Run, home: Path
) -> None:
    said = f"created {home / 'new.db'}\n"

    made = hueyctl(*line.split())

    assert (made.returncode, made.stderr.count(said)) == (0, 1), made.stderr
    assert "created" not in made.stdout
    if not line.startswith("demo"):
        assert "created" not in hueyctl(*line.split(), "-y" if "restore" in line else "-v").stderr


def test_who_is_quiet_makes_none_or_only_looks_says_nothing(
    material: None, hueyctl: Run, home: Path
) -> None:
    for words in (
        ("enqueue", "app.add", "1", "-A", "app:huey", "--dry-run"),
        ("list", "-A", "app:huey"),
        ("enqueue", "app.add", "1", "-u", "queue.db"),
        ("enqueue", "app.add", "1", "-A", "app:huey", "-q"),
    ):
        assert "created" not in hueyctl(*words).stderr, words
    assert (home / "new.db").exists()
