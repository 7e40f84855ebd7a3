"""The object of a call: one through a run, of a class of its task's, as in Huey."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import hueycore
from hueycore import Huey, MemoryHuey, TaskException
from hueycore.api import PeriodicTask, Result, Task, crontab
from hueycore.canvas import Error
from hueycore.exceptions import RateLimitExceeded
from tests.helpers import consuming, drain, job, run_one, wait_until


def by_hand(huey: Huey) -> None:
    drain(huey)


def by_consumer(huey: Huey) -> None:
    with consuming(huey):
        wait_until(lambda: not huey.pending_count() and not huey.running_count())


@pytest.mark.feature("hooks", "context")
@pytest.mark.parametrize("work", [by_hand, by_consumer])
def test_hooks_receivers_and_the_body_share_one_object_that_takes_attributes(
    huey: Huey, work: Any
) -> None:
    seen = []

    @huey.pre_execute()
    def before(task: Any) -> None:
        task.span = ["before"]

    @huey.post_execute()
    def after(task: Any, value: Any, error: Any) -> None:
        task.span.append("after")

    @huey.signal("complete")
    def complete(signal: str, task: Any) -> None:
        seen.append([*task.span, signal])

    @huey.task(context=True)
    def body(task: Any) -> None:
        task.span.append("body")

    body()
    work(huey)

    wait_until(lambda: seen)
    assert seen == [["before", "body", "after", "complete"]]


def test_the_object_that_is_dequeued_is_the_one_that_runs(huey: Huey) -> None:
    @huey.task(context=True)
    def body(task: Any) -> Any:
        return task.mark

    body()
    task: Any = huey.dequeue()
    task.mark = "mine"

    assert huey.execute(task) == "mine"


def test_a_signature_that_is_executed_is_the_object_of_the_run_and_can_be_run_again(
    huey: Huey,
) -> None:
    @huey.task(context=True)
    def body(n: int, task: Any = None) -> Any:
        return n, task.mark

    call: Any = body.s(1)
    call.mark = "mine"

    assert huey.execute(call) == (1, "mine")
    first = call.id
    assert huey.execute(call) == (1, "mine")
    assert call.id != first


def test_each_task_has_a_class_of_its_own_with_hueys_names(huey: Huey) -> None:
    @huey.task(retries=2, retry_delay=3, name="named")
    def work(a: int) -> int:
        """What it does."""
        return a

    call = work.s(1)

    assert (type(call).__name__, type(call).__module__) == ("named", __name__)
    assert type(call) is type(work.s(2)) is work.task_class
    assert (call.name, call.default_retries, call.default_retry_delay) == ("named", 2, 3)
    assert type(call).__doc__ == "What it does."
    assert call.execute() == 1
    assert str(call) == repr(call) == f"{__name__}.named: {call.id} 2 retries"


def test_the_text_of_a_call_has_hueys_parts(huey: Huey) -> None:
    @huey.task()
    def work(a: int = 0) -> None: ...

    call = work.s(1, priority=5, timeout=7, expires=60)
    call.then(work, id="next")
    call.error(work, id="handler")

    assert repr(call) == (
        f"{work.name}: {call.id} exp=60 p=5 timeout=7 -> {work.name}: next, "
        f"on error {work.name}: handler"
    )


@pytest.mark.feature("periodic_task")
def test_a_call_of_a_periodic_task_is_a_periodic_task(huey: Huey) -> None:
    seen = []

    @huey.periodic_task(crontab(minute="5"))
    def tick() -> int:
        return 1

    @huey.pre_execute()
    def before(task: Task) -> None:
        seen.append(isinstance(task, PeriodicTask))

    call = tick.s()
    tick()
    drain(huey)

    assert isinstance(call, PeriodicTask)
    assert call.execute() == 1
    assert call.validate_datetime(datetime(2026, 1, 1, 3, 5))
    assert not call.validate_datetime(datetime(2026, 1, 1, 3, 6))
    assert seen == [True]


def test_a_bare_id_names_a_job_and_is_no_call(huey: Huey) -> None:
    @huey.task()
    def work() -> int:
        return 3

    handle = work()
    drain(huey)

    assert Result[Any](huey, Task(id=handle.id)).get() == 3
    with pytest.raises(NotImplementedError):
        Task(id="x").execute()
    with pytest.raises(TypeError, match="is the id of a job"):
        huey.enqueue(Task(id="x"))


def test_copies_and_pickles_of_a_call_are_of_its_class(huey: Huey) -> None:
    bare = Task(id="x")

    assert (type(copy.copy(bare)), pickle.loads(pickle.dumps(bare)).id) == (Task, "x")

    @huey.task()
    def work(a: int) -> None: ...

    call: Any = work.s(1)
    call.mark = "mine"
    twin = copy.copy(call)
    assert (type(twin), twin.mark, twin.id) == (work.task_class, "mine", call.id)


def test_waiting_jobs_are_listed_with_the_options_of_their_call(huey: Huey) -> None:
    @huey.task()
    def work(a: int) -> None: ...

    huey.enqueue(work.s(1, retries=3, retry_delay=9, timeout=7, expires=60).then(work))
    work.schedule((2,), delay=100, retry_delay=4, priority=6)

    (ready,), (later,) = huey.pending(), huey.scheduled()
    assert (ready.retries, ready.retry_delay, ready.timeout, ready.expires) == (3, 9, 7, 60)
    assert ready.expires_resolved is not None
    assert ready.on_complete is not None and ready.on_complete.name == "work"  # type: ignore[attr-defined]
    assert (later.retry_delay, later.priority, later.on_complete) == (4, 6, None)


def test_a_pipeline_stands_for_its_first_task(huey: Huey) -> None:
    @huey.task()
    def work(a: int) -> int:
        return a

    line = work.s(1, id="first").then(work, id="second").then(work, id="third")

    assert (line.id, line.args, line.name) == ("first", (1,), "work")
    assert line.on_complete.id == "second"  # type: ignore[union-attr]
    assert line.on_complete.on_complete.id == "third"  # type: ignore[union-attr]
    assert copy.copy(line).id == "first"
    huey.enqueue(line)
    line.revoke()
    assert job(huey, "first").state == "revoked"


@pytest.mark.feature("signals")
def test_the_signals_of_a_retry_show_what_is_left(huey: Huey) -> None:
    seen = []

    @huey.signal()
    def receive(signal: str, task: Task, error: Any = None) -> None:
        seen.append((signal, task.retries, task.retry_delay))

    @huey.task(retries=2, retry_delay=10, retry_backoff=2)
    def work() -> None:
        raise ValueError

    work()
    run_one(huey)

    assert seen == [
        ("enqueued", 2, 10),
        ("executing", 2, 10),
        ("error", 2, 10),
        ("retrying", 2, 10),
        ("scheduled", 1, 20),
    ]


def test_a_job_that_was_dequeued_and_enqueued_again_is_pending_again(huey: Huey) -> None:
    @huey.task()
    def work(n: int) -> None: ...

    work(1), work(2)
    task = huey.dequeue()
    assert task is not None
    huey.enqueue(task)

    assert sorted(call.args[0] for call in huey.pending()) == [1, 2]
    assert drain(huey) == 2


def test_what_is_due_is_read_soonest_first(huey: Huey) -> None:
    @huey.task()
    def work(n: int) -> None: ...

    for n in (30, 10, 20):
        work.schedule((n,), delay=n)

    due = huey.read_schedule(datetime.now(UTC) + timedelta(seconds=40))
    assert [call.args for call in due] == [(10,), (20,), (30,)]


@pytest.mark.feature("Result")
def test_a_raw_result_is_the_error_instead_of_raising_it(huey: Huey) -> None:
    @huey.task()
    def work(n: int) -> float:
        return 1 / n

    good, bad, waiting = work(1), work(0), None
    drain(huey)
    waiting = work(2)

    assert sorted(map(str, huey.all_results())) == sorted([good.id, bad.id])
    assert isinstance(huey.all_results()[bad.id], Error)
    assert (good.get_raw_result(), waiting.get_raw_result()) == (1.0, None)
    failed = bad.get_raw_result()
    assert isinstance(failed, Error) and "ZeroDivisionError" in failed.metadata["error"]
    with pytest.raises(TaskException):
        bad.get()


def test_map_answers_with_none_when_results_are_off() -> None:
    huey = MemoryHuey(results=False)

    @huey.task()
    def work(n: int) -> None: ...

    assert work.map([1, 2]) is None
    assert huey.pending_count() == 2
    huey.close()


def test_values_come_as_completed_with_hueys_arguments(huey: Huey) -> None:
    @huey.task()
    def work(n: int) -> int:
        return n

    group = work.map([1, 2])
    drain(huey)

    assert sorted(group.as_completed(1.15, 0.5)) == [1, 2]


@pytest.mark.feature("rate limit")
def test_the_usage_of_a_rate_is_what_counts_against_it(huey: Huey) -> None:
    rate = huey.rate_limit("mail", 3, 600)
    seen = [rate.current_usage()]
    for _ in range(3):
        rate.acquire()
        seen.append(rate.current_usage())
    with pytest.raises(RateLimitExceeded) as refused:
        rate.acquire()

    assert seen == [0, 1, 2, 3]
    twin = pickle.loads(pickle.dumps(refused.value))
    assert (twin.key, twin.retry, str(twin)) == ("mail", True, str(refused.value))
    rate.reset()
    assert rate.current_usage() == 0
    assert hueycore.RateLimitExceeded is RateLimitExceeded
