"""A queue, tasks, workers, events, health: what they say is what the command line says."""

from __future__ import annotations

import json
import signal
import sqlite3
from contextlib import closing

import pytest
from click.testing import CliRunner
from clikit import QueueFile, fill
from dashkit import Browser, number_of, part, seqs
from operatingkit import bury, consumer, start

from hueycore.storage.open import open_storage
from hueyctl.cli import cli
from tests.helpers import run_python


def test_a_queue_shows_its_states_its_newest_jobs_and_who_serves_it(
    queue: QueueFile, browser: Browser
) -> None:
    fill(queue)
    other = QueueFile(queue.where, "other")
    other.add("app.else")
    consumer(queue, "alpha")

    html = browser.html("/queues/huey")
    assert [number_of(html, state) for state in ("pending", "dead", "done")] == ["2", "1", "1"]
    assert "app.else" not in html
    assert "alpha" in part(html, "consumers")
    assert "app.report" in part(html, "newest")
    assert "Nobody serves it" in browser.html("/queues/other")
    found = browser.json("/queues/huey.json")
    assert [row["name"] for row in found["queues"]] == ["huey"]
    assert found["totals"]["pending"] == 2
    other.storage.close()


def test_a_queue_or_task_that_is_not_there_is_told(queue: QueueFile, browser: Browser) -> None:
    fill(queue)

    assert "There is no queue typo" in browser.html("/queues/typo", 404)
    assert "No job of a task typo" in browser.html("/tasks/typo", 404)


def test_tasks_that_fail_come_first(queue: QueueFile, browser: Browser) -> None:
    fill(queue)

    words = part(browser.html("/tasks"), "tasks")
    assert words.index("app.boom") < words.index("app.add")
    assert "100 %" in words
    rows = browser.get("/tasks.tsv").body.decode().splitlines()
    assert rows[0].split("\t")[0] == "TASK" and len(rows) == 3


def test_a_task_shows_its_jobs_its_errors_and_what_holds_for_it(
    queue: QueueFile, browser: Browser
) -> None:
    fill(queue)
    queue.storage.pause(task="app.boom", by="ann", reason="broken")

    html = browser.html("/tasks/app.boom?queue=huey")
    assert "#2" in part(html, "newest")
    assert "TimeoutError" in part(html, "dead")
    assert "by ann: “broken”" in part(html, "declared")
    assert [row["task"] for row in browser.json("/tasks/app.boom.json")["tasks"]] == ["app.boom"]


def test_a_task_whose_jobs_have_not_ended_yet_has_a_page(
    queue: QueueFile, browser: Browser
) -> None:
    queue.add("app.first")

    html = browser.html("/tasks/app.first")
    assert "#1" in part(html, "newest")
    assert "Nothing of it ended in 1h" in html


def test_a_name_with_a_pattern_in_it_means_its_own_jobs(queue: QueueFile, browser: Browser) -> None:
    queue.add("app.*")
    queue.add("app.add")

    assert seqs(browser.html("/tasks/app.*")) == [1]


def test_workers_stand_with_what_they_run(queue: QueueFile, browser: Browser) -> None:
    queue.add("app.add", 1)
    start(queue, consumer(queue, "alpha", 3))

    html = browser.html("/workers")
    assert "<h1>1 of 3 workers busy</h1>" in html
    assert "#1 app.add alpha" in part(html, "running")
    assert [one["name"] for one in browser.json("/workers.json")] == ["alpha"]
    assert browser.get("/workers.tsv").body.startswith(b"NAME\tQUEUE\t")


def test_a_consumer_that_died_is_called_dead(queue: QueueFile, browser: Browser) -> None:
    consumer(queue, "alpha")
    bury(queue)

    html = browser.html("/workers")
    assert "No consumer is alive" in html and "dead" in part(html, "workers")


def test_events_are_narrowed_by_the_words_of_the_address(
    queue: QueueFile, browser: Browser
) -> None:
    queue.storage.record_events(True)
    fill(queue)

    html = browser.html("/events")
    assert part(html, "events").count("#2") >= 3
    words = part(browser.html("/events?signal=error"), "events")
    assert "TimeoutError: too slow" in words and "#1" not in words
    assert "hueyctl events --signal error" in words
    assert {one["seq"] for one in browser.json("/events.json?id=2")} == {2}


def test_without_a_record_of_events_operators_are_seen_and_the_switch_is_named(
    queue: QueueFile, browser: Browser
) -> None:
    queue.add("app.add")
    ann = open_storage(queue.where, "huey", operator="ann@ops")
    ann.pause(by="ann@ops")
    ann.close()

    html = browser.html("/events")
    assert "hueyctl events --enable" in html
    assert "ann@ops" in part(html, "events")


def test_a_time_that_is_none_is_a_fault_of_the_address(browser: Browser) -> None:
    assert "not a time" in browser.html("/events?since=soon", 400)


def test_health_has_the_worst_first_and_the_document_of_doctor(
    queue: QueueFile, browser: Browser
) -> None:
    queue.add("app.add")
    queue.storage.pause(by="ann", reason="lunch")

    found = browser.json("/health.json")
    assert found["schema"] == "hueyctl.doctor/1"
    assert {"consumers", "alarms"} <= {check["name"] for check in found["checks"]}
    words = part(browser.html("/health"), "checks")
    assert "lunch" in words and words.index("alarms") < words.index("consumers")


def test_health_tells_what_doctor_tells_of_a_storage_and_takes_no_job_back(
    queue: QueueFile, browser: Browser
) -> None:
    queue.add("app.add")
    code = (
        "import os, sys\n"
        "from hueycore.storage.open import open_storage\n"
        "from hueycore.model.jobs import Want\n"
        "storage = open_storage(sys.argv[1], create=False)\n"
        "number = storage.register(name='victim', kind='thread', slots=1)\n"
        "storage.exchange(number, [], Want(1))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    run_python(code, str(queue.where), exits=-signal.SIGKILL)

    health = {check["name"]: check for check in browser.json("/health.json")["checks"]}

    assert health["consumers"]["facts"] == {"alive": 0, "dead": 1}
    assert queue.state("1") == "running"
    found = CliRunner().invoke(cli, ["doctor", "-u", str(queue.where), "--json"])
    doctor = {check["name"]: check for check in json.loads(found.stdout)["checks"]}
    of_others = {"versions", "sqlite", "config", "app", "integrity", "tasks"}
    assert set(health) == set(doctor) - of_others
    storage = health["storage"]["facts"]
    assert (storage["url"], storage["queues"]) == (doctor["storage"]["facts"]["url"], ["huey"])
    assert queue.state("1") == "pending"


@pytest.mark.sqlite_only("Huey's tables are in a file")
def test_health_tells_of_jobs_that_huey_left_in_the_file(
    queue: QueueFile, browser: Browser
) -> None:
    with closing(sqlite3.connect(queue.where)) as con:
        con.execute("create table task (id, queue, data, priority)")
        con.execute("create table kv (queue, key, value)")
        con.execute("create table schedule (id, queue, data, timestamp)")
        con.execute("insert into task values (1, 'jobs', x'00', null)")
        con.commit()

    found = browser.json("/health.json")

    assert not found["ok"]
    assert [check["status"] for check in found["checks"] if check["name"] == "huey"] == ["problem"]
