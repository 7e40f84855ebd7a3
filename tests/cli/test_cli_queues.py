"""Several queues in one storage: what a command says of a job is of its queue, also where each
queue numbers its jobs by itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import Result
from clikit import QueueFile
from operatingkit import ask, pipeline

from hueyctl.answers import watch
from hueyctl.output import list_view

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


@pytest.mark.parametrize("order", ["seq", "-seq"])
def test_pages_of_a_listing_lose_no_job_where_two_queues_have_one_number(
    queue: QueueFile,
    other: QueueFile,
    invoke: Invoke,
    monkeypatch: pytest.MonkeyPatch,
    order: str,
) -> None:
    monkeypatch.setattr("hueyctl.selection.selection._PAGE", 2)
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
