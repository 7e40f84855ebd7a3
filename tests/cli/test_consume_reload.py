"""consume --reload: a consumer that follows the edits of its application."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from clikit import DEADLINE, QueueFile, living_workers

Run = Callable[..., Any]
Until = Callable[..., None]

TASK = """

@huey.task()
def version():
    import os, time
    while not os.path.exists("go"):
        time.sleep(0.01)
    return NUMBER
"""


class Edited:
    """An application in a file that is edited, and what its consumer says."""

    def __init__(self, home: Path, where: Path | str, hueyctl: Run) -> None:
        self.home, self.where, self.hueyctl = home, where, hueyctl
        self.app = home / "app.py"
        self.base = self.app.read_text()
        (home / "go").touch()

    def write(self, number: str) -> None:
        # In one step, as editors do it.
        (self.home / "new").write_text(self.base + TASK.replace("NUMBER", number))
        os.replace(self.home / "new", self.app)

    def enqueue(self) -> str:
        done = self.hueyctl("enqueue", "-u", "queue.db", "app.version")
        assert done.returncode == 0, done.stderr
        return str(done.stdout.strip())

    def result(self, key: str) -> str:
        return str(self.hueyctl("result", "-u", "queue.db", key, "--wait", "-t", "20").stdout)

    def said(self) -> str:
        return (self.home / "said").read_text()


@pytest.fixture
def edited(queue: QueueFile, home: Path, app: str, hueyctl: Run) -> Edited:
    made = Edited(home, queue.where, hueyctl)
    made.write("1")
    return made


@pytest.fixture
def reloading(edited: Edited, home: Path, spawn: Run, until: Until) -> Any:
    with (home / "said").open("w") as said:
        child = spawn("consume", "app:huey", "--reload", stderr=said)
        until(lambda: len(living_workers(edited.where)) == 1)
        yield child


@pytest.mark.slow
def test_a_change_starts_it_anew_and_a_running_job_ends_before(
    edited: Edited, queue: QueueFile, reloading: Any, home: Path, until: Until
) -> None:
    assert edited.result(edited.enqueue()) == "1\n"
    (home / "go").unlink()
    running = edited.enqueue()
    until(lambda: queue.state(running) == "running")
    before = living_workers(edited.where)[0]

    edited.write("2")
    until(lambda: "app.py changed; starting anew" in edited.said())
    until(lambda: [row.state for row in living_workers(edited.where)] == ["stopping"])
    (home / "go").touch()

    assert edited.result(running) == "1\n"
    job = queue.storage.job(running)
    assert job is not None
    assert job.attempt == 1
    assert edited.result(edited.enqueue()) == "2\n"
    assert living_workers(edited.where)[0].pid != before.pid
    reloading.terminate()
    assert reloading.wait(DEADLINE) == 0
    assert living_workers(edited.where) == []


@pytest.mark.slow
def test_an_application_that_cannot_be_imported_waits_for_the_next_change(
    edited: Edited, reloading: Any, until: Until
) -> None:
    edited.write("(")
    until(lambda: "it starts when a file has changed" in edited.said())
    assert "SyntaxError" in edited.said()
    assert "ended with 78" in edited.said()
    assert living_workers(edited.where) == []

    edited.write("3")

    assert edited.result(edited.enqueue()) == "3\n"


@pytest.mark.slow
def test_it_ends_with_its_reloader_however_that_ends(
    edited: Edited, reloading: Any, until: Until
) -> None:
    reloading.kill()

    until(lambda: living_workers(edited.where) == [])


@pytest.mark.slow
def test_a_consumer_that_is_through_ends_its_reloader(edited: Edited, spawn: Run) -> None:
    key = edited.enqueue()
    child = spawn("consume", "app:huey", "--reload", "--burst")

    assert child.wait(DEADLINE) == 0
    assert edited.result(key) == "1\n"


@pytest.mark.slow
def test_an_interrupt_while_it_waits_for_a_file_to_be_mended_ends_it(
    edited: Edited, home: Path, spawn: Run, until: Until
) -> None:
    edited.write("(")
    with (home / "said").open("w") as said:
        child = spawn("consume", "app:huey", "--reload", stderr=said)
        until(lambda: "it starts when a file has changed" in edited.said())
        child.send_signal(signal.SIGINT)

        assert child.wait(DEADLINE) == 0


def test_without_watchfiles_it_says_how_to_install_them(
    app: str, invoke: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "watchfiles", None)

    result = invoke("consume", app, "--reload")

    assert result.exit_code == 78
    assert result.stderr == (
        "hueyctl: --reload needs watchfiles\nhint: pip install 'hueyctl[reload]'\n"
    )
