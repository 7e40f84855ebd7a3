"""Several queues in one storage: what a command says of a job is of its queue, also where each
queue numbers its jobs by itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import Result
from clikit import QueueFile
from operatingkit import ask, begun, consumer, pipeline, start

from hueycore.model.endings import Dead, Failure
from hueyctl.answers import watch
from hueyctl.output import list_view
from tests.helpers import wait_until

pytestmark = pytest.mark.every_engine
Invoke = Callable[..., Result]


@pytest.fixture
def other(queue: QueueFile) -> Iterator[QueueFile]:
    """A second queue beside it, which has as many jobs."""
    made = QueueFile(queue.where, "mail")
    yield made
    made.storage.close()


def said(invoke: Invoke, *words: str) -> Any:
    result = ask(invoke, *words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_jobs_have_the_arguments_that_are_their_own(
    queue: QueueFile, other: QueueFile, invoke: Invoke
) -> None:
    queue.add("app.add", 1)
    id_ = other.add("mail.send", kwargs={"user": 42})

    (found,) = said(invoke, "list", "--where", "kwargs.user = 42")
    assert (found["id"], found["queue"], found["kwargs"]) == (id_, "mail", {"user": 42})
    assert said(invoke, "show", id_)["kwargs"] == {"user": 42}
    assert [job["args"] for job in said(invoke, "list", "--queue", "huey")] == [[1]]


def test_a_stage_is_shown_among_those_of_its_queue(
    queue: QueueFile, other: QueueFile, invoke: Invoke
) -> None:
    pipeline(queue, "app.one", "app.two")
    pipeline(other, "mail.one", "mail.two")
    first, second = said(invoke, "list", "--queue", "mail")

    tree = said(invoke, "show", first["id"])["tree"]
    assert [stage["task"] for stage in tree] == ["mail.one", "mail.two"]
    because = said(invoke, "why", second["id"])["because"]
    assert because.startswith(f"waits for the stage before: job {first['seq']} (mail.one)")


def test_those_ahead_of_a_job_are_of_its_queue(
    queue: QueueFile, other: QueueFile, invoke: Invoke
) -> None:
    queue.add("app.add", 1)
    other.storage.register(name="alpha", kind="thread", slots=1)
    for _ in range(3):
        last = other.add("mail.send")

    assert said(invoke, "why", last)["because"].startswith("2 jobs are ahead of it")


@pytest.mark.parametrize("page", [2, 3])
@pytest.mark.parametrize("order", ["seq", "-seq"])
def test_pages_of_a_listing_lose_no_job_where_two_queues_have_one_number(
    queue: QueueFile,
    other: QueueFile,
    invoke: Invoke,
    monkeypatch: pytest.MonkeyPatch,
    order: str,
    page: int,
) -> None:
    monkeypatch.setattr("hueyctl.selection.selection._PAGE", page)
    ids = [queue.add("app.add", number) for number in range(4)]
    ids += [other.add("app.add", number) for number in range(5)]
    listed = ("list", "--sort", order, "-o", "name")

    found = ask(invoke, *listed).stdout.split()
    part = ask(invoke, *listed, "-n", "7").stdout.split()

    assert (len(found), set(found)) == (9, set(ids))
    assert (len(part), len(set(part))) == (7, 7)


def test_the_new_jobs_of_a_queue_are_followed_whatever_numbers_another_has(
    queue: QueueFile, other: QueueFile, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        queue.add("app.old", number)
    show = list_view._show

    def then_two_come(*args: Any) -> int:
        number = show(*args)
        other.add("app.new", 1)
        queue.add("app.newer", 2)
        return number

    monkeypatch.setattr(list_view, "_show", then_two_come)
    monkeypatch.setattr(watch, "looks", lambda *args, **options: [True, True])

    shown = ask(invoke, "list", "-f", "--columns", "task").stdout.split()

    assert shown[:3] == ["app.old"] * 3
    assert sorted(shown[3:]) == ["app.new", "app.newer"]


def test_a_job_that_comes_into_a_shorter_queue_during_the_listing_is_shown_once(
    queue: QueueFile, other: QueueFile, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    other.add("app.old")
    for number in range(3):
        queue.add("app.old", number)
    show = list_view._show

    def when_one_has_come(*args: Any) -> int:
        other.add("app.new")
        return show(*args)

    monkeypatch.setattr(list_view, "_show", when_one_has_come)
    monkeypatch.setattr(watch, "looks", lambda *args, **options: [True, True])

    shown = ask(invoke, "list", "-f", "--columns", "task").stdout.split()

    assert shown == ["app.old"] * 4 + ["app.new"]


def test_each_job_runs_on_the_worker_of_its_own_queue(
    queue: QueueFile, other: QueueFile, invoke: Invoke
) -> None:
    for each, name in ((queue, "alpha"), (other, "beta")):
        each.add(f"task.{name}")
        start(each, consumer(each, name))
    wait_until(lambda: len(begun(queue)) == 2)

    workers = said(invoke, "workers")
    assert {row["name"]: [job["task"] for job in row["jobs"]] for row in workers} == {
        "alpha": ["task.alpha"], "beta": ["task.beta"],
    }  # fmt: skip
    assert [row["held"] for row in workers] == [0, 0]
    for job in said(invoke, "list"):
        blocking = said(invoke, "why", job["id"])["blocking"]
        assert blocking["worker"] == job["task"].removeprefix("task.")


def test_who_waits_for_jobs_of_two_queues_waits_for_all_of_them(
    queue: QueueFile, other: QueueFile, invoke: Invoke
) -> None:
    ids = [each.add("task") for each in (queue, other)]
    other.finish()

    waited = ask(invoke, "wait", *ids, "-t", "0.1s")

    assert waited.exit_code == 124, waited.output


def test_purged_is_said_of_the_dead_of_the_queue_that_they_were_in(
    queue: QueueFile, other: QueueFile, invoke: Invoke
) -> None:
    ids = []
    for each in (queue, other):
        ids.append(each.add("task"))
        each.run(lambda _: Dead("failed", Failure("ValueError", "no", "")))
    change = said(invoke, "dead", "purge", *ids, "--yes")

    assert sorted(change["ids"]) == sorted(ids)
    assert queue.storage.job(ids[0]) is other.storage.job(ids[1]) is None


def test_who_follows_sees_what_comes_into_the_queue_of_fewer_jobs(
    queue: QueueFile, other: QueueFile, spawn: Callable[..., Any]
) -> None:
    for each in (other, queue, queue):
        each.add("app.old")
    child = spawn("list", "-u", "queue.db", "-f", "-o", "jsonl", "-i", "0.05")
    for _ in range(3):
        child.stdout.readline()

    for each, task in ((other, "app.new"), (queue, "app.newer")):
        each.add(task)

        assert json.loads(child.stdout.readline())["task"] == task


def test_who_follows_events_sees_those_of_the_queue_that_has_fewer(
    queue: QueueFile, other: QueueFile, spawn: Callable[..., Any]
) -> None:
    for each in (queue, other):
        each.storage.record_events(True)
    for task in ("app.first", "app.second"):
        queue.add(task)
    child = spawn("events", "-u", "queue.db", "-f", "-o", "jsonl", "--signal", "enqueued")
    for task in ("app.first", "app.second"):
        assert json.loads(child.stdout.readline())["task"] == task

    for each, task in ((other, "mail.new"), (queue, "app.new"), (other, "mail.newer")):
        each.add(task)

        found = json.loads(child.stdout.readline())
        assert (found["task"], found["queue"]) == (task, each.storage.queue)
