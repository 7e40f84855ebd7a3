"""revoke: jobs now, a task from now on."""

from __future__ import annotations

import json
import time

import pytest
from clikit import QueueFile
from operatingkit import (
    Invoke,
    OnTty,
    ask,
    change,
    claim_only,
    consumer,
    error,
    pipeline,
    row,
    start,
    states,
)

from hueycore.model.flags import Revocation


def order(queue: QueueFile, task: str) -> Revocation | None:
    return queue.storage.revocation("revoked-task", task)


def test_waiting_jobs_end_revoked_with_the_reason_on_their_rows(
    mixed: QueueFile, invoke: Invoke
) -> None:
    found = change(invoke, "revoke", "3", "5", "--yes", "--reason", "no longer wanted")

    assert found == {
        "schema": "hueyctl.change/1", "action": "revoke", "matched": 2, "changed": 2,
        "dry_run": False, "ids": [row(mixed, 3).id, row(mixed, 5).id], "failed": [],
    }  # fmt: skip
    assert (row(mixed, 3).state, row(mixed, 3).reason) == ("revoked", "no longer wanted")
    assert states(mixed) == {1: "done", 2: "dead", 3: "revoked", 4: "pending", 5: "revoked"}


def test_a_job_that_runs_is_asked_to_stop(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.add")
    queue.add("app.add")
    worker = consumer(queue)
    start(queue, worker)
    claim_only(queue, worker)

    result = ask(invoke, "revoke", "--all", "-y", "-o", "plain")

    assert result.stdout == "stopping 1  app.add\nstopping 2  app.add\n"
    assert (row(queue, 1).state, row(queue, 1).cancel_requested) == ("running", True)


def test_what_has_ended_cannot_be_revoked_and_what_is_revoked_is_fine(
    mixed: QueueFile, invoke: Invoke
) -> None:
    ask(invoke, "revoke", "3")

    again = change(invoke, "revoke", "3")
    found = change(invoke, "revoke", "1", "2", "4", "-y", code=1)

    assert (again["matched"], again["changed"], again["failed"]) == (1, 0, [])
    assert (found["matched"], found["changed"]) == (3, 1)
    assert [(each["code"], each["message"]) for each in found["failed"]] == [
        ("refused", "job 1 is already done"), ("refused", "job 2 is already dead"),
    ]  # fmt: skip
    assert states(mixed)[4] == "revoked"


def test_what_follows_a_stage_is_revoked_with_it(queue: QueueFile, invoke: Invoke) -> None:
    pipeline(queue, "app.a", "app.b")

    ask(invoke, "revoke", "1")

    assert states(queue) == {1: "revoked", 2: "revoked"}


def test_filters_choose_and_all_means_what_is_live(mixed: QueueFile, invoke: Invoke) -> None:
    assert change(invoke, "revoke", "--where", "task ~ mail", "--dry-run")["matched"] == 2
    assert change(invoke, "revoke", "--state", "scheduled")["changed"] == 1
    assert change(invoke, "revoke", "--priority", "5..")["ids"] == [row(mixed, 4).id]
    assert change(invoke, "revoke", "--all", "-y")["matched"] == 1
    assert states(mixed) == {1: "done", 2: "dead", 3: "revoked", 4: "revoked", 5: "revoked"}


def test_what_is_printed(queue: QueueFile, invoke: Invoke, on_tty: OnTty) -> None:
    ids = [queue.add("app.add") for _ in range(4)]

    assert on_tty("revoke", "1", "-u", "queue.db") == (0, "revoked 1  app.add\n")
    assert ask(invoke, "revoke", "2").stdout == "revoked\t2\tapp.add\n"
    assert ask(invoke, "revoke", "3", "-o", "name").stdout == f"{ids[2]}\n"
    assert ask(invoke, "revoke", "4", "-o", "csv").stdout == (
        "ACTION,SEQ,TASK\nrevoked,4,app.add\n"
    )
    assert on_tty("revoke", "--all", "-u", "queue.db") == (0, "Nothing to revoke.\n")


# --- a whole task ---------------------------------------------------------------------------------


def test_a_task_is_revoked_from_now_on(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.mail")
    queue.add("app.other")

    found = change(invoke, "revoke", "--task", "app.mail", "--reason", "SMTP down")

    assert (found["changed"], found["ids"], found["orders"]) == (1, [], ["app.mail"])
    standing = order(queue, "app.mail")
    assert standing is not None
    assert (standing.until, standing.once, standing.reason) == (None, False, "SMTP down")
    # Their turn ends them; nothing is claimed of the task any more.
    assert states(queue) == {1: "pending", 2: "pending"}
    queue.finish()
    assert states(queue) == {1: "revoked", 2: "done"}


def test_a_task_is_revoked_for_a_while_or_once(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.mail")
    now = time.time()

    assert ask(invoke, "revoke", "--task", "app.mail", "--until", "+1h").exit_code == 0
    standing = order(queue, "app.mail")
    assert standing is not None
    assert standing.until is not None
    assert 3599 < standing.until - now < 3660
    assert ask(invoke, "revoke", "--task", "app.mail", "--once").exit_code == 0
    standing = order(queue, "app.mail")
    assert standing is not None
    assert standing.once


def test_a_dry_run_leaves_no_order(queue: QueueFile, invoke: Invoke) -> None:
    found = change(invoke, "revoke", "--task", "app.mail", "--dry-run")

    assert (found["dry_run"], found["changed"]) == (True, 0)
    assert order(queue, "app.mail") is None


def test_a_task_that_nobody_has_seen_is_pointed_out(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.mail")

    assert "no job of queue huey is of task app.mali" in (
        ask(invoke, "revoke", "--task", "app.mali").stderr
    )
    assert ask(invoke, "revoke", "--task", "app.mail").stderr == ""


@pytest.mark.parametrize(
    "words",
    [
        ("--task", "app.*"), ("--task", ""), ("--task", "a", "1"), ("--task", "a", "--all"),
        ("--task", "a", "--until", "yesterday"), ("--task", "a", "--until", "-1h"),
        ("1", "--until", "+1h"), ("1", "--once"), ("--list", "1"), ("--list", "--task", "a"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_a_usage_error(
    queue: QueueFile, invoke: Invoke, words: tuple[str, ...]
) -> None:
    queue.add("app.add")

    assert ask(invoke, "revoke", *words).exit_code == 2
    assert states(queue) == {1: "pending"}
    assert queue.storage.revocations() == []


# --- --list ---------------------------------------------------------------------------------------


def test_the_standing_orders_are_listed(queue: QueueFile, invoke: Invoke) -> None:
    until = time.time() + 600
    queue.storage.set_revocation("revoked-task", "app.mail", until=until, reason="why")
    queue.storage.set_revocation("revoked-id", "an-id", once=True)
    queue.storage.pause(task="app.paused")
    queue.storage.set_revocation("revoked-task", "app.over", until=1)

    result = ask(invoke, "revoke", "--list", "--json")
    found = json.loads(result.stdout)

    assert [(each["target"], each["kind"], each["once"]) for each in found] == [
        ("an-id", "id", True), ("app.mail", "task", False),
    ]  # fmt: skip
    assert list(found[0]) == ["target", "kind", "queue", "until", "once", "since", "reason"]
    assert (found[0]["until"], found[1]["reason"]) == (None, "why")
    lines = ask(invoke, "revoke", "--list").stdout.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["an-id", "app.mail"]
    assert ask(invoke, "revoke", "--list", "-o", "name").stdout == "an-id\napp.mail\n"


def test_no_orders_are_an_empty_list(queue: QueueFile, invoke: Invoke, on_tty: OnTty) -> None:
    result = ask(invoke, "revoke", "--list", "--json")

    assert (result.exit_code, json.loads(result.stdout)) == (0, [])
    assert ask(invoke, "revoke", "--list", "--exit-code").exit_code == 4
    assert on_tty("revoke", "--list", "-u", "queue.db") == (0, "Nothing is revoked.\n")


def test_an_unknown_job_leaves_no_note(queue: QueueFile, invoke: Invoke) -> None:
    assert error(invoke, "revoke", "9") == (3, "no job 9", "hueyctl list --state all")
    assert queue.storage.revocations() == []
