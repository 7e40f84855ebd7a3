"""Limits: who has what holds jobs back, who waits for it, and what operators have stopped."""

from __future__ import annotations

import re
from html import unescape

from clikit import QueueFile
from dashkit import Browser, part
from operatingkit import consumer, start

from hueycore.model.limits import Limit, Rate
from hueycore.storage.open import open_storage


def test_a_limit_says_who_has_it_how_many_are_behind_and_who_is_next(
    queue: QueueFile, browser: Browser
) -> None:
    queue.storage.declare_limits([Limit("app.fetch", "api", 1)])
    for _ in range(3):
        queue.add("app.fetch", key_name="api")
    start(queue, consumer(queue, "alpha"))

    html = browser.html("/limits")
    words = part(html, "limits")
    assert re.search(r"api huey 1 at once 2 #1 for \S+ on alpha #2 app.fetch", words), words
    assert 'aria-label="1 of 1 taken"' in html
    assert "state=blocked&amp;where=key_name+%3D+api" in html
    (row,) = browser.json("/limits.json")
    assert (row["kind"], row["waiters"], row["first_waiters"]) == ("limit", 2, [2, 3])
    assert [job["worker"] for job in row["jobs"]] == ["alpha"]


def test_the_jobs_behind_a_limit_are_those_of_its_link(queue: QueueFile, browser: Browser) -> None:
    queue.storage.declare_limits([Limit("app.fetch", "api", 1)])
    for key in ("api", "api", "api", None):
        queue.add("app.fetch", key_name=key)

    html = browser.html("/limits")
    link = re.search(r'href="/ops/queue(/jobs\?[^"]*key_name[^"]*)"', html)
    assert link is not None
    path, _, query = unescape(link[1]).partition("?")
    assert [job["seq"] for job in browser.json(f"{path}.json?{query}")] == [3, 2]


def test_a_rate_says_what_is_spent_and_when_the_next_one_goes(
    queue: QueueFile, browser: Browser
) -> None:
    queue.storage.declare_limits([Limit("app.mail", "smtp", None, Rate(2, 3600.0, 2))])
    for _ in range(3):
        queue.add("app.mail", key_name="smtp")
    queue.finish()

    html = browser.html("/limits")
    assert 'aria-label="2 of 2 spent"' in html
    assert "2 per 1h 00m, 2 in a row" in part(html, "limits")
    (row,) = browser.json("/limits.json")
    assert (row["kind"], row["rate"]["spent"], row["waiters"]) == ("rate", 2, 1)
    assert row["due"] is not None


def test_a_lock_of_a_process_stands_apart_with_its_holder(
    queue: QueueFile, browser: Browser
) -> None:
    number = queue.storage.register(name="shell:1", kind="holder", slots=1)
    assert queue.storage.lock("nightly", number, b"token", ttl=3600)

    html = browser.html("/limits")
    assert "nightly huey shell:1" in part(html, "locks")
    assert "No task declares a limit" in part(html, "limits")
    assert browser.get("/limits.tsv").body.decode().splitlines()[1].startswith("lock\tnightly\t")


def test_what_operators_stopped_stands_with_the_command_that_lets_it_go_on(
    queue: QueueFile, browser: Browser
) -> None:
    queue.add("app.add")
    ann = open_storage(queue.where, "huey", operator="ann@ops")
    ann.pause(by="ann@ops", reason="lunch")
    ann.pause(task="app.add", by="ann@ops")
    ann.set_revocation("revoked-task", "app.old")
    ann.close()

    words = part(browser.html("/limits"), "orders")
    assert "queue paused: huey" in words and "“lunch”" in words
    for command in ("resume huey", "resume --task app.add", "restore --task app.old"):
        assert f"hueyctl {command}" in words


def test_where_nothing_holds_jobs_back_it_is_said(browser: Browser) -> None:
    html = browser.html("/limits")

    assert "Nothing holds jobs back" in html
    assert browser.json("/limits.json") == []
