"""The notebook "Build Prod-Ready Huey Task Queue with SQLite": its cells, and what it promises."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hueycore import ResultTimeout, SqliteHuey, State, TaskException, crontab
from hueycore.constants import WORKER_THREAD
from tests.helpers import drain, wait_until


@pytest.fixture
def huey(tmp_path: Path) -> Iterator[SqliteHuey]:
    db_path = str(tmp_path / "huey_demo.db")
    if os.path.exists(db_path):
        os.remove(db_path)
    instance = SqliteHuey(
        name="colab-huey", filename=db_path, results=True, store_none=False, utc=True
    )
    yield instance
    instance.close()


@pytest.fixture
def consumer(huey: SqliteHuey) -> Iterator[Any]:
    """As the notebook starts and stops it: ``run`` in a daemon thread."""
    made = huey.create_consumer(
        workers=4,
        worker_type=WORKER_THREAD,
        periodic=True,
        initial_delay=0.1,
        backoff=1.15,
        max_delay=2.0,
        scheduler_interval=1,
        check_worker_health=True,
        health_check_interval=10,
    )
    thread = threading.Thread(target=made.run, daemon=True)
    thread.start()
    yield made
    made.stop(graceful=True)
    thread.join(20)
    assert not thread.is_alive()


@pytest.fixture
def event_log(huey: SqliteHuey) -> list[dict[str, Any]]:
    log: list[dict[str, Any]] = []

    @huey.signal()
    def _log_all_signals(signal: str, task: Any, exc: BaseException | None = None) -> None:
        log.append(
            {
                "ts": datetime.now(UTC).isoformat(),
                "signal": str(signal),
                "task": getattr(task, "name", None),
                "id": getattr(task, "id", None),
                "args": getattr(task, "args", None),
                "exc": repr(exc) if exc else None,
            }
        )

    return log


def test_a_global_signal_handler_sees_ids_arguments_and_exceptions(
    huey: SqliteHuey, event_log: list[dict[str, Any]]
) -> None:
    @huey.task(retries=1)
    def flaky(n: int) -> str:
        if len([e for e in event_log if e["signal"] == "executing"]) == 1:
            raise RuntimeError("Transient failure")
        return "OK"

    handle = flaky(5)
    drain(huey)

    assert [event["signal"] for event in event_log] == [
        "enqueued", "executing", "error", "retrying", "enqueued", "executing", "complete"
    ]  # fmt: skip
    assert {event["id"] for event in event_log} == {handle.id}
    assert event_log[2]["exc"] == "RuntimeError('Transient failure')"
    assert event_log[2]["args"] == (5,)


def test_design_tasks_with_retries_priorities_and_context_awareness(huey: SqliteHuey) -> None:
    order: list[str] = []

    @huey.task(priority=50)
    def quick_add(a: int, b: int) -> int:
        order.append("quick_add")
        return a + b

    @huey.task(priority=10)
    def slow_io(seconds: float = 1.0) -> str:
        order.append("slow_io")
        return f"slept={seconds}"

    @huey.task(retries=3, retry_delay=1, priority=100)
    def flaky_network_call(p_fail: float = 0.6) -> str:
        order.append("flaky")
        return "OK"

    @huey.task(context=True, priority=60)
    def cpu_pi_estimate(samples: int = 200_000, task: Any = None) -> dict[str, Any]:
        order.append("pi")
        inside = sum(1 for _ in range(samples) if random.random() ** 2 + random.random() ** 2 <= 1)
        return {"task_id": task.id if task else None, "pi_estimate": 4.0 * inside / samples}

    slow_io(0.0)
    total = quick_add(1, 2)
    pi = cpu_pi_estimate(50_000)
    flaky_network_call()
    drain(huey)

    assert order == ["flaky", "pi", "quick_add", "slow_io"]
    assert total(blocking=True, timeout=5) == 3
    estimate = pi.get()
    assert estimate is not None
    assert estimate["task_id"] == pi.id
    assert abs(estimate["pi_estimate"] - 3.14159) < 0.1


@pytest.mark.feature("lock_task")
def test_prevent_races_with_locks(huey: SqliteHuey, consumer: Any) -> None:
    inside, most = 0, 0
    guard = threading.Lock()

    @huey.lock_task("demo:daily-sync")
    @huey.task()
    def locked_sync_job(tag: str = "sync") -> str:
        nonlocal inside, most
        with guard:
            inside += 1
            most = max(most, inside)
        time.sleep(0.05)
        with guard:
            inside -= 1
        return f"locked-job-done:{tag}"

    results = [locked_sync_job(f"run{n}") for n in range(3)]

    assert [result.get(blocking=True, timeout=20) for result in results] == [
        f"locked-job-done:run{n}" for n in range(3)
    ]
    assert most == 1


def test_orchestrate_pipelines(huey: SqliteHuey) -> None:
    fetch = huey.task()(lambda seed: random.randint(1, 100))
    transform = huey.task()(lambda x, scale: x * scale)
    store = huey.task()(lambda x: {"stored": x})

    pipeline = fetch.s(7).then(transform.s(3)).then(store.s())
    results = huey.enqueue(pipeline)
    drain(huey)

    fetched, transformed, stored = (stage.get() for stage in results)  # type: ignore[union-attr]
    assert transformed == fetched * 3
    assert stored == {"stored": transformed}
    assert [t.rsplit(".", 1)[-1] for t in huey.registry.names()] == [
        "<lambda>", "<lambda>#2", "<lambda>#3"
    ]  # fmt: skip


def test_schedule_one_offs_and_revoke_before_run(huey: SqliteHuey, consumer: Any) -> None:
    ran: list[str] = []
    task = huey.task(name="task")(ran.append)

    soon = task.schedule(args=("soon",), delay=0.1)
    never = task.schedule(args=("never",), delay=0.2)
    never.revoke()

    assert soon.wait(10)
    with pytest.raises(TaskException, match="revoked"):
        never.get(blocking=True, timeout=10)
    assert ran == ["soon"]


def test_periodic_jobs_and_heartbeats(huey: SqliteHuey, consumer: Any) -> None:
    tick = {"count": 0}

    @huey.periodic_task(crontab(minute="*"))
    def heartbeat_minutely() -> None: ...

    @huey.task()
    def heartbeat() -> None:
        tick["count"] += 1

    def start_seconds_heartbeat(interval: float) -> None:
        def _tick() -> None:
            if tick["count"] < 3:
                huey.enqueue(heartbeat.s())
                timer = threading.Timer(interval, _tick)
                timer.daemon = True
                timer.start()

        _tick()

    start_seconds_heartbeat(0.02)

    wait_until(lambda: tick["count"] >= 3)
    wait_until(lambda: [row.task for row in huey.storage.periodic()] == [heartbeat_minutely.name])


def test_run_multi_worker_consumer_and_validate_full_system(
    huey: SqliteHuey, consumer: Any
) -> None:
    tries = iter(range(10))

    @huey.task(retries=3, retry_delay=0.01)
    def flaky() -> str:
        if next(tries) < 2:
            raise RuntimeError("Transient failure")
        return "OK"

    @huey.task()
    def never_in_time() -> None:
        time.sleep(0.5)

    handle = flaky()
    late = never_in_time()
    with pytest.raises(ResultTimeout):
        late.get(blocking=True, timeout=0.01)

    assert handle.get(blocking=True, timeout=10) == "OK"
    assert late.wait(10)
    assert late.state is State.DONE
