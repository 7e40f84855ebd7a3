"""Probes and systemd on every kind of workers: whatever hangs, they say so, and nothing else."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clikit import DEADLINE, make_impatient, state_of_job
from probekit import Manager, ask
from promkit import parsed

Run = Callable[..., Any]
Until = Callable[..., None]

KINDS = ("thread", "greenlet", "asyncio", "process")

#: ``block`` lets no other job of its loop or hub run while there is a file ``hang``; the scheduler
#: hangs in a receiver.
HANGS = """
import os, sys, time
from hueycore.system import native; from hueycore import signals

def hang():
    while os.path.exists("hang"):
        native.sleep(0.01)

@huey.task()
async def ablock():
    hang()

@huey.task()
def block():
    hang()

@huey.signal(signals.SIGNAL_ENQUEUED)
def receive(signal, task):
    if task.name.endswith("add"):
        hang()
"""


@pytest.fixture
def started(spawn: Run, app: str, until: Until, home: Path) -> Callable[..., tuple[Any, str]]:
    """A consumer of some kind that is ready: its process, and where it answers."""

    def start(kind: str, *words: str, **options: Any) -> tuple[Any, str]:
        if kind == "greenlet":
            pytest.importorskip("gevent")
        words = ("-k", kind, "--http", "127.0.0.1:0", "-l", "log", *words)
        child = spawn("consume", app, *words, **options)
        found: list[str] = []

        def told() -> bool:
            assert child.poll() is None, child.communicate()
            text = (home / "log").read_text() if (home / "log").exists() else ""
            found[:] = re.findall(r"probes at (http://\S+)/healthz", text)
            return bool(found) and ask(found[-1], "/readyz").status == 200

        until(told)
        return child, found[-1]

    return start


@pytest.fixture
def manager(tmp_path: Path) -> Any:
    made = Manager(str(tmp_path / "s"))
    yield made
    made.socket.close()


def processes_of(child: Any) -> list[int]:
    path = Path(f"/proc/{child.pid}/task/{child.pid}/children")
    return [int(pid) for pid in path.read_text().split()]


@pytest.mark.feature("metrics")
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_ready_at_work_and_not_ready_while_it_stops(
    started: Run, app: str, hueyctl: Run, until: Until, home: Path, kind: str
) -> None:
    child, base = started(kind, "-w", "3")
    done = hueyctl("enqueue", "-A", app, "app.add", "1", "--wait", "-t", "10")
    assert done.returncode == 0, done.stderr
    hueyctl("enqueue", "-A", app, "app.nap", "60")
    until(lambda: state_of_job(home / "queue.db", "2") == "running")

    found = parsed(ask(base, "/metrics").body)
    assert found["hueyctl_consumer_ready", frozenset()] == 1
    assert found["hueyctl_consumer_workers", frozenset({("state", "busy")})] == 1
    assert found["hueyctl_consumer_workers", frozenset({("state", "idle")})] == 2
    info = frozenset({("name", _name_of(found)), ("kind", kind), ("queue", "huey")})
    assert found["hueyctl_consumer_info", info] == 1
    loops = {dict(labels)["loop"] for name, labels in found if name.endswith("late_seconds")}
    assert (
        loops
        >= {"scheduler", "janitor", "main loop"}
        | {
            "thread": {"feed", "limits"},
            "asyncio": {"feed", "limits", "event loop"},
            "greenlet": {"feed", "limits", "gevent hub"},
            "process": {"steward", "feed of worker 1", "limits of worker 3"},
        }[kind]
    )

    child.terminate()
    until(lambda: ask(base, "/readyz").reasons == ["stopping: SIGTERM"])
    assert ask(base, "/healthz").status == 200
    child.terminate()
    assert child.wait(DEADLINE) == 143
    with pytest.raises(OSError):
        ask(base, "/healthz")


def _name_of(found: Any) -> str:
    (labels,) = (labels for name, labels in found if name == "hueyctl_consumer_info")
    return dict(labels)["name"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_hung_loop_fails_health_within_its_interval_and_stops_the_watchdog(
    started: Run,
    app: str,
    hueyctl: Run,
    until: Until,
    home: Path,
    manager: Manager,
    kind: str,
) -> None:
    with (home / "app.py").open("a") as source:
        source.write(HANGS)
    environ = {**manager.environ, "WATCHDOG_USEC": "200000"}
    child, base = started(kind, "--notify", "-c", "2", env=environ)
    until(lambda: sum("WATCHDOG" in message for message in manager.listen()) > 3)

    if kind in ("asyncio", "greenlet"):
        (home / "hang").touch()
        hueyctl("enqueue", "-A", app, "app.ablock" if kind == "asyncio" else "app.block")
    else:  # the receiver is called where the job is enqueued as well
        hueyctl("enqueue", "-A", app, "app.add", "1", "--delay", "1")
        (home / "hang").touch()
    loop = {"asyncio": "event loop", "greenlet": "gevent hub"}.get(kind, "scheduler")
    until(lambda: f"the {loop} hangs" in "; ".join(ask(base, "/healthz").reasons))
    assert ask(base, "/healthz").status == 503
    reasons = "; ".join(ask(base, "/healthz").reasons)
    if kind != "process":
        assert ", at " in reasons
    assert ask(base, "/metrics").status == 200
    manager.listen()
    manager.heard.clear()
    until(lambda: len(manager.listen()) > 5)
    assert not manager.has("WATCHDOG")
    assert f"the {loop} hangs" in manager.heard[-1]["STATUS"]

    (home / "hang").unlink()
    until(lambda: ask(base, "/healthz").status == 200)
    until(lambda: manager.has("WATCHDOG"))
    child.terminate()
    assert child.wait(DEADLINE) == 0


@pytest.mark.parametrize("kind", ["greenlet", "asyncio", "process"])
def test_systemd_hears_ready_reloading_and_stopping_of_every_kind(
    started: Run, until: Until, manager: Manager, kind: str
) -> None:
    child, _ = started(kind, "--notify", env=manager.environ)
    until(lambda: manager.order() == ["READY"])

    child.send_signal(signal.SIGHUP)
    until(lambda: manager.order() == ["READY", "RELOADING", "READY"])
    child.terminate()
    assert child.wait(DEADLINE) == 0
    assert manager.order()[-1] == "STOPPING"


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_worker_process_that_is_stopped_is_late_and_one_that_dies_is_not(
    started: Run, until: Until
) -> None:
    child, base = started("process", "-w", "2", "-c", "2")
    pids = processes_of(child)
    assert len(pids) == 3

    os.kill(pids[1], signal.SIGSTOP)
    until(lambda: ask(base, "/healthz").status == 503)
    assert "of worker 1 hangs" in ask(base, "/healthz").reasons[0]
    os.kill(pids[1], signal.SIGKILL)
    until(lambda: ask(base, "/healthz").status == 200)
    until(lambda: ask(base, "/readyz").status == 200)

    os.kill(pids[0], signal.SIGSTOP)  # the one that schedules and keeps
    until(lambda: ask(base, "/healthz").status == 503)
    until(lambda: "the janitor hangs" in "; ".join(ask(base, "/healthz").reasons))
    os.kill(pids[0], signal.SIGCONT)
    until(lambda: ask(base, "/healthz").status == 200)


def test_worker_processes_that_die_or_do_not_begin_make_it_unready(
    spawn: Run, app: str, until: Until, home: Path, started: Run
) -> None:
    with (home / "app.py").open("a") as source:
        source.write(
            "import os\n\n@huey.on_startup()\ndef begin():\n"
            "    while os.path.exists('slow'): time.sleep(0.01)\n"
            "    if os.path.exists('die'): os._exit(3)\n"
        )
    child, base = started("process", "-c", "2")
    (home / "die").touch()
    os.kill(processes_of(child)[1], signal.SIGKILL)
    until(lambda: "is missing: process" in "".join(ask(base, "/readyz").reasons))
    assert "exited 3" in ask(base, "/readyz").reasons[0]
    assert ask(base, "/healthz").status == 200

    (home / "slow").touch()
    (home / "die").unlink()
    until(lambda: "has not begun for" in "".join(ask(base, "/readyz").reasons))
    assert ask(base, "/healthz").status == 200
    (home / "slow").unlink()
    until(lambda: ask(base, "/readyz").status == 200)


def test_a_locked_file_is_not_ready_on_processes_as_well(
    started: Run, app: str, hueyctl: Run, until: Until, home: Path
) -> None:
    import sqlite3

    make_impatient(home)
    _, base = started("process", "-w", "2")
    hueyctl("enqueue", "-A", app, "app.add", "1", "--delay", "1")
    other = sqlite3.connect(home / "queue.db", isolation_level=None)
    try:
        other.execute("begin immediate")
        until(lambda: ask(base, "/readyz").status == 503)
        assert "the storage fails" in ask(base, "/readyz").reasons[0]
        assert ask(base, "/healthz").status == 200
        other.execute("rollback")
    finally:
        other.close()
    until(lambda: ask(base, "/readyz").status == 200)


def test_worker_processes_say_what_they_could_not_write(
    started: Run, app: str, hueyctl: Run, until: Until, home: Path
) -> None:
    import sqlite3

    _, base = started("process", "-w", "2")

    def unwritten() -> int:
        found = re.search(
            r"^hueyctl_consumer_unwritten_endings\S* (\d+)", ask(base, "/metrics").body, re.M
        )
        assert found is not None
        return int(found[1])

    hueyctl("enqueue", "-A", app, "app.nap", "1.5")
    until(lambda: state_of_job(home / "queue.db", "1") == "running")
    other = sqlite3.connect(home / "queue.db", isolation_level=None)
    try:
        other.execute("begin immediate")
        until(lambda: unwritten() == 1)
        other.execute("rollback")
    finally:
        other.close()
    until(lambda: state_of_job(home / "queue.db", "1") == "done")
    until(lambda: unwritten() == 0)
