"""Copies of jobs, who may change what, and what is told of it."""

from __future__ import annotations

import json
import re
import shlex
from html import unescape
from urllib.parse import parse_qs, urlsplit

from actkit import Hand, notice
from clikit import QueueFile, fill
from dashkit import BASE, Browser, check_command, commands

from hueyctl.dashboard.asks import Person


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
