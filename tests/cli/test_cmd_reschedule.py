"""reschedule: another time or priority."""

from __future__ import annotations

import time
from datetime import datetime

import pytest
from clikit import QueueFile
from operatingkit import Invoke, OnTty, ask, change, consumer, error, pipeline, row, start, states


def test_now_makes_a_scheduled_job_pending(mixed: QueueFile, invoke: Invoke) -> None:
    id_ = row(mixed, 5).id
    before = time.time()

    found = change(invoke, "reschedule", "5", "--now")

    assert (row(mixed, 5).id, row(mixed, 5).state) == (id_, "pending")
    assert before <= row(mixed, 5).run_at <= time.time()
    assert (found["action"], found["changed"], found["ids"]) == ("reschedule", 1, [id_])
    told = datetime.fromisoformat(found["run_at"]).timestamp()
    assert abs(told - row(mixed, 5).run_at) < 0.01


@pytest.mark.parametrize(
    ("words", "seconds"),
    [(("--delay", "1h"), 3600), (("--eta", "+2h"), 7200), (("--eta", "2h"), 7200)],
)
def test_a_pending_job_waits_for_another_time(
    mixed: QueueFile, invoke: Invoke, words: tuple[str, ...], seconds: float
) -> None:
    now = time.time()

    assert ask(invoke, "reschedule", "3", *words).exit_code == 0

    assert row(mixed, 3).state == "scheduled"
    assert seconds <= row(mixed, 3).run_at - now < seconds + 20


def test_an_eta_in_the_past_is_now(mixed: QueueFile, invoke: Invoke) -> None:
    before = time.time()

    assert ask(invoke, "reschedule", "5", "--eta", "2001-01-01T00:00", "--utc").exit_code == 0

    assert row(mixed, 5).state == "pending"
    assert row(mixed, 5).run_at >= before


def test_priority_changes_the_order_and_not_the_time(mixed: QueueFile, invoke: Invoke) -> None:
    when = row(mixed, 5).run_at

    found = change(invoke, "reschedule", "3", "5", "--priority", "50", "-y", "--reason", "urgent")

    assert found["run_at"] is None
    assert (row(mixed, 5).priority, row(mixed, 5).run_at, row(mixed, 5).reason) == (
        50, when, "urgent",
    )  # fmt: skip
    assert ask(invoke, "pending", "-n", "1", "-o", "name").stdout == f"{row(mixed, 3).id}\n"


def test_filters_choose_and_by_default_what_waits(mixed: QueueFile, invoke: Invoke) -> None:
    found = change(invoke, "reschedule", "--task", "app.mail.*", "--delay", "1h", "--yes")

    assert (found["matched"], found["changed"]) == (2, 2)
    assert states(mixed) == {1: "done", 2: "dead", 3: "scheduled", 4: "scheduled", 5: "scheduled"}
    assert change(invoke, "reschedule", "--all", "--now", "-y")["changed"] == 3
    assert change(invoke, "reschedule", "--where", "priority > 5", "--delay", "1m")["changed"] == 1


def test_jobs_that_do_not_wait_are_refused(mixed: QueueFile, invoke: Invoke) -> None:
    start(mixed, consumer(mixed))

    found = change(invoke, "reschedule", "1", "2", "4", "5", "--now", "--yes", code=1)

    assert (found["matched"], found["changed"]) == (4, 1)
    assert [each["message"] for each in found["failed"]] == [
        "job 1 is done", "job 2 is dead", "job 4 is running",
    ]  # fmt: skip


def test_a_later_stage_has_no_time_of_its_own_but_a_priority(
    queue: QueueFile, invoke: Invoke
) -> None:
    pipeline(queue, "app.a", "app.b")

    assert error(invoke, "reschedule", "2", "--now")[:2] == (
        1, "job 2 waits for an earlier stage: it runs when that one is done",
    )  # fmt: skip
    assert change(invoke, "reschedule", "2", "--priority", "3")["changed"] == 1
    result = ask(invoke, "reschedule", "--all", "--delay", "1h")
    assert result.exit_code == 0
    assert "1 left out: job 2 waits for an earlier stage" in result.stderr
    assert states(queue) == {1: "scheduled", 2: "blocked"}


@pytest.mark.parametrize(
    "words",
    [
        (), ("--now", "--delay", "1h"), ("--eta", "+1h", "--delay", "1h"), ("--eta", "nonsense"),
        ("--delay", "-5"), ("--priority", "high"), ("--priority", "nan"), ("--priority", "inf"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_a_usage_error(
    mixed: QueueFile, invoke: Invoke, words: tuple[str, ...]
) -> None:
    before = row(mixed, 3)

    assert ask(invoke, "reschedule", "3", *words).exit_code == 2
    assert row(mixed, 3) == before


def test_what_is_printed(mixed: QueueFile, invoke: Invoke, on_tty: OnTty) -> None:
    assert on_tty("reschedule", "5", "--now", "-u", "queue.db") == (
        0, "rescheduled 5  app.report\n",
    )  # fmt: skip
    assert ask(invoke, "reschedule", "5", "--now").stdout == "rescheduled\t5\tapp.report\n"
