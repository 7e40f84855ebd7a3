"""The signals of one job come in their order, whatever runs beside it and however slow receivers
are."""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from typing import Any

import pytest

from hueycore import Huey, State, every
from tests.helpers import consuming, jobs, run_one, states, wait_until

pytestmark = [pytest.mark.usefixtures("any_kind"), pytest.mark.every_engine]


class Order:
    """A receiver that is slow, and keeps what came for each job."""

    def __init__(self, huey: Huey) -> None:
        self.seen: defaultdict[str, list[str]] = defaultdict(list)
        huey.signal("enqueued", "error", "retrying", "scheduled", "complete", "executing")(self)

    def __call__(self, signal: str, task: Any, *args: Any) -> None:
        time.sleep(0.02)
        self.seen[task.id].append(signal)


# The shortest is over before the retry is written.
@pytest.mark.parametrize("delay", [0, 0.0001, 0.3])
def test_a_job_that_is_retried_begins_after_the_signals_of_its_first_run(
    huey: Huey, delay: float
) -> None:
    order = Order(huey)

    @huey.task(retries=1, retry_delay=delay, context=True)
    def plain(task: Any = None) -> None:
        if task.retries:
            raise LookupError

    @huey.task(retries=1, retry_delay=delay, context=True)
    async def coroutine(task: Any = None) -> None:
        if task.retries:
            raise LookupError

    with consuming(huey, workers=4, scheduler_interval=0.05):
        for _ in range(3):
            plain()
            coroutine()
        wait_until(lambda: states(huey) == {"done": 6}, 20)
    again = ["retrying", "scheduled", "enqueued"] if delay else ["retrying", "enqueued"]
    expected = ["enqueued", "executing", "error", *again, "executing", "complete"]
    assert list(order.seen.values()) == [expected] * 6


def test_a_run_without_receivers_of_its_begin_follows_the_signals_as_well(
    huey: Huey,
) -> None:
    seen: list[str] = []

    @huey.signal("error")
    def on_error(signal: str, task: Any, *args: Any) -> None:
        time.sleep(0.1)
        seen.append(signal)

    @huey.task(retries=1, context=True)
    async def work(task: Any = None) -> None:
        seen.append("run")
        if task.retries:
            raise LookupError

    with consuming(huey):
        work()
        wait_until(lambda: states(huey) == {"done": 1})
    assert seen == ["run", "error", "run"]


def test_a_periodic_job_is_enqueued_before_it_begins(huey: Huey) -> None:
    order = Order(huey)

    @huey.periodic_task(every(0.2))
    def tick() -> None: ...

    with consuming(huey, workers=2):
        wait_until(lambda: len(jobs(huey, State.DONE)) >= 3)
    whole = [signals for signals in order.seen.values() if len(signals) == 3]
    assert len(whole) >= 3
    assert {tuple(signals) for signals in whole} == {("enqueued", "executing", "complete")}


def test_a_receiver_that_waits_for_its_own_job_does_not_stop_it(
    huey: Huey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hueycore.signals.PATIENCE", 0.1)
    got: list[int] = []

    @huey.signal("enqueued")
    def wait(signal: str, task: Any) -> None:
        wait_until(lambda: states(huey) == {"done": 1})
        got.append(1)

    @huey.task()
    def work() -> None: ...

    with consuming(huey):
        work()
    assert got == [1]


def test_the_error_is_the_exception_that_receivers_handle(huey: Huey) -> None:
    found: list[Any] = []

    @huey.signal("error")
    def on_error(signal: str, task: Any, error: BaseException) -> None:
        frame = error.__traceback__
        while frame is not None and frame.tb_next is not None:
            frame = frame.tb_next
        name = frame and frame.tb_frame.f_code.co_name
        found.append((sys.exc_info()[1] is error, name, repr(error.__context__)))

    @huey.task()
    def fail() -> None:
        try:
            raise KeyError
        except KeyError:
            raise LookupError  # noqa: B904

    fail()
    try:
        raise OSError
    except OSError:
        run_one(huey)
    with consuming(huey):
        fail()
        wait_until(lambda: len(found) == 2)
    assert found == [(True, "fail", "KeyError()")] * 2
