"""What people change by forms, and what they are told."""

from __future__ import annotations

import json
import re
import shlex
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from clikit import QueueFile, fill
from dashkit import BASE, Browser
from test_pages import check_command, commands

from hueycore.constants import WORKER_PROCESS
from hueycore.model.endings import Done
from hueycore.model.events import EventQuery
from hueycore.model.jobs import Ended, Selector, Want
from hueycore.model.schedules import Periodic
from hueyctl.dashboard.asks import Answer, Person


class Hand:
    """Sends forms, and goes where they lead, with the cookies that they leave."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.cookie = ""

    def send(self, act: str, /, **fields: Any) -> str:
        """The page that comes of it."""
        return self.follow(self.post(act, **fields))

    def post(self, act: str, /, **fields: Any) -> Answer:
        fields = {"back": f"{BASE}/jobs?state=dead", **fields}
        body = urlencode({name.rstrip("_"): value for name, value in fields.items()}, doseq=True)
        return self.browser.post(f"/acts/{act}", body.encode())

    def follow(self, answer: Answer) -> str:
        assert answer.status == 303, answer.body.decode()
        headers = dict(answer.headers)
        cookie = headers.get("Set-Cookie", "").partition(";")[0]
        return self.get(headers["Location"].removeprefix(BASE), cookie)

    def get(self, address: str, cookie: str = "") -> str:
        answer = self.browser.get(address, cookie=cookie)
        assert answer.status == 200, answer.body.decode()
        return answer.body.decode()

    def press(self, html: str, label: str, **typed: Any) -> str:
        """The form whose button has this label."""
        for form in re.findall(r"<form.*?</form>", html, re.DOTALL):
            if re.search(rf"<button[^>]*>{re.escape(label)}</button>", form):
                action = unescape(re.search(r'action="([^"]*)"', form)[1])  # type: ignore[index]
                fields: dict[str, list[str]] = {}
                for name, value in re.findall(r'name="([^"]*)" value="([^"]*)"', form):
                    fields.setdefault(name, []).append(unescape(value))
                body = urlencode({**fields, **typed}, doseq=True).encode()
                answer = self.browser.post(action.removeprefix(BASE), body)
                return answer.body.decode() if answer.status == 422 else self.follow(answer)
        raise AssertionError(f"no button {label} in {html}")


@pytest.fixture
def hand(browser: Browser) -> Hand:
    return Hand(browser)


def notice(html: str) -> str:
    found = re.search(r'<div class="card notice[^>]*><p>(.*?)</p>', html)
    return unescape(found[1]) if found else ""


def acts_of(queue: QueueFile) -> list[tuple[str, str | None]]:
    """The verbs in the event log, with who did them."""
    events = queue.storage.events(EventQuery())
    return [(one.signal, one.worker) for one in events if "dashboard" in (one.worker or "")]


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


# --- copies ---------------------------------------------------------------------------------------


def test_a_copy_has_the_call_of_its_job_or_another(queue: QueueFile, hand: Hand) -> None:
    from hueyctl.answers.payloads import decode_arguments

    fill(queue)
    page = hand.get("/acts/copy?id=3")
    (line, *_) = commands(page)
    check_command(line)
    assert line.startswith("hueyctl enqueue --args '[\"ann\"]' --kwargs ")
    url = shlex.quote(hand.browser.board.url)
    assert line.endswith(f" -Q huey -u {url} app.mail.send")

    typed = {"args": '["bob", [1,', "kwargs": '{"user": "<b>"}'}
    wrong = hand.press(page, "Run it", **typed)
    assert "not JSON" in wrong
    assert unescape(re.search(r'name="args"[^>]*>\n?(.*?)</textarea>', wrong)[1]) == '["bob", [1,'  # type: ignore[index]
    assert "&lt;b&gt;" in wrong
    made = hand.press(wrong, "Run it", args='["bob"]', kwargs='{"user": 9}')
    assert notice(made) == "Queued job 6, a copy of job 3."
    assert decode_arguments(queue.storage.payload(6)) == (["bob"], {"user": 9})
    hand.send("copy", id="3")
    assert queue.storage.payload(7) == queue.storage.payload(3)


# --- who may ------------------------------------------------------------------------------------


def test_who_may_only_look_is_shown_the_commands_and_changes_nothing(
    queue: QueueFile, browser: Browser
) -> None:
    fill(queue)
    browser.person = Person("bob", may_change=False)

    page = browser.html("/acts/purge?all=yes&state=dead")
    assert "hueyctl dead purge --all --yes" in page
    assert "Purge 1 job</button>" not in page
    for act in ("retry", "revoke", "purge", "pause", "trigger", "copy", "unlock"):
        assert browser.post(f"/acts/{act}", b"id=2&queue=huey").status == 403
    assert queue.state("2") == "dead"


def test_a_notice_that_somebody_else_has_written_is_text_or_nothing(browser: Browser) -> None:
    from base64 import urlsafe_b64encode

    def page(value: object) -> str:
        written = urlsafe_b64encode(json.dumps(value).encode()).decode()
        answer = browser.get("/jobs", cookie=f"hueyctl-notice={written}")
        assert answer.status == 200
        return answer.body.decode()

    evil = "<script>alert(1)</script>"
    assert notice(page([evil, [evil, {"name": evil, "label": evil, "class_": "x"}], False])) == evil
    assert evil not in page([evil, [evil, {evil: evil}], True])
    for value in (evil, [], [1], [evil, 1, 2], {"a": 1}, None, [evil, [evil, [1]], 0]):
        assert notice(page(value)) == ""
    for raw in ("!", "AAAA", "", '"', "=" * 5000):
        assert browser.get("/jobs", cookie=f"hueyctl-notice={raw}").status == 200


def test_a_form_leads_back_into_the_dashboard_alone(queue: QueueFile, hand: Hand) -> None:
    fill(queue)

    for back in ("https://evil.example/", "//evil.example", "/\\evil.example", "/other", ""):
        answer = hand.post("retry", id="1", back=back)
        assert dict(answer.headers)["Location"] == f"{BASE}/"
    back = f"{BASE}/jobs?task=caf%C3%A9\r\nSet-Cookie: x=y"
    target = dict(hand.post("retry", id="1", back=back).headers)["Location"]
    assert parse_qs(urlsplit(target).query)["task"] == ["café\r\nSet-Cookie: x=y"]
