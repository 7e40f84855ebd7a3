"""Coroutines on one loop: what is particular to workers of the kind asyncio."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from hueycore import Huey, State
from hueycore.consumer.workers import handover
from tests.helpers import Gate, consuming, job, states, wait_until


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()
    yield made
    made.open.set()


@pytest.fixture(autouse=True)
def kind(huey: Huey) -> None:
    huey.consumer_defaults["worker_type"] = "asyncio"


@pytest.mark.feature("worker kinds", "async")
def test_all_coroutines_share_one_loop_in_one_thread(huey: Huey) -> None:
    @huey.task()
    async def nap() -> tuple[int, int]:
        await asyncio.sleep(0.2)
        return id(asyncio.get_running_loop()), threading.get_ident()

    with consuming(huey, workers=100):
        started = time.monotonic()
        handles = [nap() for _ in range(100)]
        found = {handle.get(blocking=True, timeout=10) for handle in handles}
        took = time.monotonic() - started

    assert len(found) == 1
    assert took < 10  # one after the other they take twenty seconds
    assert threading.get_ident() not in {thread for _, thread in found}


def test_plain_tasks_have_as_many_threads_as_run_at_once(huey: Huey, gate: Gate) -> None:
    @huey.task()
    def hold() -> str:
        gate.pass_through()
        return threading.current_thread().name

    @huey.task()
    def quick() -> str:
        return threading.current_thread().name

    with consuming(huey, workers=5):
        for _ in range(10):
            assert quick().get(blocking=True, timeout=10) == "huey-thread-1"
        held = [hold() for _ in range(6)]
        gate.wait_entered(5)
        assert states(huey)["pending"] == 1
        gate.open.set()
        names = {handle.get(blocking=True, timeout=10) for handle in held}

    assert names <= {f"huey-thread-{n}" for n in range(1, 6)}
    wait_until(lambda: not [t for t in threading.enumerate() if t.name.startswith("huey-thread")])


def test_a_plain_task_that_blocks_keeps_no_coroutine_waiting(huey: Huey, gate: Gate) -> None:
    @huey.task()
    def hold() -> None:
        gate.pass_through()

    @huey.task()
    async def quick() -> int:
        return 1

    with consuming(huey, workers=3):
        hold()
        gate.wait_entered()
        assert [quick().get(blocking=True, timeout=10) for _ in range(20)] == [1] * 20
        gate.open.set()


def test_hooks_and_receivers_are_called_in_threads_within_the_context_of_the_run(
    huey: Huey,
) -> None:
    threads: list[tuple[str, str]] = []

    def note(what: str) -> None:
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        threads.append((what, threading.current_thread().name.rstrip("0123456789")))

    huey.pre_execute()(lambda task: note("before"))
    huey.post_execute()(lambda task, value, error: note("after"))
    huey.signal("executing")(lambda signal, task: note("executing"))

    @huey.task(context=True, keep_logs=True)
    async def work(task: Any = None) -> int:
        import logging

        logging.getLogger("mine").warning("hello")
        await asyncio.sleep(0)
        return int(task.seq)

    with consuming(huey):
        handle = work()
        assert handle.get(blocking=True, timeout=10) == handle.seq

    assert threads == [(what, "huey-thread-") for what in ("executing", "before", "after")]
    assert [line.message for line in huey.storage.log(handle.seq)] == ["hello"]


def test_what_a_job_leaves_behind_ends_with_it_and_others_go_on(
    huey: Huey, caplog: pytest.LogCaptureFixture
) -> None:
    ended: list[str] = []
    keep: list[asyncio.Task[None]] = []

    async def forever(name: str) -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(name)

    @huey.task()
    async def leave() -> None:
        keep.append(asyncio.create_task(forever("left")))
        await asyncio.sleep(0)

    @huey.task()
    async def stay() -> str:
        mine = asyncio.create_task(forever("mine"))
        await asyncio.sleep(0.3)
        assert not mine.done()
        mine.cancel()
        return "stayed"

    with consuming(huey, workers=2):
        staying, leaving = stay(), leave()
        wait_until(leaving.is_complete)
        wait_until(lambda: ended == ["left"])
        assert staying.get(blocking=True, timeout=10) == "stayed"

    assert "cancelled 1 asyncio tasks that a job left behind" in caplog.text


def test_sys_exit_in_a_task_of_a_job_does_not_stop_the_loop(
    huey: Huey, caplog: pytest.LogCaptureFixture
) -> None:
    async def leave() -> None:
        raise SystemExit(3)

    @huey.task()
    async def bad() -> str:
        task = asyncio.create_task(leave())
        await asyncio.wait([task])
        task.exception()
        return "survived"

    @huey.task()
    async def fine() -> int:
        return 1

    with consuming(huey, workers=2):
        assert bad().get(blocking=True, timeout=10) == "survived"
        assert fine().get(blocking=True, timeout=10) == 1

    assert "the event loop was struck" in caplog.text


def test_a_loop_that_is_blocked_takes_no_jobs_from_other_consumers(
    huey: Huey,
    gate: Gate,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(handover, "BLOCKED", 0.0)

    @huey.task()
    async def block() -> None:
        gate.pass_through()

    @huey.task()
    async def quick() -> int:
        return 1

    with consuming(huey, workers=10):
        block()
        gate.wait_entered()
        waiting = quick()
        wait_until(lambda: job(huey, waiting).claim == 1 and waiting.state is State.PENDING)
        with consuming(huey, worker_type="thread"):
            assert waiting.get(blocking=True, timeout=10) == 1
        gate.open.set()
        wait_until(lambda: "a job let no other run for" in caplog.text)

    assert job(huey, waiting).attempt == 1


def test_thousands_of_short_coroutines_run_and_each_has_its_result(huey: Huey) -> None:
    @huey.task()
    async def noop(n: int) -> int:
        return n

    handles = huey.enqueue_many(noop.s(n) for n in range(3000))
    with consuming(huey, workers=50):
        wait_until(lambda: states(huey) == {"done": 3000}, 20)

    assert [handle.get() for handle in handles] == list(range(3000))
