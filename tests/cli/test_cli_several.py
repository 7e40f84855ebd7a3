"""One ``consume`` for several applications, on every kind of workers."""

from __future__ import annotations

import os
import re
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from clikit import DEADLINE, living_workers, state_of_job, states_of_workers
from probekit import Manager, ask, metrics_of
from promkit import parsed, readable

Run = Callable[..., Any]
Until = Callable[..., None]

KINDS = ("thread", "greenlet", "asyncio", "process")
every_kind = pytest.mark.parametrize("kind", KINDS)


class Two(NamedTuple):
    """The applications, and the file of each."""

    apps: tuple[str, str]
    files: tuple[Path, Path]

    def at_work(self) -> bool:
        return all(set(states_of_workers(path)) == {"running"} for path in self.files)

    def gone(self) -> bool:
        return all(states_of_workers(path) == [] for path in self.files)


@pytest.fixture
def two(app: str, home: Path) -> Two:
    source = (home / "app.py").read_text().replace('"queue.db"', '"second.db"')
    (home / "second.py").write_text(source)
    return Two((app, "second:huey"), (home / "queue.db", home / "second.db"))


@pytest.fixture
def both(two: Two, spawn: Run, until: Until) -> Callable[..., Any]:
    """Start them together; returns when both work."""

    def start(kind: str, *words: str, **options: Any) -> Any:
        if kind == "greenlet":
            pytest.importorskip("gevent")
        child = spawn("consume", *two.apps, "-k", kind, "-l", "log", *words, **options)

        def there() -> bool:
            assert child.poll() is None, child.communicate()
            return two.at_work()

        until(there)
        return child

    return start


@pytest.mark.parametrize("kind", ["asyncio", "process"])
def test_a_burst_of_several_applications_ends_when_all_are_drained(
    two: Two, hueyctl: Run, kind: str
) -> None:
    for name in two.apps:
        hueyctl("enqueue", "-A", name, f"{name.partition(':')[0]}.add", "1")

    done = hueyctl("consume", *two.apps, "--burst", "-k", kind)

    assert done.returncode == 0, done.stderr
    for name in two.apps:
        assert hueyctl("result", "1", "-A", name).stdout == "3\n"


@every_kind
def test_each_works_with_that_kind_and_a_signal_reaches_all_of_them_once(
    two: Two, both: Run, hueyctl: Run, kind: str
) -> None:
    child = both(kind)
    assert all({row.kind for row in living_workers(path)} == {kind} for path in two.files)
    done = hueyctl("enqueue", "-A", two.apps[1], "second.add", "1", "--wait", "-t", "10")
    assert (done.returncode, done.stdout.split()[-1]) == (0, "3"), done.stderr

    # As ^C in a terminal does: to the whole group.
    os.killpg(child.pid, signal.SIGINT)

    assert child.wait(DEADLINE) == 0
    assert two.gone()


@pytest.mark.parametrize("kind", ["greenlet", "process"])
def test_a_second_signal_interrupts_all_of_them(
    two: Two, both: Run, hueyctl: Run, until: Until, kind: str
) -> None:
    child = both(kind)
    for name in two.apps:
        hueyctl("enqueue", "-A", name, f"{name.partition(':')[0]}.nap", "60")
    until(lambda: all(state_of_job(path, "1") == "running" for path in two.files))

    child.terminate()
    until(lambda: all("stopping" in states_of_workers(path) for path in two.files))
    child.terminate()

    assert child.wait(DEADLINE) == 143


@pytest.mark.parametrize("kind", ["asyncio", "process"])
def test_hup_starts_all_of_them_anew(two: Two, both: Run, until: Until, kind: str) -> None:
    child = both(kind)
    before = [_pids(path) for path in two.files]

    child.send_signal(signal.SIGHUP)

    until(lambda: all(_pids(path) and not _pids(path) & old
                      for path, old in zip(two.files, before, strict=True)))  # fmt: skip
    until(two.at_work)
    child.terminate()
    assert child.wait(DEADLINE) == 0


def _pids(path: Path) -> set[int]:
    return {row.pid for row in living_workers(path)}


def test_when_one_fails_the_others_stop_and_its_code_is_ours(two: Two, hueyctl: Run) -> None:
    done = hueyctl("consume", two.apps[0], "nothing:huey")

    assert done.returncode == 78
    assert "the consumer of nothing:huey ended with 78" in done.stderr
    assert two.gone()


@pytest.mark.parametrize("kind", ["thread", "process"])
def test_when_one_is_killed_the_others_stop_and_who_supervises_us_sees_it(
    two: Two, both: Run, kind: str
) -> None:
    child = both(kind)
    children = Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()

    os.kill(int(children[1]), signal.SIGKILL)

    assert child.wait(DEADLINE) == 128 + signal.SIGKILL
    assert states_of_workers(two.files[0]) == []


@pytest.mark.parametrize("kind", ["greenlet", "process"])
def test_children_stop_when_their_parent_is_killed(
    two: Two, both: Run, until: Until, kind: str
) -> None:
    child = both(kind)

    child.kill()

    until(two.gone)


# --- probes ---------------------------------------------------------------------------------------


@pytest.mark.feature("several consumers")
@every_kind
def test_probes_and_systemd_hear_of_all_of_them(
    two: Two, both: Run, hueyctl: Run, until: Until, tmp_path: Path, kind: str
) -> None:
    manager = Manager(str(tmp_path / "s"))
    said = (tmp_path / "said").open("w")
    try:
        environ = {**manager.environ, "WATCHDOG_USEC": "400000"}
        child = both(kind, "--http", "127.0.0.1:0", "--notify", env=environ, stderr=said)
        until(lambda: manager.order() == ["READY"])
        until(lambda: manager.has("WATCHDOG"))
        (base,) = re.findall(r"probes at (http://\S+)/healthz", (tmp_path / "said").read_text())
        for path in ("/healthz", "/readyz"):
            assert (ask(base, path).status, ask(base, path).reasons) == (200, [])
        hueyctl("enqueue", "-A", two.apps[1], "second.add", "1", "--wait", "-t", "10")
        found = parsed(ask(base, "/metrics").body)
        readable(*(reply.body for reply in metrics_of(base)))
        assert {dict(labels)["app"] for _, labels in found} == set(two.apps)
        done = {"queue": "huey", "task": "second.add", "ending": "done", "app": two.apps[1]}
        assert found["hueyctl_runs_total", frozenset(done.items())] == 1
        for name in two.apps:
            assert found["hueyctl_consumer_ready", frozenset({("app", name)})] == 1

        child.send_signal(signal.SIGHUP)
        until(lambda: manager.order() == ["READY", "RELOADING", "READY"])
        child.terminate()
        assert child.wait(DEADLINE) == 0
        assert manager.order()[-1] == "STOPPING"
    finally:
        said.close()
        manager.socket.close()


@pytest.mark.slow
def test_one_that_hangs_or_is_stopped_makes_all_of_them_ill(
    two: Two, both: Run, until: Until, tmp_path: Path
) -> None:
    manager = Manager(str(tmp_path / "s"))
    said = (tmp_path / "said").open("w")
    try:
        environ = {**manager.environ, "WATCHDOG_USEC": "400000"}
        child = both("process", "-c", "2", "--http", "127.0.0.1:0", "--notify", env=environ,
                     stderr=said)  # fmt: skip
        (base,) = re.findall(r"probes at (http://\S+)/healthz", (tmp_path / "said").read_text())
        until(lambda: ask(base, "/readyz").status == 200)
        second = children_of(child.pid)[1]

        os.kill(children_of(second)[0], signal.SIGSTOP)  # its process for schedule and keeping
        until(lambda: ask(base, "/healthz").status == 503)
        assert ask(base, "/healthz").reasons[0].startswith("second:huey: the ")
        os.kill(children_of(second)[0], signal.SIGCONT)
        until(lambda: ask(base, "/healthz").status == 200)

        os.kill(second, signal.SIGSTOP)
        until(lambda: ask(base, "/healthz").status == 503)
        assert ask(base, "/healthz").reasons == ["second:huey: does not answer for 2 s"]
        manager.listen()
        manager.heard.clear()
        until(lambda: len(manager.listen()) > 1)
        assert not manager.has("WATCHDOG")
        os.kill(second, signal.SIGCONT)
        until(lambda: ask(base, "/readyz").status == 200)
    finally:
        said.close()
        manager.socket.close()


def test_a_port_that_is_taken_starts_none_of_them(two: Two, hueyctl: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        done = hueyctl("consume", *two.apps, "--http", address)

    assert done.returncode == 69
    assert f"cannot listen on {address}" in done.stderr
    assert not any(path.exists() for path in two.files)


def children_of(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
