"""The overview, jobs and a job: what they say is what the command line says."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from clikit import QueueFile, fill
from dashkit import Browser, number_of, seqs
from operatingkit import consumer, ended_after, start

from hueycore.storage.open import open_storage


def test_an_empty_queue_says_how_its_first_job_comes(browser: Browser) -> None:
    html = browser.html("/")

    assert "Nothing here yet" in html
    assert "hueyctl enqueue TASK ARGS" in html
    assert "No consumer is there" in html


def test_a_queue_whose_jobs_are_all_done_is_not_new(queue: QueueFile, browser: Browser) -> None:
    queue.add("app.add", 1)
    queue.finish()

    assert "Nothing here yet" not in browser.html("/")


def test_the_first_line_says_that_nobody_works(queue: QueueFile, browser: Browser) -> None:
    fill(queue)

    html = browser.html("/")
    assert "<h1>Nobody works: 2 jobs wait for a consumer</h1>" in html
    assert "no consumer serves queue huey" in html
    assert "hueyctl consume APP --queue huey" in html
    assert [number_of(html, state) for state in ("pending", "scheduled", "dead", "done")] == [
        "2", "1", "1", "1",
    ]  # fmt: skip


def test_what_runs_is_measured_against_what_is_usual(queue: QueueFile, browser: Browser) -> None:
    ended_after(queue, 30, 0.2)
    queue.add("app.add")
    start(queue, consumer(queue))

    html = browser.html("/")
    assert re.search(r'aria-label="[^"]* of usually \d+ms"', html)
    assert "1 job runs" in html


def test_a_pause_is_marked_on_the_chart(queue: QueueFile, browser: Browser) -> None:
    with_operator = open_storage(queue.where, "huey", operator="ann@ops")
    with_operator.pause(by="ann@ops", reason="deploy")
    with_operator.close()

    html = browser.html("/")
    assert re.search(r'class="flag halo"[^>]*>ann@ops: pause huey<title>[^<]*: deploy', html)
    assert "Paused: no queue gives out its jobs" in html


def test_each_window_has_its_page_and_another_word_is_the_usual_one(browser: Browser) -> None:
    for window in ("5m", "1h", "6h", "24h", "7d"):
        assert f'stats --window {window}"' not in browser.html(f"/?window={window}")
        assert f"stats --window {window} -u" in browser.html(f"/?window={window}")
    assert "stats --window 1h -u" in browser.html("/?window=1w")


def test_the_documents_are_those_of_the_command_line(queue: QueueFile, browser: Browser) -> None:
    fill(queue)

    figures = browser.json("/overview.json")
    assert figures["schema"] == "hueyctl.stats/1"
    assert [figures["totals"][state] for state in ("pending", "dead", "done")] == [2, 1, 1]
    jobs = browser.json("/jobs.json?state=dead")
    assert [job["error"]["type"] for job in jobs] == ["TimeoutError"]
    job = browser.json("/jobs/3.json")
    assert (job["args"], job["kwargs"]) == (["ann"], {"user": 8, "deep": {"list": [1, "two"]}})
    assert job["timeline"][0]["event"] == "enqueued"
    lines = browser.get("/jobs.tsv").body.decode().splitlines()
    assert lines[0].split("\t") == ["SEQ", "STATE", "TASK", "ARGS", "RUN-AT", "AGE", "PRI", "TRY"]
    assert [line.split("\t")[0] for line in lines[1:]] == ["5", "4", "3", "2", "1"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [5, 4, 3, 2, 1]),
        ("state=dead", [2]),
        ("state=dead&state=done", [2, 1]),
        ("task=app.mail.*", [4, 3]),
        ("where=priority+>+5", [4]),
        ("where=kwargs.user+=+8", [3]),
        ("where=error.type+=+TimeoutError", [2]),
        ("before=3", [2, 1]),
        ("queue=nobody", []),
    ],
)
def test_filters_are_in_the_address(
    query: str, found: list[int], queue: QueueFile, browser: Browser
) -> None:
    fill(queue)

    html = browser.html(f"/jobs?{query}")
    assert seqs(html) == found


def test_a_filter_that_cannot_be_read_says_so(browser: Browser) -> None:
    assert "is not FIELD OP VALUE" in browser.html("/jobs?where=nonsense", 400)
    assert "unknown state" in browser.html("/jobs?state=gone", 400)


def test_older_jobs_are_a_page_further(queue: QueueFile, browser: Browser) -> None:
    for number in range(60):
        queue.add("app.add", number)

    html = browser.html("/jobs?task=app.*")
    (older,) = re.findall(r'href="/ops/queue(/jobs\?[^"]*)">Older', html)
    rest = browser.html(older.replace("&amp;", "&"))
    assert seqs(rest) == list(range(10, 0, -1))
    assert "That is all there is" in rest


def test_a_dead_job_says_why_with_its_traceback(queue: QueueFile, browser: Browser) -> None:
    fill(queue)

    html = browser.html("/jobs/2")
    assert "Dead after 1 try because of TimeoutError: too slow." in html
    assert "hueyctl dead retry 2" in html
    assert "Traceback (most recent call last)" in html


def test_a_job_is_found_by_its_long_id(queue: QueueFile, browser: Browser) -> None:
    key = queue.add("app.add", id="order/7 ä?&.json.x")

    assert "#1" in browser.html(f"/jobs/{quote(key, safe='')}")
    assert "There is no job 99" in browser.html("/jobs/99", 404)
    assert browser.get("/jobs/99.json").status == 404


def test_the_page_stays_when_the_queue_is_gone(queue: QueueFile, browser: Browser) -> None:
    if not os.path.isfile(str(queue.where)):
        pytest.skip("what is gone is a file")
    fill(queue)
    browser.html("/")
    queue.storage.close()
    for name in (str(queue.where), f"{queue.where}-wal", f"{queue.where}-shm"):
        if os.path.exists(name):
            os.unlink(name)

    html = browser.html("/jobs", 503)
    assert "hueyctl doctor" in html
    deadline = time.monotonic() + 20
    while browser.get("/").status != 503:
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.sqlite_only("what is no queue is a file")
def test_a_file_that_is_no_queue_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    path.write_bytes(b"not a database" * 100)
    browser = Browser(str(path))
    try:
        html = browser.html("/", 503)
        assert "is this the right file?" in html
        assert browser.get("/overview.json").status == 503
    finally:
        browser.board.close()


@pytest.mark.parametrize(
    "where", ["seq = 99999999999999999999", "priority > 1e999", "run_at < 9999-12-31", "args ~ %"]
)
def test_a_condition_out_of_bounds_finds_nothing_or_says_why(
    where: str, queue: QueueFile, browser: Browser
) -> None:
    fill(queue)

    assert browser.get(f"/jobs?{urlencode({'where': where})}").status in (200, 400)
