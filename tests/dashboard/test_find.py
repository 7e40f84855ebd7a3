"""Finding: a number, an id, a task, a queue, a call, an error."""

from __future__ import annotations

import re
from html import unescape

import pytest
from clikit import QueueFile, fill
from dashkit import Browser, part, seqs


@pytest.mark.parametrize("words", ["2", "#2"])
def test_a_number_finds_its_job(words: str, queue: QueueFile, browser: Browser) -> None:
    fill(queue)

    html = browser.html(f"/find?q={words.replace('#', '%23')}")
    assert seqs(part_of(html, "job")) == [2]
    assert "hueyctl show 2" in html


def part_of(html: str, name: str) -> str:
    found = re.search(rf'<section[^>]*data-part="{name}".*?</section>', html, re.S)
    assert found is not None
    return found[0]


def test_an_id_finds_its_job(queue: QueueFile, browser: Browser) -> None:
    id_ = queue.add("app.add", 1)

    assert [job["id"] for job in browser.json(f"/find.json?q={id_}")] == [id_]


def test_a_part_of_a_name_finds_tasks_and_queues(queue: QueueFile, browser: Browser) -> None:
    fill(queue)

    assert "app.boom" in part(browser.html("/find?q=BOO"), "names")
    assert "huey queue" in part(browser.html("/find?q=hue"), "names")


def test_a_text_finds_calls_and_errors(queue: QueueFile, browser: Browser) -> None:
    fill(queue)

    html = browser.html("/find?q=ann")
    assert seqs(part_of(html, "args")) == [3]
    assert seqs(part_of(browser.html("/find?q=too+slow"), "error")) == [2]


def test_a_search_that_found_a_page_full_goes_on_in_jobs(
    queue: QueueFile, browser: Browser
) -> None:
    for _ in range(25):
        queue.add("app.mail", "ann")

    html = browser.html("/find?q=ann")
    link = re.search(r'href="/ops/queue(/jobs\?[^"]*before[^"]*)"', html)
    assert link is not None
    path, _, query = unescape(link[1]).partition("?")
    assert [job["seq"] for job in browser.json(f"{path}.json?{query}")] == [5, 4, 3, 2, 1]


def test_nothing_found_is_said(browser: Browser) -> None:
    assert "Nothing was found" in browser.html("/find?q=nowhere")
    assert "Nothing was found" not in browser.html("/find")
