"""Two queues whose jobs and workers have the same numbers, as they do in Redis."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from clikit import QueueFile
from operatingkit import Invoke, ask, begun, consumer, start

from hueycore.model.endings import Dead, Failure
from hueyctl.selection import selection
from tests.helpers import wait_until


@pytest.fixture
def other(queue: QueueFile) -> Iterator[QueueFile]:
    """A queue beside ``queue``, in the same data."""
    made = QueueFile(queue.where, "other")
    yield made
    made.storage.close()


def found(invoke: Invoke, *words: str) -> Any:
    result = ask(invoke, *words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.mark.parametrize("order", ["seq", "-seq"])
def test_no_job_is_left_out_where_two_queues_share_the_last_number_of_a_page(
    queue: QueueFile,
    other: QueueFile,
    invoke: Invoke,
    monkeypatch: pytest.MonkeyPatch,
    order: str,
) -> None:
    ids = {each.add("task") for _ in range(4) for each in (queue, other)}
    monkeypatch.setattr(selection, "_PAGE", 3)

    listed = [job["id"] for job in found(invoke, "list", f"--sort={order}", "-n", "0")]

    assert (len(listed), {*listed}) == (8, ids)


def test_each_job_runs_on_the_worker_of_its_own_queue(
    queue: QueueFile, other: QueueFile, invoke: Invoke
) -> None:
    for each, name in ((queue, "alpha"), (other, "beta")):
        each.add(f"task.{name}")
        start(each, consumer(each, name))
    wait_until(lambda: len(begun(queue)) == 2)

    workers = found(invoke, "workers")
    assert {row["name"]: [job["task"] for job in row["jobs"]] for row in workers} == {
        "alpha": ["task.alpha"], "beta": ["task.beta"],
    }  # fmt: skip
    assert [row["held"] for row in workers] == [0, 0]
    for job in found(invoke, "list"):
        blocking = found(invoke, "why", job["id"])["blocking"]
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
    change = found(invoke, "dead", "purge", *ids, "--yes")

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
