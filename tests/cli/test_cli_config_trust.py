"""Config files that were merely found: whose they are, and what they may make a command do."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from clikit import QueueFile, Write

from hueyctl import config

Invoke = Callable[..., Result]

SOMEBODY = 4242
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")


@pytest.fixture
def below(queue: QueueFile, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory inside the project, whose file names the queue."""
    queue.add("app.add", 1)
    (home / "pyproject.toml").write_text(f'[tool.hueyctl]\nurl = "{queue.where}"\n')
    folder = home / "inner"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def doubted(result: Result, path: Path) -> str:
    assert result.exit_code == 2
    lines = [line for line in result.stderr.splitlines() if str(path) in line]
    assert len(lines) == 1
    return lines[0]


def test_a_file_above_that_others_may_write_is_not_believed(
    below: Path, invoke: Invoke, home: Path
) -> None:
    path = home / "pyproject.toml"
    assert invoke("depth").stdout == "1\n"
    path.chmod(0o666)
    assert "others may write it" in doubted(invoke("depth"), path)
    assert invoke("depth", "--config", str(path)).stdout == "1\n"
    path.chmod(0o664)
    assert invoke("depth").stdout == "1\n"


@as_root
def test_a_file_or_link_of_another_user_is_not_believed(
    below: Path, invoke: Invoke, home: Path
) -> None:
    path = home / "pyproject.toml"
    os.chown(path, SOMEBODY, -1)
    assert f"uid {SOMEBODY}" in doubted(invoke("depth"), path)
    os.chown(path, 0, SOMEBODY)
    path.chmod(0o664)
    assert "others may write it" in doubted(invoke("depth"), path)

    path.rename(home / "true.toml")
    os.chown(home / "true.toml", 0, 0)
    path = home / "hueyctl.toml"
    path.symlink_to("true.toml")
    assert not config._doubt(str(path), trusted=False)
    os.chown(path, SOMEBODY, -1, follow_symlinks=False)
    assert f"uid {SOMEBODY}" in doubted(invoke("depth"), path)


@as_root
def test_in_its_own_folder_a_file_of_the_folders_owner_is_believed(
    below: Path, invoke: Invoke, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = home / "pyproject.toml"
    monkeypatch.chdir(home)
    for owner, believed in ((SOMEBODY, False), (0, True)):
        os.chown(path, owner, owner)
        assert (invoke("depth").exit_code == 0) is believed
    os.chown(path, SOMEBODY, SOMEBODY)
    os.chown(home, SOMEBODY, SOMEBODY)
    assert invoke("depth").stdout == "1\n"
    path.chmod(0o646)
    assert "others may write it" in doubted(invoke("depth"), path)


def test_a_file_that_is_not_believed_does_not_hide_the_next(
    below: Path, invoke: Invoke, home: Path
) -> None:
    (below / "hueyctl.toml").write_text('url = "planted.db"\n')
    (below / "hueyctl.toml").chmod(0o666)
    result = invoke("depth")
    assert result.stdout == "1\n"
    assert str(below / "hueyctl.toml") in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("list",), ("stats",), ("show", "1"), ("why", "1"), ("check",), ("metrics",), ("depth",),
        ("workers",), ("tasks",), ("events",), ("logs", "1"), ("result", "1"), ("wait", "1"),
        ("dead", "list"), ("dead", "summary"), ("dead", "dump"), ("dead", "show", "1"),
        ("periodic", "list"), ("periodic", "next"), ("lock", "list"), ("db", "backup", "b.db"),
        ("pending",), ("scheduled",), ("config", "show"), ("doctor",),
    ],
)  # fmt: skip
def test_to_look_imports_no_application_because_of_a_file(
    invoke: Invoke, home: Path, words: tuple[str, ...]
) -> None:
    (home / "hueyctl.toml").write_text('app = "planted:huey"\n')
    (home / "planted.py").write_text("open('it-ran', 'w').close()\nraise SystemExit(3)\n")

    for more in ((), ("--config", "hueyctl.toml")):
        result = invoke(*words, *more)
        assert not (home / "it-ran").exists()
        if words[0] not in ("config", "doctor"):
            assert "planted:huey" in result.output and result.exit_code in (2, 3)
            if words[0] != "check":
                assert "hint: say --app planted:huey" in result.stderr


def test_the_url_of_a_file_is_enough_to_look(
    queue: QueueFile, invoke: Invoke, home: Path, app: str, write: Write
) -> None:
    queue.add("app.add", 1)
    write("hueyctl.toml", f'app = "{app}"\nurl = "queue.db"\n')
    (home / "app.py").write_text("raise SystemExit(3)")
    assert invoke("depth").stdout == "1\n"


def test_what_changes_something_imports_the_application_of_a_file(
    invoke: Invoke, home: Path, app: str
) -> None:
    (home / "hueyctl.toml").write_text(f'app = "{app}"\n')
    assert invoke("enqueue", "app.add", "1").exit_code == 0
    assert invoke("revoke", "1").exit_code == 0
    result = invoke("tasks", "-A", app)
    assert result.exit_code == 0 and "app.add" in result.stdout
