"""Dead letters by error, with links to those of each."""

from __future__ import annotations

import re
from html import unescape

from clikit import QueueFile
from dashkit import Browser, part


def test_dead_letters_stand_by_error_the_most_frequent_first(
    queue: QueueFile, browser: Browser
) -> None:
    for error, number in (("ValueError", 1), ("TimeoutError", 3)):
        for _ in range(number):
            queue.add("app.boom")
        queue.kill(error, "too slow")

    html = browser.html("/dead")
    assert "<h1>4 dead letters</h1>" in html
    groups = part(html, "groups")
    assert groups.index("TimeoutError") < groups.index("ValueError")
    assert "3 TimeoutError app.boom 3 3 3 3 3" in groups
    assert [row["count"] for row in browser.json("/dead.json")] == [3, 1]
    lines = browser.get("/dead.tsv").body.decode().splitlines()
    assert lines[1].split("\t")[:3] == ["3", "app.boom", "TimeoutError"]


def test_the_link_of_an_error_shows_its_letters_and_no_others(
    queue: QueueFile, browser: Browser
) -> None:
    for error in ("ValueError", "TimeoutError"):
        queue.add("app.boom")
        queue.kill(error)

    links = re.findall(r'href="/ops/queue(/jobs\?[^"]*where[^"]*)"', browser.html("/dead"))
    found = {}
    for link in links:
        path, _, query = unescape(link).partition("?")
        jobs = browser.json(f"{path}.json?{query}")
        found[tuple(job["error"]["type"] for job in jobs)] = [job["seq"] for job in jobs]
    assert found == {("ValueError",): [1], ("TimeoutError",): [2]}


def test_letters_of_one_task_can_be_asked_for(queue: QueueFile, browser: Browser) -> None:
    for task in ("app.boom", "app.other"):
        queue.add(task)
    queue.kill()

    html = browser.html("/dead?task=app.other")
    assert "1 dead letter of app.other" in html
    assert "app.boom" not in part(html, "groups")
