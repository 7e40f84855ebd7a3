"""consume with its options on every kind of workers: real consumers, real files."""

from __future__ import annotations

import json
import os
import re
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clikit import DEADLINE, living_workers, state_of_job

Run = Callable[..., Any]
Until = Callable[..., None]

KINDS = ("thread", "greenlet", "asyncio", "process")

MORE = """
import asyncio, os, time
from app import huey

@huey.task(context=True)
def whole(task=None):
    return [open("worker.pid").read().split(), os.environ.get("IT"), task.attempt]

@huey.task()
async def anap(seconds):
    await asyncio.sleep(seconds)

@huey.on_startup()
def begin():
    with open("began", "a") as file:
        file.write(f"{os.getpid()}\\n")
"""


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, home: Path, app: str) -> str:
    if request.param == "greenlet":
        pytest.importorskip("gevent")
    (home / "more.py").write_text(MORE)
    kind: str = request.param
    return kind


def records(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_burst_with_settings_from_everywhere(
    kind: str, app: str, hueyctl: Run, home: Path
) -> None:
    """Kind and import from the file, name and log from the environment, the rest as options."""
    (home / "pyproject.toml").write_text(
        f'[tool.hueyctl]\napp = "{app}"\n[tool.hueyctl.consume]\nworker-type = "{kind}"\n'
        'workers = 7\nimport = "more"\n'
    )
    for _ in range(12):
        hueyctl_enqueue(home, "app.add", 1)
    hueyctl_enqueue(home, "more.whole")
    hueyctl_enqueue(home, "app.boom", "x")
    hueyctl_enqueue(home, "more.anap", 0.01)
    environ = os.environ | {
        "HUEYCTL_CONSUME_NAME": "it", "HUEYCTL_CONSUME_LOG_FORMAT": "json", "IT": "here",
    }  # fmt: skip

    done = hueyctl(
        "consume", "--burst", "-w", "2", "-M", "4", "--pidfile", "worker.pid", env=environ
    )

    assert done.returncode == 0, done.stderr
    states = Counter(state_of_job(home / "queue.db", str(n)) for n in range(1, 16))
    assert states == {"done": 14, "dead": 1}
    assert not (home / "worker.pid").exists()
    said = records(done.stderr)
    assert any("consumer it, process" in line["message"] for line in said)
    (pid,) = (found[1] for line in said if (found := re.search(r"process (\d+):", line["message"])))
    shown = json.loads(hueyctl("result", "13", "--json", "-u", "queue.db").stdout)
    assert shown["value"] == [[pid], "here", 1]
    # 15 jobs and one retry: with four for each worker, two at once, at least four began.
    began = (home / "began").read_text().split()
    assert len(began) >= 4
    assert (len(set(began)) > 2) == (kind == "process")

    of_jobs = [line for line in said if line["job"] is not None]
    assert {line["job"] for line in of_jobs} == set(range(1, 16))
    for line in of_jobs:
        assert line["job_id"] and line["task"] and line["attempt"] >= 1
        assert 0 <= line["duration"] < 10
    assert {(line["job"], line["attempt"]) for line in of_jobs} >= {(14, 1), (14, 2), (15, 1)}


def hueyctl_enqueue(home: Path, task: str, *args: Any) -> None:
    """As quick as a test wants it."""
    from clikit import QueueFile

    queue = QueueFile(home / "queue.db")
    try:
        queue.add(task, *args, retries=1 if task == "app.boom" else 0)
    finally:
        queue.storage.close()


def test_workers_are_shown_at_work_and_their_log_is_for_people(
    kind: str, app: str, hueyctl: Run, spawn: Run, until: Until, home: Path
) -> None:
    task = "more.anap" if kind == "asyncio" else "app.nap"
    for _ in range(2):
        hueyctl_enqueue(home, task, 60)
    words = ("--import", "more", "--name", "it", "-v", "-l", "log", "-t", "0.2")
    child = spawn("consume", app, "-k", kind, "-w", "3", *words)
    path = home / "queue.db"
    until(lambda: [state_of_job(path, n) for n in "12"] == ["running"] * 2)
    until(lambda: sum(row.slots for row in living_workers(path)) == 3)
    until(lambda: sum(len(row.running) for row in living_workers(path)) == 2)

    found = json.loads(hueyctl("workers", "-A", app, "--json").stdout)

    jobs = [job for one in found for job in one["jobs"]]
    assert sorted(job["seq"] for job in jobs) == [1, 2]
    assert {job["task"] for job in jobs} == {task}
    assert {one["kind"] for one in found} == {kind}
    assert all(one["rss_bytes"] > 1_000_000 for one in found)
    if kind == "process":
        names = [one["name"] for one in found]
        assert names == ["it/1", "it/2", "it/3", "it/scheduler"]
        assert sorted(one["state"] for one in found) == ["busy", "busy", "idle", "idle"]
        assert [one["slots"] for one in found] == [1, 1, 1, 0]
        assert len({one["pid"] for one in found}) == 4
    else:
        assert [(one["name"], one["state"], one["slots"]) for one in found] == [("it", "busy", 3)]
        assert found[0]["pid"] == child.pid

    child.terminate()
    # A thread cannot be stopped; all others give back what they ran.
    assert child.wait(DEADLINE) == 1
    text = (home / "log").read_text()
    assert re.search(r"DEBUG:hueycore\.execute:\S+:job 1 of \S+ begins, attempt 1\n", text)
    assert living_workers(path) == []


def test_time_is_over(kind: str, app: str, hueyctl: Run) -> None:
    done = hueyctl("consume", app, "-k", kind, "--max-time", "0.3s")

    assert done.returncode == 0, done.stderr
    assert "stopping: the time is over" in done.stderr


def test_preflight_of_every_kind_creates_nothing(
    kind: str, app: str, hueyctl: Run, home: Path
) -> None:
    done = hueyctl("consume", app, "-k", kind, "--preflight", "--import", "more", "--json")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["tasks"] == 7
    assert not (home / "queue.db").exists()


def test_preflight_says_what_a_kind_lacks(home: Path, hueyctl: Run) -> None:
    (home / "memory.py").write_text("from hueycore import MemoryHuey\nhuey = MemoryHuey('m')\n")
    (home / "late.py").write_text(
        "from hueycore import Huey\nhuey = Huey(filename='q.db', worker_type='greenlet')\n"
    )

    done = hueyctl("consume", "memory:huey", "-k", "process", "--preflight")
    late = hueyctl("consume", "late:huey", "--preflight")

    assert (done.returncode, late.returncode) == (78, 78)
    assert "worker processes cannot share a queue in memory" in done.stderr
    assert "`hueyctl consume -k greenlet` does it" in late.stderr


def test_a_pidfile_is_not_the_childrens_to_remove(
    kind: str, app: str, hueyctl: Run, spawn: Run, until: Until, home: Path
) -> None:
    child = spawn("consume", app, "-k", kind, "--pidfile", "worker.pid", "-l", "log", "-M", "1")
    until(lambda: any(row.slots for row in living_workers(home / "queue.db")))
    for _ in range(3):
        done = hueyctl("enqueue", "-A", app, "app.add", "1", "--wait", "-t", "10")
        assert done.returncode == 0, done.stderr

    second = hueyctl("consume", app, "-k", kind, "--burst", "--pidfile", "worker.pid")
    assert (second.returncode, str(child.pid) in second.stderr) == (6, True)
    assert (home / "worker.pid").read_text().strip() == str(child.pid)
    child.send_signal(signal.SIGTERM)
    assert child.wait(DEADLINE) == 0
    assert not (home / "worker.pid").exists()
