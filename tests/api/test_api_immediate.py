"""Immediate mode: whoever enqueues a job runs it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hueycore import Error, Huey, RetryTask, State, TaskException, chord, group
from tests.helpers import Signals


@pytest.fixture
def at_once(path: str) -> Iterator[Huey]:
    instance = Huey("app", url=path, immediate=True)
    yield instance
    instance.close()


@pytest.mark.feature("immediate mode")
def test_a_call_runs_the_job_and_its_handle_is_ready(at_once: Huey, tmp_path: Path) -> None:
    @at_once.task()
    def add(a: int, b: int) -> int:
        return a + b

    handle = add(1, 2)

    assert handle.state is State.DONE
    assert handle.get() == 3
    assert list(tmp_path.iterdir()) == []


def test_what_fails_is_told_to_the_reader_of_the_result_not_to_the_caller(
    at_once: Huey,
) -> None:
    @at_once.task()
    def fail() -> None:
        raise LookupError("no such thing")

    handle = fail()

    assert handle.state is State.DEAD
    with pytest.raises(TaskException, match="no such thing"):
        handle.get()


def test_retries_without_a_delay_run_at_once_and_later_ones_wait(at_once: Huey) -> None:
    runs: list[str] = []

    @at_once.task(retries=2)
    def soon() -> None:
        runs.append("soon")
        raise LookupError

    @at_once.task(retries=2, retry_delay=60)
    def later() -> None:
        runs.append("later")
        raise LookupError

    first, second = soon(), later()

    assert runs == ["soon", "soon", "soon", "later"]
    assert first.state is State.DEAD
    assert second.state is State.SCHEDULED


def test_what_lies_in_the_future_waits(at_once: Huey) -> None:
    task = at_once.task(name="task")(lambda: 1)

    handle = task.schedule(delay=60)

    assert handle.state is State.SCHEDULED
    assert at_once.scheduled_count() == 1


def test_a_job_that_enqueues_another_gets_its_result_at_once(at_once: Huey) -> None:
    @at_once.task()
    def inner(n: int) -> int:
        return n + 1

    @at_once.task()
    def outer(n: int) -> Any:
        return [inner(n).get(), inner(n * 10).get()]

    assert outer(1).get() == [2, 11]


def test_enqueue_many_and_map_run_everything_in_order(at_once: Huey) -> None:
    seen: list[int] = []
    task = at_once.task(name="see")(seen.append)

    at_once.enqueue_many(task.s(n) for n in range(5))
    assert task.map([5, 6]).get() == [None, None]

    assert seen == list(range(7))


def test_signals_come_as_they_do_in_a_consumer(at_once: Huey) -> None:
    task = at_once.task(name="task")(lambda: 1)
    signals = Signals(at_once)

    task()

    assert signals.names() == ["enqueued", "executing", "complete"]


def test_it_can_be_switched_on_and_off(path: str) -> None:
    huey = Huey("app", url=path)
    task = huey.task(name="task")(lambda: 1)
    outside = task()

    huey.immediate = True
    assert task().get() == 1
    assert huey.pending_count() == 0
    huey.immediate = False

    assert huey.pending_count() == 1
    assert outside.state is State.PENDING
    huey.close()


def test_in_the_file_it_runs_its_own_jobs_and_leaves_the_others_to_consumers(path: str) -> None:
    huey = Huey("app", url=path, immediate_use_memory=False)
    task = huey.task(name="task")(lambda n: n)
    other = task(1)
    huey.immediate = True

    mine = task(2)

    assert mine.state is State.DONE
    assert other.state is State.PENDING
    huey.close()


def test_an_interrupt_reaches_the_caller_and_the_job_is_not_lost(at_once: Huey) -> None:
    @at_once.task()
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert at_once.pending_count() == 1


def test_a_task_that_asks_again_for_ever_with_a_delay_does_not_hang_its_caller(
    at_once: Huey,
) -> None:
    @at_once.task()
    def poll() -> None:
        raise RetryTask(delay=30)

    assert poll().state is State.SCHEDULED


def test_stages_and_handlers_run_at_once(at_once: Huey) -> None:
    told: list[object] = []

    @at_once.task()
    def add(a: int, b: int) -> int:
        return a + b

    @at_once.task()
    def fail(*_: object) -> None:
        raise LookupError

    tell = at_once.task(name="tell")(told.append)
    total = at_once.task(name="total")(sum)

    assert (add.s(1, 2) | group([add.s(1), add.s(2)]) | total | add.s(1))().get() == [
        3,
        4,
        5,
        9,
        10,
    ]
    assert chord([add.s(n, n) for n in range(100)], total)().get() == 9900
    broken = chord([add.s(1, 1) | fail.s() | add.s(1), add.s(1, 1)], add.s([]))
    assert isinstance(broken().get()[0], Error)
    fail.s().error(tell)()
    assert [type(error) for error in told] == [LookupError]
