"""logs: what a job's own runs have logged."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
from clikit import DEADLINE, QueueFile, command
from operatingkit import Invoke, OnTty, ask, consumer, error, start

AT = 2_000_000_000.25
ISO = "2033-05-18T03:33:20.250Z"


def say(queue: QueueFile, claim: Any, *messages: str, progress: str | None = None) -> None:
    """The run of a claim logs these."""
    from hueycore.model.events import LogLine, Said

    lines = [LogLine(AT, "INFO", message) for message in messages]
    queue.storage.note([(claim, Said(progress, lines))])


def end(queue: QueueFile, worker: int, claim: Any) -> None:
    from hueycore.model.endings import Done
    from hueycore.model.jobs import Ended, Want

    queue.storage.exchange(worker, [Ended(claim, Done(), time.time(), 0.5)], Want(0))


@pytest.fixture
def talking(queue: QueueFile) -> QueueFile:
    """Job 1 runs, and has logged three lines."""
    queue.add("app.add")
    say(queue, start(queue, consumer(queue)), "one", "two\nand a half", "three")
    return queue


def test_a_pipe_gets_a_line_with_tabs_per_line(talking: QueueFile, invoke: Invoke) -> None:
    assert ask(invoke, "logs", "1").stdout.splitlines() == [
        f"{ISO}\t1\tINFO\tone",
        f"{ISO}\t1\tINFO\ttwo\\nand a half",
        f"{ISO}\t1\tINFO\tthree",
    ]


def test_a_person_gets_them_as_they_were_written(talking: QueueFile, on_tty: OnTty) -> None:
    code, shown = on_tty("logs", "1", "-u", "queue.db")

    assert code == 0
    assert shown.splitlines() == [
        f"{ISO}  1    INFO      one",
        f"{ISO}  1    INFO      two",
        "    and a half",
        f"{ISO}  1    INFO      three",
    ]


def test_json_has_the_job_as_well(talking: QueueFile, invoke: Invoke) -> None:
    found = json.loads(ask(invoke, "logs", "1", "--json").stdout)

    assert [each["line"] for each in found] == [1, 2, 3]
    id_ = talking.storage.job("1").id  # type: ignore[union-attr]
    assert found[0] == {
        "seq": 1, "id": id_, "task": "app.add", "line": 1, "at": ISO, "attempt": 1,
        "level": "info", "message": "one",
    }  # fmt: skip
    lines = ask(invoke, "logs", id_, "-o", "jsonl").stdout.splitlines()
    assert [json.loads(line) for line in lines] == found


@pytest.mark.parametrize(("tail", "kept"), [("1", 1), ("2", 2), ("99", 3), ("0", 3)])
def test_tail_begins_with_the_last_ones(
    talking: QueueFile, invoke: Invoke, tail: str, kept: int
) -> None:
    for name in ("-n", "--tail", "--limit"):
        assert len(ask(invoke, "logs", "1", name, tail).stdout.splitlines()) == kept


@pytest.mark.parametrize("form", ["csv", "plain", "wide", "table", "github", "name"])
def test_every_format_works(talking: QueueFile, invoke: Invoke, form: str) -> None:
    wanted = "1.3" if form == "name" else "three"
    assert wanted in ask(invoke, "logs", "1", "-o", form).stdout


def test_columns_and_times_can_be_chosen(talking: QueueFile, invoke: Invoke) -> None:
    words = ("logs", "1", "--columns", "line,message", "-n", "1")
    assert ask(invoke, *words).stdout == "3\tthree\n"
    assert ask(invoke, "logs", "1", "-n1", "--time-format", "unix").stdout.startswith("2000000000.")
    assert ask(invoke, "logs", "1", "--columns", "nope").exit_code == 2


def test_following_ends_with_the_job(talking: QueueFile, spawn: Callable[..., Any]) -> None:
    worker = consumer(talking, "beta")
    talking.add("app.other")
    claim = start(talking, worker)
    child = spawn("logs", "2", "-u", "queue.db", "-f", "-o", "jsonl")

    for message in ("begun", "half way"):
        say(talking, claim, message)
        assert json.loads(child.stdout.readline())["message"] == message
    say(talking, claim, "over")
    end(talking, worker, claim)

    assert json.loads(child.stdout.readline())["message"] == "over"
    assert child.wait(DEADLINE) == 0


def test_following_begins_before_the_job_does(queue: QueueFile, spawn: Callable[..., Any]) -> None:
    queue.add("app.add")
    child = spawn("logs", "1", "-u", "queue.db", "-f", "-n", "5")
    worker = consumer(queue)
    claim = start(queue, worker)
    say(queue, claim, "at last")

    assert child.stdout.readline() == f"{ISO}\t1\tINFO\tat last\n"
    child.send_signal(signal.SIGINT)
    assert child.wait(DEADLINE) == 130


def test_a_job_that_has_kept_nothing_is_6_and_says_how(mixed: QueueFile, invoke: Invoke) -> None:
    code, message, hint = error(invoke, "logs", "1")

    assert (code, message) == (6, "job 1 has kept no log lines")
    assert hint is not None and "keep_logs=True" in hint
    assert ask(invoke, "logs", "2", "-f").exit_code == 6


def test_a_job_that_has_not_run_yet_has_nothing_so_far(mixed: QueueFile, invoke: Invoke) -> None:
    result = ask(invoke, "logs", "3")

    assert (result.exit_code, result.stdout) == (0, "")
    assert ask(invoke, "logs", "3", "--json").stdout == "[]\n"


def test_an_unknown_job_is_3_and_an_endless_array_is_2(mixed: QueueFile, invoke: Invoke) -> None:
    assert error(invoke, "logs", "99")[:2] == (3, "no job 99")
    assert ask(invoke, "logs", "1", "-f", "--json").exit_code == 2
    assert ask(invoke, "logs", "1", "-Q", "nope").exit_code == 3


def test_lines_never_drive_a_terminal(talking: QueueFile, on_tty: OnTty) -> None:
    talking.add("app.add")
    say(talking, start(talking, consumer(talking, "beta")), "evil\x1b[2J\r\x07")

    _, shown = on_tty("logs", "2", "-u", "queue.db")

    assert "evil\\x1b[2J\\r\\x07" in shown


def test_show_ends_with_the_last_lines(talking: QueueFile, invoke: Invoke) -> None:
    text = ask(invoke, "show", "1", "-o", "plain").stdout
    found = json.loads(ask(invoke, "show", "1", "--json").stdout)

    assert f"\nLOG\n{ISO}  try 1  INFO  one\n" in text
    assert text.endswith("INFO  three\n")
    assert [line["message"] for line in found["log"]] == ["one", "two\nand a half", "three"]


def test_show_says_how_many_more_there_are(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.add")
    say(queue, start(queue, consumer(queue)), *map(str, range(30)))

    assert "… 20 more: hueyctl logs 1" in ask(invoke, "show", "1", "-o", "plain").stdout


@pytest.mark.feature("logs")
def test_a_consumer_keeps_what_a_task_logs(home: Any, hueyctl: Any) -> None:
    (home / "talk.py").write_text(
        "import logging\n"
        "from hueycore import SqliteHuey\n"
        "huey = SqliteHuey('huey', filename='queue.db')\n"
        "log = logging.getLogger('talk')\n"
        "@huey.task(keep_logs=True)\n"
        "def work():\n"
        "    log.info('quiet')\n"
        "    log.warning('loud')\n"
    )
    hueyctl("enqueue", "-A", "talk:huey", "talk.work")

    done = hueyctl("consume", "talk:huey", "--burst")
    again = hueyctl("enqueue", "-A", "talk:huey", "talk.work")
    as_json = hueyctl("consume", "talk:huey", "--burst", "--log-format", "json")

    lines = hueyctl("logs", "1", "-u", "queue.db").stdout.splitlines()
    assert [line.split("\t")[1:] for line in lines] == [
        ["1", "INFO", "quiet"], ["1", "WARNING", "loud"],
    ]  # fmt: skip
    # What is kept is not shown for that.
    assert "loud (job 1 of talk.work, attempt 1)" in done.stderr
    assert "quiet" not in done.stderr
    records = [json.loads(line) for line in as_json.stderr.splitlines()]
    loud = next(each for each in records if each["message"] == "loud")
    over = next(each for each in records if "is done" in each["message"])
    assert [loud[key] for key in ("job", "job_id", "task", "attempt", "duration")] == [
        2, again.stdout.strip(), "talk.work", 1, None,
    ]  # fmt: skip
    assert over["job"] == 2 and over["duration"] >= 0
    assert next(each for each in records if "consumer" in each["message"])["job"] is None


def test_a_person_who_waits_sees_how_far_a_job_is(queue: QueueFile) -> None:
    import pexpect

    queue.add("app.add")
    worker = consumer(queue)
    claim = start(queue, worker)
    say(queue, claim, progress="40% compiling")
    python, *words = command("wait", "1", "-u", "queue.db")
    child = pexpect.spawn(python, words, timeout=DEADLINE, encoding="utf-8")

    child.expect_exact("0 of 1, 1 running: 40% compiling")
    say(queue, claim, progress="80% linking")
    child.expect_exact("80% linking")
    end(queue, worker, claim)
    child.expect_exact("done")
    child.expect(pexpect.EOF)
    child.close()

    assert child.exitstatus == 0


def test_a_wide_list_shows_progress(talking: QueueFile, invoke: Invoke) -> None:
    talking.add("app.other")
    say(talking, start(talking, consumer(talking, "beta")), progress="40% compiling")

    assert "40% compiling" in ask(invoke, "list", "-o", "wide").stdout
