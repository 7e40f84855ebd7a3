"""consume --http and --notify: what a probe and systemd get to hear of a real consumer."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from clikit import DEADLINE, make_impatient, state_of_job, states_of_workers
from probekit import Manager, ask, metrics_of
from promkit import parsed, readable

Run = Callable[..., Any]
Until = Callable[..., None]

#: An application whose scheduler hangs for as long as there is a file ``hang``.
HANGS = """
import os, time
from hueycore.signals import SIGNAL_ENQUEUED

@huey.signal(SIGNAL_ENQUEUED)
def receive(signal, task):
    while os.path.exists("hang"):
        time.sleep(0.01)
"""


@pytest.fixture
def probed(spawn: Run, app: str, until: Until, home: Path) -> Callable[..., Any]:
    """Start a consumer with probes: its process, and where it answers."""

    def start(*words: str, host: str = "127.0.0.1", **options: Any) -> tuple[Any, str]:
        child = spawn("consume", app, "--http", f"{host}:0", "-l", "log", *words, **options)
        found: list[str] = []

        def told() -> bool:
            text = (home / "log").read_text() if (home / "log").exists() else ""
            found[:] = re.findall(r"probes at (http://\S+)/healthz", text)
            return bool(found) and "thread workers on" in text

        until(told)
        return child, found[-1]

    return start


# --- http -----------------------------------------------------------------------------------------


@pytest.mark.feature("metrics")
def test_a_consumer_at_work_is_healthy_and_ready_and_tells_its_figures(
    probed: Run, app: str, hueyctl: Run, until: Until
) -> None:
    _, base = probed("-w", "3", "--name", "it")
    until(lambda: ask(base, "/readyz").status == 200)
    for path in ("/healthz", "/readyz", "/readyz?verbose=1"):
        reply = ask(base, path)
        assert (reply.status, reply.reasons) == (200, [])
        assert reply.headers["Content-Type"] == "application/json"
        assert "Python" not in reply.headers["Server"]
    hueyctl("enqueue", "-A", app, "app.add", "1", "--wait")

    reply = ask(base, "/metrics")
    assert reply.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    found = parsed(reply.body)
    stored = parsed(hueyctl("metrics", "-A", app).stdout)

    assert {name for name, _ in stored} <= {name for name, _ in found}
    done = ("hueyctl_runs_total", frozenset({("queue", "huey"), ("task", "app.add"),
                                             ("ending", "done")}))  # fmt: skip
    assert found[done] == stored[done] == 1
    own = {name: value for (name, labels), value in found.items() if not labels}
    assert own["hueyctl_consumer_ready"] == own["hueyctl_consumer_healthy"] == 1
    assert time.time() - 60 < own["hueyctl_consumer_start_time_seconds"] <= time.time()
    info = {("name", "it"), ("kind", "thread"), ("queue", "huey")}
    assert found["hueyctl_consumer_info", frozenset(info)] == 1
    assert found["hueyctl_consumer_workers", frozenset({("state", "idle")})] == 3


def test_prometheus_reads_all_that_a_consumer_serves_in_either_format(
    probed: Run, app: str, hueyctl: Run
) -> None:
    _, base = probed()
    hueyctl("enqueue", "-A", app, "app.add", "1", "--wait")

    classic, opened = metrics_of(base)

    assert opened.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    readable(classic.body, opened.body)
    assert "hueyctl_consumer_ready 1\n" in opened.body


def test_other_paths_and_methods_are_refused(probed: Run) -> None:
    _, base = probed()

    assert "/healthz" in ask(base, "/").reasons[0]
    assert ask(base, "/health").status == 404
    for method in ("POST", "DELETE", "OPTIONS"):
        reply = ask(base, "/healthz", method)
        assert (reply.status, reply.headers["Allow"]) == (405, "GET, HEAD")
    head, got = ask(base, "/healthz", "HEAD"), ask(base, "/healthz")
    assert (head.status, head.body) == (200, "")
    assert head.headers["Content-Length"] == got.headers["Content-Length"]
    assert ask(base, "/nothing", "HEAD").status == 404
    host, port = base.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=DEADLINE) as out:
        out.sendall(b"HEAD /healthz HTTP/1.0\r\n\r\n")
        assert out.makefile("rb").read().endswith(b"\r\n\r\n")
    with socket.create_connection((host, int(port)), timeout=DEADLINE) as out:
        out.sendall(b"\x16\x03\x01 not http at all \xff\r\n\r\n")
        assert b"Bad request" in out.recv(4096)
    assert ask(base, "/healthz").status == 200


def test_slow_clients_hold_up_neither_probes_nor_the_consumer(
    probed: Run, app: str, hueyctl: Run, until: Until
) -> None:
    child, base = probed()
    host, port = base.removeprefix("http://").split(":")
    slow = [socket.create_connection((host, int(port)), timeout=DEADLINE) for _ in range(40)]
    try:
        for each in slow:
            try:
                each.sendall(b"GET /healthz HTTP/1.0\r\nX-Slow: ")
            except OSError:
                continue  # it had to give way
        assert ask(base, "/healthz").status == 200
        assert ask(base, "/readyz").status == 200
        done = hueyctl("enqueue", "-A", app, "app.add", "1", "--wait", "-t", "10")
        assert done.returncode == 0
        # A dozen of its own, and the few that serve.
        assert len(os.listdir(f"/proc/{child.pid}/task")) < 25
    finally:
        for each in slow:
            each.close()


@pytest.mark.parametrize("host", ["[::1]", "0.0.0.0", "[::]", "localhost"])
def test_it_listens_where_it_is_told(probed: Run, host: str) -> None:
    if ":" in host and not _has_ipv6():
        pytest.skip("no IPv6 here")
    _, base = probed(host=host)
    port = base.rpartition(":")[2]

    assert ask(base, "/healthz").status == 200
    if host in ("0.0.0.0", "[::]"):
        assert ask(f"http://127.0.0.1:{port}", "/healthz").status == 200


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def test_a_port_that_is_taken_is_one_line_and_69(app: str, hueyctl: Run, home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        done = hueyctl("consume", app, "--http", address)
    unknown = hueyctl("consume", app, "--http", "no.such.host.invalid:9808")

    assert (done.returncode, unknown.returncode) == (69, 69)
    first, hint = done.stderr.splitlines()
    assert first == f"hueyctl: cannot listen on {address}: Address already in use"
    assert hint.startswith("hint: ")
    assert not (home / "queue.db").exists()


@pytest.mark.parametrize(
    "address", ["9808", ":9808", "::1:9808", "localhost:", "localhost:http", "localhost:70000",
                "localhost:-1", "[::1]", "[::1]:", "localhost:٣"]
)  # fmt: skip
def test_what_is_no_address_is_a_usage_error(
    app: str, invoke: Callable[..., Result], address: str
) -> None:
    result = invoke("consume", app, "--http", address)

    assert result.exit_code == 2
    assert "HOST:PORT" in result.stderr


def test_a_stop_is_not_ready_and_not_ill(
    probed: Run, app: str, hueyctl: Run, until: Until, home: Path
) -> None:
    child, base = probed()
    hueyctl("enqueue", "-A", app, "app.nap", "60")
    until(lambda: state_of_job(home / "queue.db", "1") == "running")

    child.terminate()
    until(lambda: states_of_workers(home / "queue.db") == ["stopping"])

    reply = ask(base, "/readyz")
    assert (reply.status, reply.reasons) == (503, ["stopping: SIGTERM"])
    assert ask(base, "/healthz").status == 200
    child.terminate()
    assert child.wait(DEADLINE) == 143
    with pytest.raises(OSError):
        ask(base, "/healthz")


@pytest.mark.slow
def test_a_locked_file_is_not_ready_and_metrics_go_on(
    probed: Run, app: str, hueyctl: Run, until: Until, home: Path
) -> None:
    import sqlite3

    make_impatient(home)
    _, base = probed()
    until(lambda: ask(base, "/readyz").status == 200)
    hueyctl("enqueue", "-A", app, "app.add", "1", "--wait")
    hueyctl("enqueue", "-A", app, "app.add", "1", "--delay", "1")
    other = sqlite3.connect(home / "queue.db", isolation_level=None)
    try:
        other.execute("begin immediate")
        until(lambda: ask(base, "/readyz").status == 503)
        assert "the storage fails" in ask(base, "/readyz").reasons[0]
        assert ask(base, "/healthz").status == 200
        assert parsed(ask(base, "/metrics").body)["hueyctl_storage_up", frozenset()] == 1
        other.execute("rollback")
    finally:
        other.close()
    until(lambda: ask(base, "/readyz").status == 200)


# --- notify ---------------------------------------------------------------------------------------


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    if request.param == "abstract" and os.uname().sysname != "Linux":
        pytest.skip("abstract sockets are Linux's")
    # Short: an address has 108 bytes at most.
    os.chdir(tmp_path / "work")
    made = Manager(f"@hueyctl-{os.getpid()}" if request.param == "abstract"
                   else str(tmp_path / "s"))  # fmt: skip
    yield made
    made.socket.close()


@pytest.mark.feature("deployment")
def test_systemd_hears_ready_reloading_and_stopping(
    home: Path, app: str, manager: Manager, spawn: Run, until: Until
) -> None:
    child = spawn("consume", app, "--notify", "-l", "log", env=manager.environ)
    until(lambda: manager.has("READY"))
    assert manager.heard[0]["STATUS"] == "0 of 1 workers busy"
    assert not manager.has("WATCHDOG")

    child.send_signal(signal.SIGHUP)
    until(lambda: manager.order() == ["READY", "RELOADING", "READY"])
    (reloading,) = [message for message in manager.heard if "RELOADING" in message]
    assert 0 < int(reloading["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000

    child.terminate()
    assert child.wait(DEADLINE) == 0
    assert manager.order()[-1] == "STOPPING"
    assert manager.heard[-1]["STATUS"] == "stopping: SIGTERM"


@pytest.mark.parametrize("manager", ["path"], indirect=True)
def test_a_consumer_that_hangs_fails_its_probe_and_gets_no_more_watchdog(
    home: Path, manager: Manager, probed: Run, app: str, hueyctl: Run, until: Until
) -> None:
    with (home / "app.py").open("a") as source:
        source.write(HANGS)
    environ = {**manager.environ, "WATCHDOG_USEC": "200000"}
    child, base = probed("--notify", "-c", "2", env=environ)
    until(lambda: sum("WATCHDOG" in message for message in manager.listen()) > 3)

    # The receiver is called where the job is enqueued as well.
    hueyctl("enqueue", "-A", app, "app.add", "1", "--delay", "1")
    (home / "hang").touch()
    until(lambda: ask(base, "/healthz").status == 503)
    assert "the scheduler hangs" in ask(base, "/healthz").reasons[0]
    manager.listen()
    manager.heard.clear()
    until(lambda: len(manager.listen()) > 5)
    assert not manager.has("WATCHDOG")
    assert "the scheduler hangs" in manager.heard[-1]["STATUS"]

    (home / "hang").unlink()
    until(lambda: ask(base, "/healthz").status == 200)
    until(lambda: manager.has("WATCHDOG"))
    child.terminate()
    assert child.wait(DEADLINE) == 0


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"NOTIFY_SOCKET": ""},
        {"NOTIFY_SOCKET": "relative"},
        {"NOTIFY_SOCKET": "/nobody/listens", "WATCHDOG_USEC": "100000"},
        {"WATCHDOG_USEC": "nonsense"},
    ],
)
def test_without_anybody_who_listens_notify_does_nothing(
    home: Path, app: str, hueyctl: Run, environ: dict[str, str]
) -> None:
    plain = {name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"}
    done: subprocess.CompletedProcess[str] = hueyctl(
        "consume", app, "--burst", "--notify", env={**plain, **environ}
    )

    assert done.returncode == 0, done.stderr


def test_a_watchdog_of_another_process_is_not_ours() -> None:
    from hueyctl.service.notify import _watchdog

    assert _watchdog({"WATCHDOG_USEC": "5000000"}) == 5
    assert _watchdog({"WATCHDOG_USEC": "5000000", "WATCHDOG_PID": str(os.getpid())}) == 5
    assert _watchdog({"WATCHDOG_USEC": "5000000", "WATCHDOG_PID": "1"}) is None
    assert _watchdog({"WATCHDOG_USEC": "0"}) is None
