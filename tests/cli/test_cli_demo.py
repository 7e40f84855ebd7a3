"""demo: quick runs of the real thing."""

from __future__ import annotations

import glob
import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clikit import DEADLINE, ROOT, command

Run = Callable[..., Any]
SHORT = ("demo", "--count", "150", "--seconds", "1.5")


@pytest.fixture(autouse=True)
def temporary(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Temporary files where the test can see them."""
    folder = home.parent / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


def left_behind(folder: Path) -> list[str]:
    return glob.glob(f"{folder}/hueyctl-demo-*")


def test_nothing_is_lost_when_a_consumer_is_killed(hueyctl: Run, temporary: Path) -> None:
    done = hueyctl(*SHORT)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "kill -9" in done.stdout
    assert "consumer 2 started" in done.stdout
    assert "Nothing was lost." in done.stdout
    assert "\x1b" not in done.stdout
    tries = done.stdout.partition("Try:\n")[2].splitlines()
    assert len(tries) == 3
    assert all(line.strip().startswith("hueyctl ") for line in tries)
    assert left_behind(temporary) == []


def test_the_account_as_json_adds_up_whatever_the_settings_of_the_person(
    hueyctl: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUEYCTL_URL", "sqlite:///nope.db")
    monkeypatch.setenv("HUEYCTL_CONSUME_WORKER_TYPE", "greenlet")

    done = hueyctl(*SHORT, "--json")

    account = json.loads(done.stdout)
    assert account["schema"] == "hueyctl.demo/1"
    assert account["queued"] == 150
    assert account["done"] + account["dead"] == 150
    assert (account["lost"], account["wrong"]) == (0, 0)
    assert account["dead"] == 3


def test_the_file_can_be_named_and_kept_and_the_suggestions_work(hueyctl: Run, home: Path) -> None:
    done = hueyctl(*SHORT, "--db", "mine.db", "--keep")

    assert done.returncode == 0, done.stderr
    for line in done.stdout.partition("Try:\n")[2].splitlines():
        tried = subprocess.run(
            ["sh", "-c", line.replace("hueyctl", " ".join(command()), 1)],
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE,
        )
        assert tried.returncode == 0, tried.stderr
    assert hueyctl("depth", "-u", "mine.db", "--state", "dead").stdout == "3\n"
    assert hueyctl(*SHORT, "--db", "mine.db").returncode == 6


def test_a_terminal_gets_a_live_view_and_its_cursor_back(on_tty: Run, home: Path) -> None:
    code, shown = on_tty(*SHORT, "--db", "mine.db")

    assert code == 0, shown
    assert sorted(os.listdir(home)) == [".git"]
    assert "consumer 2 started" in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")
    assert "Nothing was lost." in shown


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_demo_leaves_nothing_behind(
    spawn: Run, until: Callable[..., None], temporary: Path, number: int, code: int
) -> None:
    child = spawn("demo", "--seconds", "30")
    line = child.stdout.readline()
    assert "consumer 1 started (pid " in line
    consumer = int(line.rpartition("pid ")[2].rstrip(")\n"))

    child.send_signal(number)

    assert child.wait(DEADLINE) == code
    assert left_behind(temporary) == []
    assert not os.path.exists(f"/proc/{consumer}/status")


def test_make_demo_installs_what_running_needs_and_nothing_else(tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}

    def plan(target: str) -> str:
        words = ["make", "-n", target, f"VENV={tmp_path}"]
        return subprocess.run(
            words, cwd=ROOT, env=environ, capture_output=True, text=True, check=True
        ).stdout

    assert '--editable "."' in plan("demo")
    assert "[dev]" not in plan("demo")
    assert '--editable ".[dev]"' in plan("test")
    # Where the tests ran, there is all of it.
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").touch()
    (tmp_path / ".dev").touch()
    assert "--editable" not in plan("demo")
