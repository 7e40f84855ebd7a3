"""consume: real consumers in real processes."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from clikit import DEADLINE, QueueFile, state_of_job, states_of_workers

Run = Callable[..., Any]
Until = Callable[..., None]


def ready(*paths: Path) -> Callable[[], bool]:
    """Whether each file has a consumer at work."""
    return lambda: all(states_of_workers(path) == ["running"] for path in paths)


def gone(*paths: Path) -> Callable[[], bool]:
    return lambda: all(states_of_workers(path) == [] for path in paths)


def test_a_burst_runs_what_is_there_and_ends(app: str, hueyctl: Run, home: Path) -> None:
    hueyctl("enqueue", "-A", app, "app.add", "1")
    hueyctl("enqueue", "-A", app, "app.boom", "x")

    done = hueyctl("consume", app, "--burst", "-w", "2")

    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert str(home / "queue.db") in done.stderr
    assert hueyctl("result", "1", "-A", app).stdout == "3\n"
    assert hueyctl("result", "2", "-A", app).returncode == 5


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_gently_with_0(
    app: str, hueyctl: Run, spawn: Run, until: Until, home: Path, number: int
) -> None:
    child = spawn("consume", "-A", app, "-l", "log")
    until(ready(home / "queue.db"))
    hueyctl("enqueue", "-A", app, "app.nap", "0.3")
    until(lambda: state_of_job(home / "queue.db", "1") == "running")

    child.send_signal(number)

    assert child.wait(DEADLINE) == 0
    assert hueyctl("result", "1", "-A", app).stdout == "0.3\n"


def test_a_second_signal_interrupts(
    app: str, hueyctl: Run, spawn: Run, until: Until, home: Path
) -> None:
    child = spawn("consume", app, "-l", "log")
    until(ready(home / "queue.db"))
    hueyctl("enqueue", "-A", app, "app.nap", "60")
    until(lambda: state_of_job(home / "queue.db", "1") == "running")

    child.terminate()
    until(lambda: states_of_workers(home / "queue.db") == ["stopping"])
    child.terminate()

    assert child.wait(DEADLINE) == 143


def test_the_log_can_be_json_lines(app: str, hueyctl: Run) -> None:
    hueyctl("enqueue", "-A", app, "app.boom", "evil\x1b[2J\nline")

    done = hueyctl("consume", app, "--burst", "--log-format", "json")

    records = [json.loads(line) for line in done.stderr.splitlines()]
    assert all({"at", "level", "logger", "message", "error"} <= set(each) for each in records)
    failed = next(each for each in records if each["error"])
    assert failed["error"]["type"] == "ValueError"


def test_a_text_log_cannot_drive_the_terminal(app: str, hueyctl: Run) -> None:
    hueyctl("enqueue", "-A", app, "app.boom", "evil\x1b[2J")

    done = hueyctl("consume", app, "--burst")

    assert "\x1b" not in done.stderr
    assert "evil\\x1b[2J" in done.stderr


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_an_error_of_any_length_is_cut_in_the_log_and_in_the_file(
    app: str, hueyctl: Run, home: Path, log_format: str
) -> None:
    """Each end of the message is kept, and the traceback says where it was raised."""
    with (home / "app.py").open("a") as file:
        file.write(
            "\n@huey.task()\ndef loud():\n    boom.func('begin' + 'x' * 20_000_000 + 'end')\n"
        )
    hueyctl("enqueue", "-A", app, "app.loud")

    done = hueyctl("consume", app, "--burst", "--log-format", log_format)

    assert done.returncode == 0
    assert len(done.stderr) < 40_000
    for part in ("ValueError: begin", "xend", "in boom"):
        assert part in done.stderr
    assert (home / "queue.db").stat().st_size < 2_000_000
    shown = json.loads(hueyctl("show", "1", "-A", app, "--json").stdout)
    assert shown["error"]["message"].startswith("begin")
    result = hueyctl("result", "1", "-A", app)
    assert result.returncode == 5
    assert len(result.stderr) < 10_000


def test_quiet_and_simple_say_less(app: str, hueyctl: Run) -> None:
    assert hueyctl("consume", app, "--burst", "-q").stderr == ""
    simple = hueyctl("consume", app, "--burst", "-S").stderr
    assert "queue.db" in simple
    assert "INFO" not in simple


def test_a_log_that_cannot_be_written_is_74(app: str, hueyctl: Run) -> None:
    done = hueyctl("consume", app, "--burst", "-l", "no/such/folder/log")

    assert done.returncode == 74
    assert "no/such/folder/log" in done.stderr


@pytest.mark.parametrize("kind", ["greenlet", "asyncio"])
@pytest.mark.parametrize("said", ["option", "environment", "config"])
def test_loops_and_greenlets_run_jobs_wherever_their_kind_was_said(
    app: str, hueyctl: Run, home: Path, kind: str, said: str
) -> None:
    pytest.importorskip("gevent")
    hueyctl("enqueue", "-A", app, "app.add", "1")
    words = ["consume", app, "--burst", *(("-k", kind) if said == "option" else ())]
    env = dict(os.environ)
    if said == "environment":
        env["HUEYCTL_CONSUME_WORKER_TYPE"] = kind
    if said == "config":
        (home / "hueyctl.toml").write_text(f'[consume]\nworker-type = "{kind}"\n')

    done = hueyctl(*words, env=env)

    assert done.returncode == 0, done.stderr
    assert f"1 {kind} workers" in done.stderr
    assert hueyctl("result", "1", "-A", app).stdout == "3\n"


def test_greenlets_without_gevent_are_78_with_what_to_install(
    app: str, invoke: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gevent", None)

    result = invoke("consume", app, "-k", "greenlet")

    assert result.exit_code == 78
    assert "hueyctl[greenlet]" in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        [], ["x", "-w", "-1"], ["x", "-s", "7"], ["x", "-b", "0.5"], ["x", "-k", "fiber"],
        ["x", "-g", "HUP"], ["x", "-t", "soon"], ["x", "-M", "-1"],
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_a_usage_error(
    home: Path, invoke: Callable[..., Result], words: list[str]
) -> None:
    assert invoke("consume", *words).exit_code == 2


def test_the_letters_of_huey_consumer_reach_the_consumer() -> None:
    from hueyctl.cli import cli
    from hueyctl.commands.consume import consume
    from hueyctl.service.options import consumer_options

    words = (
        "app -w 4 -k thread -d 0.2 -m 5 -b 1.2 -c 7 -C -s 2 -n -f -L a,b -M 9 -t 3 -g INT "
        "--burst --max-time 1m --name me"
    )
    import click

    ctx = consume.make_context(
        "consume", words.split(), parent=click.Context(cli, **cli.context_settings)
    )

    assert consumer_options(ctx.params) == {
        "workers": 4, "worker_type": "thread", "initial_delay": 0.2, "max_delay": 5.0,
        "backoff": 1.2, "health_check_interval": 7.0, "check_worker_health": False,
        "scheduler_interval": 2, "periodic": False, "flush_locks": True, "extra_locks": "a,b",
        "max_tasks": 9, "shutdown_timeout": 3.0, "graceful_signal": "INT", "burst": True,
        "max_time": 60.0, "name": "me",
    }  # fmt: skip


def test_what_is_not_said_is_left_to_the_application() -> None:
    import click

    from hueyctl.cli import cli
    from hueyctl.commands.consume import consume
    from hueyctl.service.options import consumer_options

    ctx = consume.make_context(
        "consume", ["app"], parent=click.Context(cli, **cli.context_settings)
    )

    assert consumer_options(ctx.params) == {}


def test_no_time_at_all_is_said_as_well() -> None:
    import click

    from hueyctl.cli import cli
    from hueyctl.commands.consume import consume
    from hueyctl.service.options import consumer_options

    words = ["app", "-t", "0", "-d", "0"]
    ctx = consume.make_context("consume", words, parent=click.Context(cli, **cli.context_settings))

    assert consumer_options(ctx.params) == {"shutdown_timeout": 0.0, "initial_delay": 0.0}


@pytest.mark.parametrize("source", ["file", "environment"])
def test_options_can_stand_in_a_file_or_the_environment(
    app: str, hueyctl: Run, home: Path, source: str
) -> None:
    (home / "more.py").write_text("from app import huey\nhuey.task()(print)\n")
    environ = dict(os.environ)
    if source == "file":
        (home / "pyproject.toml").write_text(
            f'[tool.hueyctl]\napp = "{app}"\n[tool.hueyctl.consume]\nworkers = 3\n'
            'name = "it"\nburst = true\nmax-time = "10m"\nperiodic = false\nimport = "more"\n'
            'log-format = "json"\npidfile = "pid"\nhttp = "127.0.0.1:0"\n'
        )
    else:
        environ |= {"HUEYCTL_APP": app} | {
            f"HUEYCTL_CONSUME_{name}": value
            for name, value in {
                "WORKERS": "3", "NAME": "it", "BURST": "1", "MAX_TIME": "10m", "PERIODIC": "no",
                "IMPORT": "more", "LOG_FORMAT": "json", "PIDFILE": "pid", "HTTP": "127.0.0.1:0",
            }.items()
        }  # fmt: skip

    done = hueyctl("consume", env=environ)

    assert done.returncode == 0, done.stderr
    said = [json.loads(line)["message"] for line in done.stderr.splitlines()]
    # A file, which was not there.
    said = [line for line in said if not line.startswith("created ")]
    assert said[0].startswith("probes at http://127.0.0.1:")
    assert "consumer it, " in said[1]
    assert ": 3 thread workers on " in said[1]
    assert said[1].endswith("6 tasks")
    assert said[2:] == ["stopping: the queue is empty", "stopped"]


def test_a_log_that_is_rotated_away_is_begun_anew(
    app: str, hueyctl: Run, spawn: Run, until: Until, home: Path
) -> None:
    log = home / "log"
    child = spawn("consume", app, "-l", "log")
    until(ready(home / "queue.db"))
    until(log.exists)
    log.rename(home / "log.1")

    hueyctl("enqueue", "-A", app, "app.boom", "x", "--wait")
    child.terminate()

    assert child.wait(DEADLINE) == 0
    assert "is dead" in log.read_text()
    assert "is dead" not in (home / "log.1").read_text()
    assert log.read_text().endswith("stopped\n")


def test_every_option_that_is_passed_exists_in_the_library() -> None:
    import inspect

    from hueycore.consumer.consumer import Consumer
    from hueyctl.service.options import _PASSED

    known = set(inspect.signature(Consumer).parameters)
    extra = {"check_worker_health", "flush_locks", "extra_locks", "graceful_signal"}
    assert set(_PASSED.values()) | extra <= known


def test_more_modules_can_be_imported(app: str, hueyctl: Run, home: Path) -> None:
    (home / "more.py").write_text(
        "from app import huey\n@huey.task()\ndef extra():\n    return 1\n"
    )

    done = hueyctl("consume", app, "--import", "more", "--preflight", "--json")

    assert json.loads(done.stdout)["tasks"] == 6


def test_preflight_reports_and_creates_nothing(app: str, hueyctl: Run, home: Path) -> None:
    done = hueyctl("consume", app, "--preflight", "-o", "json")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "schema": "hueyctl.preflight/1", "app": app, "storage": str(home / "queue.db"),
        "tasks": 5, "periodic": 0, "ok": True, "problems": [],
    }  # fmt: skip
    assert not (home / "queue.db").exists()


def test_preflight_says_what_is_wrong(app: str, hueyctl: Run, home: Path) -> None:
    (home / "queue.db").write_bytes(b"garbage" * 1000)

    done = hueyctl("consume", app, "nothing:huey", "--preflight", "-o", "jsonl")

    reports = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 69
    assert [report["ok"] for report in reports] == [False, False]
    assert "not a database" in reports[0]["problems"][0]
    assert "no module" in reports[1]["problems"][0]


def test_an_application_that_cannot_be_imported_is_78(home: Path, hueyctl: Run) -> None:
    assert hueyctl("consume", "nothing:huey").returncode == 78


def test_a_pidfile_is_refused_while_its_process_lives_and_removed_at_the_end(
    app: str, hueyctl: Run, spawn: Run, until: Until, home: Path
) -> None:
    pidfile = home / "worker.pid"
    child = spawn("consume", app, "--pidfile", "worker.pid", "-l", "log")
    until(ready(home / "queue.db"))

    second = hueyctl("consume", app, "--burst", "--pidfile", "worker.pid")

    assert second.returncode == 6
    assert str(child.pid) in second.stderr
    assert pidfile.read_text() == f"{child.pid}\n"
    child.terminate()
    assert child.wait(DEADLINE) == 0
    assert not pidfile.exists()


def test_a_pidfile_of_a_dead_process_is_taken_over(app: str, hueyctl: Run, home: Path) -> None:
    # The number of a process that lives, but does not hold the file.
    (home / "worker.pid").write_text(f"{os.getpid()}\n")

    assert hueyctl("consume", app, "--burst", "--pidfile", "worker.pid").returncode == 0
    assert hueyctl("consume", app, "--burst", "--pidfile", "no/x.pid").returncode == 74


def test_the_storage_can_be_elsewhere(app: str, hueyctl: Run, home: Path) -> None:
    made = QueueFile(home / "else.db", "other")
    made.add("app.add", 1)
    made.storage.close()

    assert hueyctl("consume", app, "-u", "nope.db", "--burst").returncode == 69
    done = hueyctl("consume", app, "-u", "sqlite:///else.db?name=other", "--burst")

    assert done.returncode == 0, done.stderr
    assert hueyctl("result", "1", "-u", "else.db").stdout == "3\n"
    assert not (home / "queue.db").exists()
