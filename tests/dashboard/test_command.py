"""``hueyctl dashboard`` as a program."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from clikit import DEADLINE, ROOT, QueueFile, fill
from programkit import COMMAND, Program

Start = Callable[..., Program]


@pytest.fixture
def started(queue: QueueFile) -> Iterator[Start]:
    """Start a dashboard of the queue on a free port."""
    fill(queue)
    programs: list[Program] = []

    def start(*words: str) -> Program:
        programs.append(Program("-u", str(queue.where), "--port", "0", *words))
        return programs[-1]

    yield start
    for program in programs:
        program.close()


def refused(*words: str, **how: Any) -> tuple[int, str]:
    """Exit code and words of a command line that does not come to serve."""
    done = subprocess.run(
        [*COMMAND, *words],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'core'}{os.pathsep}{ROOT}"},
        **how,
    )
    return done.returncode, done.stderr


def test_the_link_opens_the_queue_and_nothing_else_does(started: Start) -> None:
    program = started()

    assert program.get("/")[0] == 403
    assert "read-only" in program.get("/", Cookie=program.log_in())[2]
    assert program.get("/", Cookie=program.log_in(), Host="evil.example")[0] == 421


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["INT", "TERM"])
def test_a_signal_ends_it_without_a_word(number: int, started: Start) -> None:
    program = started()
    program.get("/", Cookie=program.log_in())

    code, said = program.stop(number)
    assert (code, said) == (0, "")


def test_a_base_is_in_every_link_whether_or_not_the_proxy_cuts_it_off(started: Start) -> None:
    program = started("--base", "/ops/queue/", "--allow-host", "ops.example.com")
    cookie = program.log_in()

    for address in ("/ops/queue/jobs", "/jobs"):
        status, _, html = program.get(address, Cookie=cookie, Host="ops.example.com")
        assert status == 200
        links = re.findall(r'(?:href|src|action)="([^"#]*)"', html)
        assert all(link.startswith("/ops/queue/") for link in links)


def test_a_token_is_kept_in_its_file(started: Start, queue: QueueFile, tmp_path: Path) -> None:
    file = tmp_path / "token"
    first = started("--token-file", str(file))
    second = started("--token-file", str(file))

    assert first.token == second.token == file.read_text().strip()
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_text("short")
    code, said = refused("-u", str(queue.where), "--token-file", str(file))
    assert (code, "16 letters" in said) == (78, True)


def test_a_port_that_is_taken_is_told_with_another_way(started: Start, queue: QueueFile) -> None:
    program = started()
    code, said = refused("-u", str(queue.where), "--port", str(program.port))

    assert code == 69
    assert f"cannot listen on 127.0.0.1:{program.port}" in said
    assert "--port 0" in said


def test_a_missing_extra_is_told_with_how_to_install_it(queue: QueueFile, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nsys.modules['jinja2'] = None\nsys.modules['waitress'] = None\n"
    )
    done = subprocess.run(
        [*COMMAND, "-u", str(queue.where)],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, (tmp_path, ROOT / "core", ROOT))),
        },
    )

    assert done.returncode == 78
    assert "pip install 'hueyctl[dashboard]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_two_hundred_slow_connections_do_not_keep_the_others_out(started: Start) -> None:
    program = started()
    cookie = program.log_in()
    with ExitStack() as stack:
        for _ in range(200):
            slow = stack.enter_context(socket.create_connection((program.host, program.port)))
            slow.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\nx")
        began = time.monotonic()
        for _ in range(5):
            assert program.get("/jobs", Cookie=cookie)[0] == 200
        assert time.monotonic() - began < DEADLINE


def test_what_is_wrong_with_a_base_is_told(tmp_path: Path) -> None:
    assert refused("--base", "ops", cwd=tmp_path)[0] == 2
