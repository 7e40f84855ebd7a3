"""workers: who is there, and what they run."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clikit import DEADLINE, QueueFile, states_of_workers
from operatingkit import Invoke, OnTty, alter, ask, bury, claim_only, consumer, error, start


def found(invoke: Invoke, *words: str) -> Any:
    result = ask(invoke, "workers", *words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_an_idle_consumer_is_one_object(queue: QueueFile, invoke: Invoke) -> None:
    consumer(queue, "alpha", slots=3)

    (one,) = found(invoke)

    assert list(one) == [
        "name", "host", "pid", "queue", "kind", "state", "slots", "busy", "held", "started_at",
        "up_s", "rss_bytes", "jobs",
    ]  # fmt: skip
    assert (one["name"], one["pid"], one["queue"]) == ("alpha", os.getpid(), "huey")
    assert (one["kind"], one["state"], one["slots"], one["busy"]) == ("thread", "idle", 3, 0)
    assert one["up_s"] >= 0
    assert one["jobs"] == []
    if os.path.exists("/proc/self/statm"):
        assert one["rss_bytes"] > 1_000_000


def test_a_busy_one_says_what_it_runs_and_what_it_holds(queue: QueueFile, invoke: Invoke) -> None:
    worker = consumer(queue)
    for name in ("app.one", "app.two", "app.held"):
        queue.add(name)
    for slot in (0, 1):
        start(queue, worker, slot)
    claim_only(queue, worker)

    (one,) = found(invoke)

    assert (one["state"], one["busy"], one["held"]) == ("busy", 2, 1)
    assert [(job["slot"], job["seq"], job["task"]) for job in one["jobs"]] == [
        (0, 1, "app.one"), (1, 2, "app.two"),
    ]  # fmt: skip
    assert list(one["jobs"][0]) == ["slot", "seq", "id", "task", "for_s", "overdue"]
    lines = [line.split("\t") for line in ask(invoke, "workers").stdout.splitlines()]
    assert [line[4:7] for line in lines] == [["busy", "1", "app.one"], ["busy", "2", "app.two"]]


def test_a_run_that_goes_on_after_its_timeout_is_overdue(queue: QueueFile, invoke: Invoke) -> None:
    worker = consumer(queue)
    queue.add("app.slow", timeout=10)
    queue.add("app.quick", timeout=10)
    for slot in (0, 1):
        start(queue, worker, slot)
    alter(queue, 1, claimed_at=lambda at: at - 16)
    alter(queue, 2, claimed_at=lambda at: at - 5)

    (one,) = found(invoke)

    assert one["state"] == "overdue"
    assert [job["overdue"] for job in one["jobs"]] == [True, False]
    lines = ask(invoke, "workers").stdout.splitlines()
    assert [line.split("\t")[4] for line in lines] == ["overdue", "busy"]


def test_stopping_and_dead_ones(queue: QueueFile, invoke: Invoke) -> None:
    queue.storage.stopping(consumer(queue))
    assert found(invoke)[0]["state"] == "stopping"

    bury(queue)
    (one,) = found(invoke)
    assert (one["state"], one["rss_bytes"]) == ("dead", None)


@pytest.mark.sqlite_only("a server names only runs whose jobs still run")
def test_a_slot_whose_job_has_just_ended_is_survived(queue: QueueFile, invoke: Invoke) -> None:
    worker = consumer(queue)
    queue.storage.slots(worker).start(0, 99, 1)

    (one,) = found(invoke)

    assert [(job["seq"], job["task"], job["for_s"]) for job in one["jobs"]] == [(99, None, None)]
    assert ask(invoke, "workers").exit_code == 0


def test_the_queue_narrows(queue: QueueFile, invoke: Invoke) -> None:
    mail = QueueFile(queue.where, "mail")
    consumer(queue, "alpha")
    consumer(mail, "beta")

    assert [one["name"] for one in found(invoke)] == ["alpha", "beta"]
    assert [one["name"] for one in found(invoke, "-Q", "mail")] == ["beta"]
    assert error(invoke, "workers", "-Q", "nope")[0] == 3
    mail.storage.close()


def test_a_person_is_told_which_queue_nobody_serves(
    queue: QueueFile, invoke: Invoke, on_tty: OnTty
) -> None:
    mail, sms = QueueFile(queue.where, "mail"), QueueFile(queue.where, "sms")
    for each in (queue, mail, sms):
        each.add("app.add")
    consumer(queue, "alpha")
    consumer(mail, "beta")

    shown = on_tty("workers", "--color", "never", "-u", "queue.db")[1]
    assert [line.split()[:2] for line in shown.splitlines()[:3]] == [
        ["NAME", "QUEUE"], ["alpha", "huey"], ["beta", "mail"],
    ]  # fmt: skip
    assert shown.splitlines()[-1] == (
        "No consumer serves queue sms: hueyctl consume APP --queue sms"
    )
    assert ask(invoke, "workers").stderr == ""
    mail.storage.close()
    sms.storage.close()


def test_the_exit_code_says_whether_anybody_is_alive(queue: QueueFile, invoke: Invoke) -> None:
    assert ask(invoke, "workers").exit_code == 0
    assert ask(invoke, "workers", "--exit-code").exit_code == 4
    consumer(queue)
    assert ask(invoke, "workers", "--exit-code").exit_code == 0
    bury(queue)
    assert ask(invoke, "workers", "--exit-code").exit_code == 4


def test_nobody_is_an_empty_list(queue: QueueFile, invoke: Invoke, on_tty: OnTty) -> None:
    assert found(invoke) == []
    assert ask(invoke, "workers").output == ""
    assert on_tty("workers", "-u", "queue.db") == (0, "No consumers.\n")


def test_a_person_gets_a_table(queue: QueueFile, on_tty: OnTty, invoke: Invoke) -> None:
    consumer(queue)

    code, shown = on_tty(
        "workers",
        "-u",
        "queue.db",
        columns=160,
    )

    assert code == 0
    assert [word in shown for word in ("NAME", "alpha", "idle", "MB")] == [True] * 4
    wide = ask(invoke, "workers", "-o", "wide").stdout
    assert "SLOTS" in wide
    assert ask(invoke, "workers", "-o", "name").stdout == "alpha\n"


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_real_consumer_is_seen_alive_and_gone(
    home: Path, app: str, invoke: Invoke, spawn: Callable[..., Any],
    until: Callable[..., None], end: signal.Signals,
) -> None:  # fmt: skip
    child = spawn("consume", app, "-w", "2", "--name", "real")
    until(lambda: states_of_workers(home / "queue.db") == ["running"])

    (one,) = found(invoke)
    assert (one["name"], one["pid"], one["state"], one["slots"]) == ("real", child.pid, "idle", 2)

    child.send_signal(end)
    child.wait(DEADLINE)
    assert ask(invoke, "workers", "--exit-code").exit_code == 4
    assert [one["state"] for one in found(invoke)] == (["dead"] if end == signal.SIGKILL else [])
