"""status: what is wrong, the worst first, and how things stand."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clikit import QueueFile
from operatingkit import (
    URL,
    Invoke,
    OnTty,
    add_schedule,
    alter,
    ask,
    bury,
    claim_only,
    consumer,
    ended_after,
    start,
)

from hueycore.constants import WORKER_PROCESS
from hueycore.model.jobs import Selector
from hueyctl import streams
from hueyctl.answers.alarms import alarms as all_alarms
from hueyctl.answers.look import Look
from hueyctl.answers.usual import remedy
from hueyctl.cli import cli
from hueyctl.context import Session

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def status(invoke: Invoke, *words: str) -> dict[str, Any]:
    result = ask(invoke, "status", "--json", *words)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    assert found["schema"] == "hueyctl.status/1"
    return found


def alarms(invoke: Invoke) -> list[tuple[str, str, str, str]]:
    """(level, kind, message, next) of each."""
    keys = ("level", "kind", "message", "next")
    return [tuple(one[key] for key in keys) for one in status(invoke)["alarms"]]  # type: ignore[misc]


def test_nothing_is_wrong_with_an_empty_queue(queue: QueueFile, invoke: Invoke) -> None:
    found = status(invoke)

    assert (found["status"], found["alarms"], found["running"]) == ("ok", [], [])
    assert ask(invoke, "status", "--exit-code").exit_code == 0


def test_jobs_that_nobody_serves_are_an_alarm(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.add")
    queue.add("app.add")
    alter(queue, enqueued_at=time.time() - 90, run_at=time.time() - 90)

    assert alarms(invoke) == [
        (
            "critical", "consumer", ("no consumer serves queue huey: 2 jobs wait, the oldest for "
            "1m 30s"), "hueyctl consume APP --queue huey",
        )
    ]  # fmt: skip
    assert status(invoke)["status"] == "critical"
    assert ask(invoke, "status", "--exit-code").exit_code == 1


def test_jobs_with_a_consumer_are_none(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.add")
    consumer(queue)

    assert alarms(invoke) == []


def test_a_job_that_is_due_later_is_none(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.add", run_at=time.time() + 600)

    assert alarms(invoke) == []


def test_runs_of_the_dead_are_named(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.add")
    start(queue, consumer(queue))
    bury(queue)

    (found, dead) = alarms(invoke)

    assert found[2:] == (
        "no consumer serves queue huey; 1 run was lost", "hueyctl consume APP --queue huey",
    )  # fmt: skip
    assert (dead[1], dead[3]) == ("worker", "hueyctl doctor")


def test_a_run_beyond_its_timeout_is_stuck(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.add", timeout=10.0)
    start(queue, consumer(queue))
    alter(queue, claimed_at=time.time() - 60)

    (found,) = alarms(invoke)

    assert found[:2] == ("critical", "stuck")
    assert found[2] == "job 1 app.add has run for 1m 00s, its timeout is 10s on alpha"
    assert found[3] == "hueyctl revoke 1"
    assert status(invoke)["running"][0]["stuck"] is True


def test_a_run_far_above_what_is_usual_is_stuck(queue: QueueFile, invoke: Invoke) -> None:
    ended_after(queue, 30, 0.5)
    queue.add("app.add")
    seq = start(queue, consumer(queue)).seq
    alter(queue, seq, claimed_at=time.time() - 300)

    (found,) = alarms(invoke)

    assert found[:2] == ("critical", "stuck")
    text = f"job {seq} app.add has run for 5m 00s, 99 of 100 runs of app.add take 500ms on alpha"
    assert found[2] == text
    (run,) = status(invoke)["running"]
    assert (run["seq"], run["worker"], run["stuck"]) == (seq, "alpha", True)
    assert run["p95_s"] == 0.5
    assert run["for_s"] == pytest.approx(300, abs=20)


@pytest.mark.parametrize(("usual", "span"), [(100.0, 300), (0.5, 30)])
def test_a_run_that_is_only_long_is_not(
    queue: QueueFile, invoke: Invoke, usual: float, span: float
) -> None:
    ended_after(queue, 30, usual)
    queue.add("app.add")
    seq = start(queue, consumer(queue)).seq
    alter(queue, seq, claimed_at=time.time() - span)

    assert alarms(invoke) == []


def test_a_job_that_waits_behind_a_stuck_one_in_its_consumer_is_not(
    queue: QueueFile, invoke: Invoke
) -> None:
    queue.add("app.add", timeout=10.0)
    claim_only(queue, consumer(queue))
    alter(queue, claimed_at=time.time() - 60)

    assert alarms(invoke) == []


def test_who_ran_too_rarely_is_not_called_stuck(queue: QueueFile, invoke: Invoke) -> None:
    ended_after(queue, 5, 0.5)
    queue.add("app.add")
    seq = start(queue, consumer(queue)).seq
    alter(queue, seq, claimed_at=time.time() - 3000)

    assert alarms(invoke) == []


@pytest.mark.parametrize(
    ("kind", "asked", "command"),
    [
        ("thread", 0, "hueyctl revoke 1"),
        ("thread", 1, "kill -TERM PID"),
        (WORKER_PROCESS, 0, "hueyctl revoke --terminate 1"),
        (WORKER_PROCESS, 1, "hueyctl revoke --terminate 1"),
    ],
)
def test_the_remedy_is_what_this_kind_of_worker_can_do(
    queue: QueueFile, invoke: Invoke, kind: str, asked: int, command: str
) -> None:
    queue.add("app.add", timeout=10.0)
    worker = queue.storage.register(name="alpha", kind=kind, slots=2)
    start(queue, worker)
    alter(queue, claimed_at=time.time() - 60, cancel_requested=asked)

    (found,) = alarms(invoke)

    command = command.replace("PID", str(os.getpid()))
    assert found[3] == command
    assert json.loads(ask(invoke, "why", "1", "--json").stdout)["next"] == command


def test_a_process_that_is_out_of_sight_is_not_told_by_its_number(queue: QueueFile) -> None:
    queue.add("app.add", timeout=10.0)
    start(queue, consumer(queue))
    alter(queue, claimed_at=time.time() - 60, cancel_requested=1)
    job = queue.storage.job("1")
    assert job is not None
    here = {row.address: row for row in queue.storage.workers()}
    elsewhere = {place: row._replace(local_pid=None) for place, row in here.items()}

    assert remedy(job, here) == f"kill -TERM {os.getpid()}"
    assert remedy(job, elsewhere) == "hueyctl workers"


def test_a_command_names_the_queue_where_there_are_several(
    queue: QueueFile, invoke: Invoke
) -> None:
    other = QueueFile(queue.where, "other")
    for one in (queue, other):
        one.add("app.add", run_at=time.time() + 600)
    queue.storage.pause(task="app.mail")
    other.storage.pause(task="app.mail")
    other.storage.set_revocation("revoked-task", "app.old")

    for command in [found[3] for found in alarms(invoke)]:
        assert ask(invoke, *shlex.split(command)[1:]).exit_code == 0, command

    assert alarms(invoke) == []
    other.storage.close()


def test_dead_letters_that_went_meanwhile_are_counted_as_they_were(queue: QueueFile) -> None:
    queue.add("app.boom")
    queue.kill()
    look = Look(queue.storage)
    assert look.depths
    queue.storage.purge(Selector())

    (found,) = (one for one in all_alarms(look) if one.kind == "dead")

    assert found.text == "1 dead letter"


def test_dead_letters_are_counted_with_the_most_frequent(queue: QueueFile, invoke: Invoke) -> None:
    for _ in range(3):
        queue.add("app.boom")
    queue.kill("TimeoutError", "too slow")
    queue.add("app.mail")
    queue.kill("ValueError", "no")

    assert alarms(invoke) == [
        ("warning", "dead", "4 dead letters, 3 of app.boom: TimeoutError", "hueyctl dead summary")
    ]


def test_a_task_that_fails_often_is_named(queue: QueueFile, invoke: Invoke) -> None:
    for _ in range(10):
        queue.add("app.boom")
    queue.kill()

    assert alarms(invoke)[0] == (
        "warning", "failing", "app.boom failed in 10 of 10 runs of 15m", "hueyctl stats --by task",
    )  # fmt: skip


def test_what_is_paused_or_revoked_is_named_with_its_end(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.add")
    consumer(queue)
    queue.storage.pause(by="ann", reason="deploy")
    queue.storage.pause(task="app.mail")
    queue.storage.pause(scheduler=True)
    queue.storage.set_revocation("revoked-task", "app.old", reason="gone")

    found = {kind + " " + next_: text for _, kind, text, next_ in alarms(invoke)}

    assert list(found) == [
        "paused hueyctl resume huey", "paused hueyctl resume --scheduler huey",
        "paused hueyctl resume --task app.mail", "revoked hueyctl restore --task app.old",
    ]  # fmt: skip
    paused = found["paused hueyctl resume huey"]
    assert re.fullmatch(
        r"queue huey has been paused for \S+ by ann \(deploy\); 1 job waits", paused
    )
    assert found["revoked hueyctl restore --task app.old"].endswith("(gone)")


def test_an_order_that_is_over_is_no_alarm(queue: QueueFile, invoke: Invoke) -> None:
    queue.storage.pause(task="app.mail", until=time.time() - 1)
    queue.storage.set_revocation("revoked-task", "app.old", until=time.time() - 1)

    assert alarms(invoke) == []


def test_a_schedule_that_does_not_fire_is_named(queue: QueueFile, invoke: Invoke) -> None:
    consumer(queue)
    add_schedule(queue, "nightly", next_run=time.time() - 100)

    (found,) = alarms(invoke)

    assert found[1] == "periodic"
    assert found[2].startswith("periodic nightly is overdue since 1m 40s: consumers are up")
    assert found[3] == "hueyctl why nightly"


def test_the_worst_comes_first(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.boom")
    queue.kill()
    queue.add("app.add")
    alter(queue, 2, run_at=time.time() - 90)

    assert [level for level, *_ in alarms(invoke)] == ["critical", "warning"]


def test_what_comes_within_the_hour_is_listed_in_order(queue: QueueFile, invoke: Invoke) -> None:
    now = time.time()
    queue.add("app.report", run_at=now + 1200)
    queue.add("app.late", run_at=now + 7200)
    add_schedule(queue, "often", schedule="1 3 29 2 *", next_run=now + 600)

    found = status(invoke)

    names = [(one["task"], one["seq"], one["periodic"]) for one in found["coming"]]
    assert names[:2] == [("app.report", None, "often"), ("app.report", 1, None)]
    assert all(task != "app.late" for task, *_ in names)
    assert found["scheduled"] == 1


def test_only_the_queues_that_were_chosen_are_looked_at(queue: QueueFile, invoke: Invoke) -> None:
    consumer(queue)
    other = QueueFile(queue.where, "other")
    other.add("app.add")
    other.storage.close()

    assert [one["queue"] for one in status(invoke)["alarms"]] == ["other"]
    assert status(invoke, "-Q", "huey")["alarms"] == []


def test_a_pipe_gets_a_line_for_each_alarm_and_nothing_when_all_is_well(
    queue: QueueFile, hueyctl: Run
) -> None:
    assert hueyctl("status", *URL).stdout == ""
    queue.add("app.add")

    (line,) = hueyctl("status", *URL).stdout.splitlines()

    level, name, message, command = line.split("\t")
    assert (level, name, command) == ("warning", "huey", "hueyctl consume APP --queue huey")
    assert message.startswith("no consumer serves queue huey: 1 job waits")


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal_but_a_command(
    mixed: QueueFile, on_tty: OnTty, width: int
) -> None:
    start(mixed, consumer(mixed, "a-consumer-with-a-rather-long-name"))
    mixed.storage.pause(task="app.mail.send", by="ann", reason="the provider is down, says bob")

    code, shown = on_tty("status", *URL, "--color", "never", columns=width)

    assert code == 0
    assert shown.startswith("2 things want a look.")
    assert "WITHIN THE HOUR" in shown
    assert "RUNNING" in shown
    for line in shown.splitlines():
        assert len(line) <= width or line.strip().startswith("hueyctl "), line


@pytest.mark.sqlite_only("the queue is a file of the folder")
def test_no_command_in_a_folder_with_a_queue_is_status(
    queue: QueueFile, home: Path, hueyctl: Run
) -> None:
    queue.add("app.add")

    assert hueyctl(*URL).stdout.startswith("warning\thuey\t")
    assert hueyctl("why", *URL, "--json").stdout.startswith('{"schema": "hueyctl.status/1"')
    (home / "hueyctl.toml").write_text('url = "queue.db"\n')
    assert hueyctl().stdout.startswith("warning\thuey\t")


def test_no_command_anywhere_else_is_help(home: Path, hueyctl: Run) -> None:
    done = hueyctl()

    assert done.returncode == 2
    assert done.stderr.startswith("Usage: hueyctl ")


# --- the same alarms elsewhere ------------------------------------------------------------------


def test_check_is_critical_of_jobs_that_nobody_serves_for_long(
    queue: QueueFile, invoke: Invoke
) -> None:
    queue.add("app.add")
    assert ask(invoke, "check").exit_code == 1
    alter(queue, run_at=time.time() - 90)

    result = ask(invoke, "check")

    assert result.exit_code == 2
    assert result.stdout.startswith("HUEY CRITICAL - alarms 1 (>0), no consumer serves queue huey")


def test_check_warns_of_a_pause(queue: QueueFile, invoke: Invoke) -> None:
    queue.storage.pause(task="app.mail")

    result = ask(invoke, "check", "--json")

    assert result.exit_code == 1
    (row,) = (row for row in json.loads(result.stdout)["checks"] if row["name"] == "alarms")
    assert row == {"name": "alarms", "value": 1, "warn": 0, "crit": None, "status": "warning"}


def test_dead_letters_have_limits_of_their_own_in_check(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.boom")
    queue.kill()

    assert ask(invoke, "check").exit_code == 0
    assert ask(invoke, "check", "--dead", "0:5").exit_code == 1


def test_doctor_says_each_with_its_command(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.add")
    queue.storage.pause(task="app.mail")

    found = json.loads(ask(invoke, "doctor", "--json").stdout)["checks"]

    told = [(row["status"], row["hint"]) for row in found if row["name"] == "alarms"]
    assert told == [
        ("warning", "hueyctl consume APP --queue huey"),
        ("warning", "hueyctl resume --task app.mail"),
    ]


def test_metrics_count_them(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.add")

    lines = ask(invoke, "metrics").stdout.splitlines()

    assert 'hueyctl_alarms{queue="huey",kind="consumer",level="warning"} 1' in lines


def test_top_shows_them_above_its_tables(queue: QueueFile, on_tty: OnTty) -> None:
    queue.add("app.add")

    _, shown = on_tty(
        "top", *URL, "--count", "1", "--no-alt-screen", "--color", "never", columns=120
    )

    assert "no consumer serves queue huey: 1 job waits" in shown


def pasted(shown: str) -> str:
    """The command line on a screen that ends a pause, as a shell reads it."""
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown).replace("\\\n", "").splitlines()
    return next(line.strip() for line in lines if line.endswith(" resume huey"))


@pytest.mark.parametrize("view", ["status", "why 1", "show 1"])
@pytest.mark.parametrize("where", ["-u ./queue.db", "--config my.toml", ""])
def test_the_next_step_on_a_terminal_works_when_it_is_pasted(
    queue: QueueFile, hueyctl: Run, on_tty: OnTty, view: str, where: str
) -> None:
    queue.add("app.add")
    consumer(queue)
    queue.storage.pause()
    queue.storage.close()
    os.rename("queue.db", "queue.db" if where else "huey.db")
    Path("my.toml").write_text('url = "queue.db"\n')

    line = pasted(on_tty(*shlex.split(f"{view} {where}"))[1])

    assert line == f"hueyctl {where or '-u huey.db'} resume huey"
    result = hueyctl(*shlex.split(line)[1:])
    assert (result.returncode, result.stderr) == (0, "")


def test_the_next_step_is_as_it_is_in_a_pipe_and_where_settings_say_where(
    queue: QueueFile, hueyctl: Run, on_tty: OnTty, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.add("app.add")
    consumer(queue)
    queue.storage.pause()

    piped = hueyctl("why", "1", "-u", "queue.db", "-o", "plain").stdout
    monkeypatch.setenv("HUEYCTL_URL", "queue.db")

    assert piped.splitlines()[1] == "  hueyctl resume huey"
    assert pasted(on_tty("why", "1")[1]) == "hueyctl resume huey"


def test_no_next_step_has_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "is_tty", lambda _stream: True)
    ctx = cli.make_context("hueyctl", ["-u", "redis://:secret@db:6379/0", "status"])

    assert Session(ctx).next_step("hueyctl resume mail") == "hueyctl resume mail"
