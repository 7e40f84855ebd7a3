"""What people change by forms, and what they are told."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from actkit import Hand, acts_of, notice
from clikit import QueueFile, fill
from dashkit import BASE, check_command, commands

from hueycore.constants import WORKER_PROCESS
from hueycore.model.endings import Done
from hueycore.model.events import EventQuery
from hueycore.model.jobs import Ended, Selector, Want
from hueycore.model.schedules import Periodic


def start(queue: QueueFile, kind: str = "thread") -> tuple[int, list[Any]]:
    """A worker that has taken what is pending."""
    worker = queue.storage.register(name="test", kind=kind, slots=4)
    return worker, queue.storage.exchange(worker, [], Want(100)).claims


# --- one job --------------------------------------------------------------------------------------


def test_a_dead_letter_is_retried_at_once_and_back_is_where_the_form_stood(
    queue: QueueFile, hand: Hand
) -> None:
    fill(queue)

    answer = hand.post("retry", id="2", reason="the host is back")
    assert dict(answer.headers)["Location"] == f"{BASE}/jobs?state=dead"
    assert queue.state("2") == "pending"
    assert acts_of(queue) == [("requeue", "ann@ops (dashboard)")]
    assert notice(hand.follow(answer)) == "Retried job 2 (app.boom)."
    assert notice(hand.get("/jobs")) == ""


def test_what_was_done_to_one_job_is_undone_by_the_notice(queue: QueueFile, hand: Hand) -> None:
    fill(queue)

    revoked = hand.send("revoke", id="3")
    assert queue.state("3") == "revoked"
    restored = hand.press(revoked, "Undo")
    assert queue.state("3") == "pending"
    assert notice(restored) == "Restored job 3 (app.mail.send)."
    hand.press(restored, "Undo")
    assert queue.state("3") == "revoked"


def test_a_job_moves_to_another_time_and_priority_and_back(queue: QueueFile, hand: Hand) -> None:
    fill(queue)
    before = queue.storage.job("5")

    moved = hand.send("reschedule", id="5", when="+2h", priority="7")
    after = queue.storage.job("5")
    assert (after.priority, round(after.run_at - before.run_at, -2)) == (7, 3600)
    hand.press(moved, "Undo")
    back = queue.storage.job("5")
    assert back.priority == before.priority
    assert back.run_at == pytest.approx(before.run_at, abs=0.01)


@pytest.mark.parametrize(
    ("act", "id_", "why"),
    [
        ("retry", "3", "job 3 is pending, not dead"),
        ("revoke", "1", "job 1 is already done"),
        ("restore", "1", "job 1 is done, not revoked"),
        ("reschedule", "1", "job 1 is done"),
        ("retry", "999", "no job 999"),
    ],
)
def test_what_is_not_possible_any_more_says_why(
    act: str, id_: str, why: str, queue: QueueFile, hand: Hand
) -> None:
    fill(queue)
    before = queue.storage.jobs(Selector())

    said = notice(hand.send(act, id=id_, when="now"))
    assert said == f"Nothing was done: {why}."
    assert queue.storage.jobs(Selector()) == before


def test_a_bad_time_is_told_beside_what_was_typed(queue: QueueFile, hand: Hand) -> None:
    fill(queue)

    answer = hand.post("reschedule", id="5", when="half past <nine>", reason="later")
    html = answer.body.decode()
    assert answer.status == 422
    assert "is not a time" in html
    assert 'value="half past &lt;nine&gt;"' in html
    assert 'value="later"' in html


def test_a_running_job_is_asked_to_stop_and_asked_no_more(queue: QueueFile, hand: Hand) -> None:
    queue.add("app.nap")
    worker, claims = start(queue)

    asked = hand.send("revoke", id="1")
    assert notice(asked) == "Asked job 1 (app.nap) to stop."
    assert queue.storage.job("1").cancel_requested
    hand.press(asked, "Undo")
    assert not queue.storage.job("1").cancel_requested
    queue.storage.exchange(worker, [Ended(claims[0], Done())], Want(0))
    queue.storage.unregister(worker)


@pytest.mark.parametrize("kind", ["thread", WORKER_PROCESS])
def test_a_job_is_interrupted_where_its_kind_of_worker_can(
    kind: str, queue: QueueFile, hand: Hand
) -> None:
    queue.add("app.nap")
    worker, claims = start(queue, kind)

    page = hand.send("interrupt", id="1")
    if kind == "thread":
        assert "cannot interrupt a job" in unescape(page)
        assert "Interrupt 1 job</button>" not in page
    else:
        assert "hueyctl revoke 1 --terminate" in unescape(page)
        hand.press(page, "Interrupt 1 job", reason="stuck")
        assert queue.storage.cancel_requested([1], interrupt=True) == [1]
    queue.storage.exchange(worker, [Ended(claims[0], Done())], Want(0))
    queue.storage.unregister(worker)


# --- many jobs ------------------------------------------------------------------------------------


def test_many_are_changed_after_a_page_that_names_them_and_nothing_newer_is(
    queue: QueueFile, hand: Hand
) -> None:
    for number in range(3):
        queue.add("app.boom", number)
    queue.kill()

    page = hand.get("/acts/purge?all=yes&state=dead&task=app.*")
    (line, *_) = commands(page)
    assert line.startswith("hueyctl dead purge --task 'app.*' --yes")
    check_command(line)
    queue.add("app.boom", "newer")
    queue.kill()
    gone = hand.press(page, "Purge 3 jobs", reason="wrong list")
    assert notice(gone) == "Purged 3 jobs."
    assert [job.seq for job in queue.storage.jobs(Selector())] == [4]
    assert acts_of(queue) == [("purge", "ann@ops (dashboard)")]
    assert queue.storage.events(EventQuery())[-1].reason == "wrong list"


def test_a_bulk_whose_jobs_have_become_more_is_shown_once_more(
    queue: QueueFile, hand: Hand
) -> None:
    queue.add("app.boom")
    queue.add("app.boom")
    queue.run(lambda claim: dead() if claim.seq == 2 else Done())
    queue.add("app.slow")
    page = hand.get("/acts/retry?all=yes&state=dead&task=app.*")

    queue.storage.requeue(Selector(states=(), keys=("1",)))
    queue.kill()
    again = hand.press(page, "Retry 1 job")
    assert "By now 2 jobs match" in again
    hand.press(again, "Retry 2 jobs")
    assert [queue.state(key) for key in "12"] == ["pending", "pending"]


def dead() -> Any:
    from hueycore.model.endings import Dead, Failure

    return Dead("failed", Failure("ValueError", "broken", "ValueError: broken"))


def test_above_a_hundred_their_number_is_typed(queue: QueueFile, hand: Hand) -> None:
    for number in range(101):
        queue.add("app.boom", number)

    page = hand.get("/acts/revoke?all=yes&state=pending")
    for typed in ("", "100"):
        refused = hand.press(page, "Revoke 101 jobs", number=typed, reason="wrong list")
        assert "Type the number of jobs, 101." in refused
        assert 'value="wrong list"' in refused
    assert queue.storage.count(Selector(states=("pending",))) == 101
    hand.press(page, "Revoke 101 jobs", number="101", reason="wrong list")
    assert queue.storage.count(Selector(states=("revoked",))) == 101
    assert acts_of(queue) == [("revoke", "ann@ops (dashboard)")]


def test_ticked_jobs_are_meant_and_without_a_tick_none_is(queue: QueueFile, hand: Hand) -> None:
    fill(queue)

    assert "no job of these" in hand.get("/acts/revoke?state=pending")
    page = hand.get("/acts/revoke?id=3&id=4&id=1")
    assert "job 1 is done" in page or "Revoke 3 jobs" in page
    hand.press(page, re.search(r"Revoke \d jobs", page)[0])  # type: ignore[index]
    assert [queue.state(key) for key in "1345"] == ["done", "revoked", "revoked", "scheduled"]


def test_a_bulk_retry_can_be_slow(queue: QueueFile, hand: Hand) -> None:
    for number in range(3):
        queue.add("app.boom", number)
    queue.kill()

    page = hand.get("/acts/retry?all=yes&state=dead")
    refused = hand.press(page, "Retry 3 jobs", rate="-1")
    assert "no number of jobs in a second" in refused
    assert "Retry 3 jobs</button>" in refused
    hand.press(page, "Retry 3 jobs", rate="0.01")
    first, second, third = (job.run_at for job in queue.storage.jobs(Selector()))
    assert (second - first, third - second) == pytest.approx((100, 100), abs=0.01)


# --- pauses, schedules, locks ---------------------------------------------------------------------


@pytest.mark.parametrize("what", [{}, {"task": "app.add"}, {"scheduler": "yes"}])
def test_a_pause_is_undone_and_told_by_whom(
    what: dict[str, str], queue: QueueFile, hand: Hand
) -> None:
    fill(queue)

    def is_paused() -> bool:
        orders = any(one.kind.startswith("paused") for one in queue.storage.revocations())
        return orders or any(row.paused_at for row in queue.storage.queues())

    paused = hand.send("pause", queue="huey", reason="SMTP down", for_="30m", **what)
    assert is_paused()
    resumed = hand.press(paused, "Undo")
    assert not is_paused()
    hand.press(resumed, "Undo")
    assert is_paused()
    assert [who for _, who in acts_of(queue)] == ["ann@ops (dashboard)"] * 3
    assert "was not paused" in notice(hand.send("resume", queue="huey", task="app.other"))


def test_a_periodic_task_is_triggered_paused_and_resumed(queue: QueueFile, hand: Hand) -> None:
    payload = queue.serializer.serialize(((), {}))
    one = Periodic("nightly", "app.nightly", "0 3 * * *", None, 4e9, payload=payload)
    queue.storage.schedule_periodic(one)

    triggered = hand.send("trigger", queue="huey", periodic="nightly")
    assert queue.state("1") == "pending"
    assert acts_of(queue) == [("reschedule", "ann@ops (dashboard)")]
    assert queue.storage.events(EventQuery())[-1].reason == "triggered: nightly"
    hand.press(triggered, "Undo")
    assert queue.state("1") == "revoked"
    paused = hand.send("pause", queue="huey", periodic="nightly", reason="month end")
    assert queue.storage.periodic()[0].pause_reason == "month end"
    hand.press(paused, "Undo")
    assert queue.storage.periodic()[0].paused_at is None
    assert "no periodic task" in notice(hand.send("trigger", queue="huey", periodic="gone"))


def test_a_lock_is_freed_after_its_page_and_not_a_later_one(queue: QueueFile, hand: Hand) -> None:
    worker = queue.storage.register(name="test", kind="thread", slots=0)
    queue.storage.lock("ledger", worker, b"one")

    page = hand.get("/acts/unlock?queue=huey&lock=ledger")
    check_command(commands(page)[0])
    queue.storage.unlock("ledger")
    assert "Nobody holds lock ledger" in notice(hand.press(page, "Free it"))
    other = queue.storage.register(name="other", kind="thread", slots=0)
    queue.storage.lock("ledger", other, b"two")
    again = hand.press(page, "Free it")
    assert "another has it" in again
    assert queue.storage.is_locked("ledger")
    hand.press(again, "Free it")
    assert not queue.storage.is_locked("ledger")
    assert acts_of(queue) == [("unlock", "ann@ops (dashboard)")]
    for one in (worker, other):
        queue.storage.unregister(one)


def test_a_revoked_task_is_restored_and_that_is_undone(queue: QueueFile, hand: Hand) -> None:
    queue.storage.set_revocation("revoked-task", "app.add", once=True, reason="SMTP down")

    html = hand.get("/limits")
    back = hand.press(html, "Restore")
    assert queue.storage.revocations() == []
    hand.press(back, "Undo")
    (order,) = queue.storage.revocations()
    assert (order.name, order.once, order.reason) == ("app.add", True, "SMTP down")


def test_the_buttons_of_the_pages_do_what_they_say(queue: QueueFile, hand: Hand) -> None:
    fill(queue)
    payload = queue.serializer.serialize(((), {}))
    queue.storage.schedule_periodic(Periodic("n", "app.n", "0 3 * * *", None, 4e9, payload=payload))

    hand.press(hand.get("/periodic"), "Run now")
    assert queue.state("6") == "pending"
    hand.press(hand.get("/periodic"), "Pause")
    hand.press(hand.get("/periodic"), "Resume")
    assert queue.storage.periodic()[0].paused_at is None
    hand.press(hand.get("/tasks/app.add"), "Pause", reason="slow", **{"for": "1h"})
    assert [one.reason for one in queue.storage.revocations()] == ["slow"]
    hand.press(hand.get("/tasks/app.add"), "Resume")
    hand.press(hand.get("/queues/huey"), "Pause")
    hand.press(hand.get("/limits"), "Resume")
    assert queue.storage.queues()[0].paused_at is None
    (retry,) = set(re.findall(r'href="([^"]*acts/retry[^"]*where[^"]*)"', hand.get("/dead")))
    hand.press(hand.get(unescape(retry).removeprefix(BASE)), "Retry 1 job")
    assert queue.state("2") == "pending"
