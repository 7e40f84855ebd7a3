"""The examples of the pages, and a place where they run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from clikit import ROOT
from helpers import wait_until

from hueycore.model.jobs import Selector
from hueycore.model.states import State
from hueycore.storage.sqlite import SqliteStorage
from hueyctl.docs.topics import PAGES, text_of

APP = """
import time
from hueycore import Huey

huey = Huey("app", url="huey.db")


@huey.task()
def add(a: int, b: int) -> int:
    return a + b


@huey.task()
def broken(number: int) -> None:
    raise ValueError(number)


@huey.task()
def refund(order, amount, user, notify, ids, reason): ...


@huey.task(keep_logs=True)
def nap() -> None:
    time.sleep(600)
"""


#: Variables of hueyctl that a script finds set.
SETTINGS: dict[str, str] = {}


class Block(NamedTuple):
    page: str
    language: str
    text: str
    number: int

    def __str__(self) -> str:
        return f"{self.page}-{self.number}"


def blocks(*languages: str) -> list[Block]:
    """The fenced examples of all pages."""
    found = []
    for page in PAGES:
        fences = re.findall(r"^```(.*)\n((?s:.*?))^```$", text_of(page), flags=re.M)
        found += [Block(page, *fence, number) for number, fence in enumerate(fences)]
    return [block for block in found if not languages or block.language in languages]


class Place:
    """A folder with an application, a consumer that works, and dead letters."""

    def __init__(self, folder: Path, consumer: subprocess.Popen[bytes]) -> None:
        self.folder, self.consumer = folder, consumer
        self.storage = SqliteStorage(folder / "huey.db", read_only=True)
        self.words: dict[str, str] = {}

    def run(self, script: str, *exits: int) -> str:
        for word, other in self.words.items():
            script = script.replace(word, other)
        done = subprocess.run(
            ["bash", "-c", script], cwd=self.folder, env=environment(self.folder),
            capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode in (exits or (0,)), (script, done.stdout, done.stderr)
        return done.stdout

    def begin_a_long_run(self) -> int:
        """The number of a job that does not end."""
        self.run("hueyctl -A app.huey enqueue app.nap")
        running = Selector(states=(State.RUNNING,), task="app.nap")
        (job,) = wait_until(lambda: self.storage.jobs(running), 20)
        return job.seq


def environment(folder: Path) -> dict[str, str]:
    clean = {name: text for name, text in os.environ.items() if not name.startswith("HUEYCTL_")}
    return (
        clean
        | SETTINGS
        | {
            "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
            "PYTHONPATH": os.pathsep.join((str(ROOT / "core"), str(ROOT), str(folder))),
            "EDITOR": "touch",  # as somebody who saves
            "GROUP": str(os.getgid()),
        }
    )


@contextmanager
def place_in(folder: Path) -> Iterator[Place]:
    (folder / "app.py").write_text(APP)
    for name in ("migrate", "backup", "deploy"):
        (folder / name).write_text("#!/bin/sh\ntrue\n")
        (folder / name).chmod(0o755)
    for name in ("node_exporter", "etc", "backups"):
        (folder / name).mkdir()
    (folder / "letter.txt").write_text("It came too late.")
    lines = (json.dumps({"task": "app.add", "args": [n, n]}) for n in range(5))
    (folder / "numbers.jsonl").write_text("\n".join(lines))
    code = "import app; app.broken(1); app.broken(2)"
    subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment(folder), check=True)
    command = [sys.executable, "-m", "hueyctl", "consume", "app.huey", "-w", "2", "-q", "-t", "1"]
    with subprocess.Popen(
        command, cwd=folder, env=environment(folder), stderr=subprocess.DEVNULL
    ) as consumer:
        made = Place(folder, consumer)
        try:
            dead = Selector(states=(State.DEAD,))
            wait_until(lambda: made.storage.count(dead) == 2, 20)
            made.words = {
                "/etc/systemd/system/": "etc/",
                "/var/backups/": "backups/",
                "sqlite:///queue.db": "sqlite:///huey.db",
                "23926": str(consumer.pid),
            }
            yield made
        finally:
            made.storage.close()
            consumer.kill()
