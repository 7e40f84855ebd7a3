"""restore: undo revoke."""

from __future__ import annotations

import time
from typing import Any

import pytest
from clikit import QueueFile
from operatingkit import Invoke, OnTty, ask, change, consumer, error, pipeline, row, start, states


@pytest.fixture
def revoked(mixed: QueueFile) -> QueueFile:
    """3, 4 and 5 are revoked."""
    from hueycore.model.jobs import Selector

    mixed.storage.revoke(Selector(keys=("3", "4", "5")), "a mistake")
    return mixed


def test_jobs_wait_again_at_their_old_time(revoked: QueueFile, invoke: Invoke) -> None:
    when = row(revoked, 5).run_at

    found = change(invoke, "restore", "3", "5", "--yes", "--reason", "a mistake indeed")

    assert (found["action"], found["matched"], found["changed"]) == ("restore", 2, 2)
    assert states(revoked) == {1: "done", 2: "dead", 3: "pending", 4: "revoked", 5: "scheduled"}
    assert row(revoked, 5).run_at == when
    assert row(revoked, 3).reason == "a mistake indeed"


def test_all_means_every_revoked_job_and_every_order(revoked: QueueFile, invoke: Invoke) -> None:
    revoked.storage.set_revocation("revoked-task", "app.mail")
    revoked.storage.set_revocation("revoked-id", "an-id")

    refused = ask(invoke, "restore", "--all")
    found = change(invoke, "restore", "--all", "--yes")

    assert refused.exit_code == 6
    assert "restore 3 jobs and 2 standing orders of queue huey" in refused.stderr
    assert (found["matched"], found["changed"]) == (5, 5)
    assert found["orders"] == ["an-id", "app.mail"]
    assert states(revoked) == {1: "done", 2: "dead", 3: "pending", 4: "pending", 5: "scheduled"}
    assert revoked.storage.revocations() == []


def test_a_dry_run_of_all_changes_nothing(revoked: QueueFile, invoke: Invoke) -> None:
    revoked.storage.set_revocation("revoked-task", "app.mail")
    before = states(revoked)

    found = change(invoke, "restore", "--all", "--dry-run")

    assert (found["matched"], found["changed"], len(found["ids"])) == (4, 0, 3)
    assert states(revoked) == before
    assert len(revoked.storage.revocations()) == 1


def test_an_expired_job_is_restored_when_it_is_named(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.add", expires_at=time.time() - 1)
    queue.storage.expire()
    assert states(queue) == {1: "expired"}

    assert change(invoke, "restore", "--all")["matched"] == 0
    assert change(invoke, "restore", "1")["changed"] == 1
    assert (row(queue, 1).state, row(queue, 1).expires_at) == ("pending", None)


def test_what_ran_is_not_restored_and_what_waits_is_fine(
    revoked: QueueFile, invoke: Invoke
) -> None:
    found = change(invoke, "restore", "1", "2", code=1)
    assert [each["message"] for each in found["failed"]] == [
        "job 1 is done, not revoked", "job 2 is dead, not revoked",
    ]  # fmt: skip
    ask(invoke, "restore", "3")
    again = change(invoke, "restore", "3")
    assert (again["matched"], again["changed"], again["failed"]) == (1, 0, [])


def test_a_job_that_runs_and_was_asked_to_stop_is_asked_no_more(
    queue: QueueFile, invoke: Invoke
) -> None:
    queue.add("app.add")
    start(queue, consumer(queue))
    ask(invoke, "revoke", "1")
    assert row(queue, 1).cancel_requested

    assert change(invoke, "restore", "1")["changed"] == 1

    assert (row(queue, 1).state, row(queue, 1).cancel_requested) == ("running", False)
    assert error(invoke, "restore", "1")[:2] == (1, "job 1 is running")


def test_a_stage_waits_for_its_forerunner_again(queue: QueueFile, invoke: Invoke) -> None:
    pipeline(queue, "app.a", "app.b")
    ask(invoke, "revoke", "1")

    assert change(invoke, "restore", "1", "2", "-y")["changed"] == 2
    assert states(queue) == {1: "pending", 2: "blocked"}


def test_an_order_about_an_id_is_taken_back(queue: QueueFile, invoke: Invoke) -> None:
    id_ = queue.add("app.add")
    for name in (id_, "not-yet"):
        queue.storage.set_revocation("revoked-id", name)

    assert change(invoke, "restore", "not-yet")["orders"] == ["not-yet"]
    assert change(invoke, "restore", "1")["orders"] == [id_]
    assert queue.storage.revocations() == []
    assert ask(invoke, "restore", "not-yet").exit_code == 3


def test_an_order_about_a_task_is_taken_back(queue: QueueFile, invoke: Invoke) -> None:
    queue.storage.set_revocation("revoked-task", "app.mail")

    assert change(invoke, "restore", "--task", "app.mail", "--dry-run")["changed"] == 0
    assert len(queue.storage.revocations()) == 1
    assert change(invoke, "restore", "--task", "app.mail")["orders"] == ["app.mail"]
    assert queue.storage.revocations() == []
    assert error(invoke, "restore", "--task", "app.mail") == (
        3, "task app.mail is not revoked", "hueyctl revoke --list",
    )  # fmt: skip


def test_a_task_that_is_still_revoked_is_pointed_out(revoked: QueueFile, invoke: Invoke) -> None:
    revoked.storage.set_revocation("revoked-task", "app.mail.send")

    assert "task app.mail.send is still revoked" in ask(invoke, "restore", "3").stderr


@pytest.mark.parametrize("words", [(), ("--task", "a", "1"), ("--task", "a", "--all")])
def test_what_makes_no_sense_is_a_usage_error(
    queue: QueueFile, invoke: Invoke, words: tuple[str, ...]
) -> None:
    assert ask(invoke, "restore", *words).exit_code == 2


def test_what_another_operator_did_meanwhile_is_not_done_again(
    revoked: QueueFile, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = type(revoked.storage)
    requeue = engine.requeue

    def raced(self: Any, selector: Any, **how: Any) -> Any:
        if not how.pop("raced", False):
            requeue(revoked.storage, selector._replace(states=()))
            revoked.finish()
        return requeue(self, selector, **how)

    monkeypatch.setattr(engine, "requeue", raced)

    found = change(invoke, "restore", "3", code=1)

    assert found["changed"] == 0
    assert found["failed"][0]["message"] == "job 3 changed meanwhile"
    assert states(revoked)[3] == "done"


def test_what_is_printed(revoked: QueueFile, invoke: Invoke, on_tty: OnTty) -> None:
    assert on_tty("restore", "3", "-u", "queue.db") == (0, "restored 3  app.mail.send\n")
    assert ask(invoke, "restore", "4").stdout == "restored\t4\tapp.mail.drop\n"
    assert on_tty("restore", "4", "-u", "queue.db") == (0, "Nothing to restore.\n")
