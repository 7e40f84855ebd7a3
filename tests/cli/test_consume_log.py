"""The log of consume: which lines there are, and that each comes through, once and in order."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import re
import signal
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from clikit import DEADLINE, QueueFile, Write

from hueycore.model.jobs import NewJob, Selector
from hueycore.model.states import State
from hueycore.system.ids import new_id
from hueyctl.service.writer import PIECE, Writer

Run = Callable[..., Any]
Until = Callable[..., None]

KINDS = ("thread", "greenlet", "asyncio", "process")

TALK = """
import logging, os
from hueycore import Huey

huey = Huey("huey", url="queue.db")
log = logging.getLogger("talk")

def plain(words="", fork=False):
    said = [words]
    log.warning("says %s", said)
    said.append("later")
    if fork:
        pid = os.fork()
        if pid == 0:
            log.warning("a child says %s", words)
            os._exit(0)
        os.waitpid(pid, 0)

if os.environ["TALK"] == "asyncio":
    @huey.task()
    async def say(*args):
        plain(*args)
else:
    @huey.task()
    def say(*args):
        plain(*args)
"""


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, write: Write, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "greenlet":
        pytest.importorskip("gevent")
    write("talk.py", TALK)
    monkeypatch.setenv("TALK", request.param)
    kind: str = request.param
    return kind


def fill(queue: QueueFile, number: int, *args: Any) -> None:
    """Enqueue jobs that all say the same."""
    payload = queue.serializer.serialize((args, {}))
    queue.storage.enqueue(
        [NewJob(id=new_id(), task="talk.say", payload=payload) for _ in range(number)]
    )


def count_done(queue: QueueFile) -> int:
    return queue.storage.count(Selector(states=(State.DONE,)))


def consume(kind: str, *words: str) -> tuple[str, ...]:
    return ("consume", "talk:huey", "-k", kind, "-w", "2", *words)


def endings(text: str) -> list[int]:
    """The numbers of the jobs that are said to be done, each of them on a line of its own."""
    return [
        int(found) for found in re.findall(r"^\[.*:job (\d+) of talk.say is done .*$", text, re.M)
    ]


@pytest.mark.parametrize("verbose", [False, True])
def test_a_job_has_one_line_and_two_if_wished(
    kind: str, hueyctl: Run, queue: QueueFile, verbose: bool
) -> None:
    """And what it logs between them, with the values of that moment."""
    fill(queue, 200, "it")

    done = hueyctl(*consume(kind, "--burst", "--log-format", "json", *["-v"] * verbose))

    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    begin = ["job {0} of talk.say begins, attempt 1"] if verbose else []
    for job in range(1, 201):
        *before, last = [line["message"] for line in lines if line["job"] == job]
        assert before == [text.format(job) for text in (*begin, "says ['it']")]
        assert re.fullmatch(rf"job {job} of talk.say is done in \d\.\d\d\d s", last)
    assert lines[-1]["message"] == "stopped"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("words", [(), ("-l", "log")])
def test_no_line_is_lost_at_a_stop(
    kind: str,
    spawn: Run,
    until: Until,
    home: Path,
    queue: QueueFile,
    number: int,
    words: tuple[str, ...],
) -> None:
    fill(queue, 20_000)
    log = home / "log"
    with log.open("w") as file:
        child = spawn(*consume(kind, *words), stderr=file)
    until(lambda: "is done" in log.read_text())

    child.send_signal(number)

    assert child.wait(DEADLINE) == 0
    text = log.read_text()
    assert len(endings(text)) == count_done(queue) == len(set(endings(text)))
    assert text.endswith(":stopped\n")


def test_no_line_is_lost_at_a_restart(
    kind: str, spawn: Run, until: Until, home: Path, queue: QueueFile
) -> None:
    fill(queue, 3000)
    log = home / "log"
    child = spawn(*consume(kind, "-l", "log"))
    until(lambda: log.exists() and "is done" in log.read_text())

    child.send_signal(signal.SIGHUP)
    until(lambda: log.read_text().count(", 1 tasks\n") == 2)
    until(lambda: count_done(queue) == 3000)
    child.terminate()

    assert child.wait(DEADLINE) == 0
    assert sorted(endings(log.read_text())) == list(range(1, 3001))
    assert ":restarting\n" in log.read_text()


@pytest.mark.sqlite_only("a file is removed")
def test_an_error_comes_after_the_lines_before_it(
    kind: str, spawn: Run, until: Until, home: Path, queue: QueueFile
) -> None:
    fill(queue, 2000)
    log = home / "log"
    with log.open("w") as file:
        child = spawn(*consume(kind), stderr=file)
    until(lambda: count_done(queue) == 2000)

    (home / "queue.db").rename(home / "away.db")

    assert child.wait(DEADLINE) != 0
    text = log.read_text()
    assert len(endings(text)) == 2000
    *_, last = [line for line in text.splitlines() if not line.startswith(" ")]
    assert last.startswith(("hueyctl: ", "hint: ")), last


def test_a_reader_that_is_gone_keeps_no_job(kind: str, spawn: Run, queue: QueueFile) -> None:
    fill(queue, 2000)
    child = spawn(*consume(kind, "--burst"))
    assert child.stderr is not None
    child.stderr.readline()
    child.stderr.close()
    child.stderr = None

    assert child.wait(DEADLINE) == 0
    assert count_done(queue) == 2000


def test_a_terminal_that_is_not_read_holds_up_a_worker_when_the_buffer_is_full(
    kind: str, spawn: Run, until: Until, queue: QueueFile
) -> None:
    total = 6000
    fill(queue, total, "word" * 700)  # such a line is whole, whoever else writes to the pipe
    receive, send = os.pipe()
    fcntl.fcntl(send, 1031, 4096)  # F_SETPIPE_SZ
    child = spawn(*consume(kind, "--burst"), stderr=send)
    os.close(send)
    seen: list[tuple[int, float]] = []

    def stands_still() -> bool:
        now = (count_done(queue), time.monotonic())
        if not seen or seen[-1][0] != now[0]:
            seen.append(now)
        return seen[-1][0] > 0 and now[1] - seen[-1][1] > 1

    until(stands_still)
    assert 1500 < count_done(queue) < total
    assert child.poll() is None

    with open(receive, errors="replace") as pipe:
        text = pipe.read()
    assert child.wait(DEADLINE) == 0
    assert sorted(endings(text)) == list(range(1, total + 1))
    assert text.count("says ['wordword") == total


def test_a_child_of_a_job_writes_its_lines_and_not_those_of_its_parent(
    kind: str, hueyctl: Run, queue: QueueFile
) -> None:
    fill(queue, 30, "it", True)

    done = hueyctl(*consume(kind, "--burst"))

    assert done.returncode == 0, done.stderr
    assert len(endings(done.stderr)) == 30
    assert done.stderr.count(":says ['it']") == 30
    assert done.stderr.count(":a child says it") == 30
    assert queue.state("30") == "done"


def test_a_file_that_was_moved_away_is_made_again(
    kind: str, spawn: Run, until: Until, home: Path, queue: QueueFile
) -> None:
    log, moved = home / "log", home / "log.1"
    child = spawn(*consume(kind, "-l", "log"))
    fill(queue, 1)
    until(lambda: log.exists() and endings(log.read_text()) == [1])

    log.rename(moved)
    fill(queue, 1)

    until(lambda: log.exists() and endings(log.read_text()) == [2])
    child.terminate()
    assert child.wait(DEADLINE) == 0
    assert endings(moved.read_text()) == [1]


# --- the handler ----------------------------------------------------------------------------------


def record(message: str) -> Any:
    return logging.makeLogRecord({"msg": message})


@pytest.mark.skipif(not hasattr(os, "O_DIRECT"), reason="pipes have no packets here")
def test_each_write_to_a_pipe_is_whole_lines() -> None:
    receive, send = os.pipe2(os.O_DIRECT)
    with open(send, "w") as stream, closing(Writer(logging.StreamHandler(stream))) as writer:
        writer.start()
        for number in range(400):
            writer.handle(record(f"{number} " + "x" * (number % 300)))
        writer.flush()
        writer.close()
    packets = []
    while packet := os.read(receive, PIECE):
        packets.append(packet)
    os.close(receive)

    assert all(packet.endswith(b"\n") for packet in packets)
    assert [int(line.split()[0]) for line in b"".join(packets).splitlines()] == list(range(400))
    assert 1 < len(packets) < 100


def test_a_full_disk_is_reported_once_and_the_lines_after_it_are_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open("/dev/full", "w") as full, (tmp_path / "log").open("w") as file:
        target: Any = logging.StreamHandler(full)
        with closing(Writer(target)) as writer:
            writer.handle(record("one"))
            writer.handle(record("two"))
            target.stream = file
            writer.start()
            writer.handle(record("three"))
    assert (tmp_path / "log").read_text() == "three\n"
    said = capsys.readouterr().err
    assert said.count("the log cannot be written") == 1
    assert "No space left on device" in said


def test_a_line_that_cannot_be_formatted_is_reported_and_the_next_one_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (
        (tmp_path / "log").open("w") as file,
        closing(Writer(logging.StreamHandler(file))) as writer,
    ):
        writer.handle(logging.makeLogRecord({"msg": "%d", "args": ("no number",)}))
        writer.handle(record("two"))
    assert (tmp_path / "log").read_text() == "two\n"
    assert "--- Logging error ---" in capsys.readouterr().err
