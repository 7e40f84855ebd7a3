"""The guide "How to Implement Background Tasks with Huey": its snippets, by heading.

Its FastAPI endpoints are in tests/examples/test_fastapi.py.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import pytest

from hueycore import Result, SqliteHuey, State, crontab
from hueycore.model.jobs import Selector
from tests.helpers import Clock, consuming, drain, states

F = TypeVar("F", bound=Callable[..., Any])


def test_environment_based_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "development")

    def get_huey() -> SqliteHuey:
        env = os.getenv("ENVIRONMENT", "development")
        assert env != "production"
        return SqliteHuey(name="my_app", filename=tmp_path / "huey.db")

    huey = get_huey()
    assert huey.task(name="task")(lambda: 1)().state is State.PENDING
    huey.close()


@pytest.mark.feature("instances")
def test_basic_configuration_with_immediate_off(tmp_path: Path) -> None:
    huey = SqliteHuey(name="my_app", filename=tmp_path / "huey.db", immediate=False)
    handle = huey.task(name="task")(lambda: 1)()
    assert handle.state is State.PENDING
    huey.close()


def test_basic_task_and_calling_tasks(huey: SqliteHuey) -> None:
    @huey.task()
    def send_email(to_address: str, subject: str, body: str) -> dict[str, str]:
        return {"status": "sent", "recipient": to_address}

    result = send_email("user@example.com", "Welcome!", "Thanks for signing up.")
    assert result.id
    assert not result.is_complete()
    try:
        result.get(blocking=True, timeout=0.01)
    except TimeoutError:
        pass
    else:
        raise AssertionError("nobody has run it")

    with consuming(huey):
        actual = result.get(blocking=True, timeout=30)
    assert actual == {"status": "sent", "recipient": "user@example.com"}


@pytest.mark.feature("one-off")
def test_delayed_execution(huey: SqliteHuey) -> None:
    @huey.task()
    def send_reminder(user_id: str, message: str) -> dict[str, bool]:
        return {"sent": True}

    now = datetime.now()
    reminder = send_reminder.schedule(args=("user_123", "Your trial expires"), delay=1800)
    run_at = (now + timedelta(days=1)).replace(hour=9, minute=0, second=0, microsecond=0)
    report = send_reminder.schedule(args=("sales", "last_month"), eta=run_at)
    another = send_reminder.schedule(
        args=("user_456", "Check your inbox"), eta=now + timedelta(hours=5)
    )

    due = {job.id: job.run_at - now.timestamp() for job in huey.storage.jobs(Selector())}
    assert abs(due[reminder.id] - 1800) < 5
    assert due[report.id] == pytest.approx(run_at.timestamp() - now.timestamp())
    assert due[another.id] == pytest.approx(5 * 3600)
    assert huey.scheduled_count() == 3


def test_task_pipeline(huey: SqliteHuey, tmp_path: Path) -> None:
    @huey.task()
    def download_file(url: str) -> str:
        local_path = tmp_path / url.split("/")[-1]
        local_path.write_text("data")
        return str(local_path)

    @huey.task()
    def process_file(file_path: str) -> str:
        return file_path

    @huey.task()
    def cleanup_file(file_path: str) -> dict[str, bool]:
        os.remove(file_path)
        return {"deleted": True}

    pipeline = download_file.s("https://example.com/data.csv").then(process_file).then(cleanup_file)
    result = pipeline()
    drain(huey)

    assert result.get() == [
        str(tmp_path / "data.csv"),
        str(tmp_path / "data.csv"),
        {"deleted": True},
    ]
    assert not (tmp_path / "data.csv").exists()


@pytest.mark.parametrize(
    ("schedule", "fires", "rests"),
    [
        (crontab(), "2026-02-03 12:34", None),
        (crontab(minute="0"), "2026-02-03 12:00", "2026-02-03 12:01"),
        (crontab(minute="0", hour="0"), "2026-02-03 00:00", "2026-02-03 01:00"),
        (crontab(minute="0", hour="9", day_of_week="1"), "2026-02-02 09:00", "2026-02-03 09:00"),
        (crontab(minute="0", hour="0", day="1"), "2026-02-01 00:00", "2026-02-02 00:00"),
        (crontab(minute="*/15"), "2026-02-03 12:45", "2026-02-03 12:46"),
        (crontab(minute="0", hour="8", day_of_week="1-5"), "2026-02-03 08:00", "2026-02-07 08:00"),
        (crontab(minute="0", hour="9,12,17"), "2026-02-03 17:00", "2026-02-03 16:00"),
        (crontab(minute="0", hour="*/2"), "2026-02-03 22:00", "2026-02-03 21:00"),
        (crontab(minute="30", hour="2"), "2026-02-03 02:30", "2026-02-03 02:31"),
    ],
)
def test_crontab_reference(huey: SqliteHuey, schedule: Any, fires: str, rests: str | None) -> None:
    task = huey.periodic_task(schedule, name="task")(lambda: None)

    due = huey.read_periodic(datetime.fromisoformat(fires))
    assert [job.task_name for job in due] == [task.name]
    if rests is not None:
        assert huey.read_periodic(datetime.fromisoformat(rests)) == []


def test_task_priorities(huey: SqliteHuey) -> None:
    order: list[str] = []
    for name, priority in (
        ("generate_analytics", 0), ("update_search_index", 50),
        ("send_order_confirmation", 100), ("process_payment", 200),
    ):  # fmt: skip
        huey.task(priority=priority, name=name)(lambda name=name: order.append(name))()

    drain(huey)

    assert order == [
        "process_payment", "send_order_confirmation", "update_search_index", "generate_analytics"
    ]  # fmt: skip


def test_automatic_retries(huey: SqliteHuey, clock: Clock) -> None:
    clock.freeze()
    runs: list[float] = []

    @huey.task(retries=3, retry_delay=60)
    def call_external_api(endpoint: str, payload: dict[str, int]) -> dict[str, bool]:
        runs.append(clock.now())
        if len(runs) < 3:
            raise ConnectionError("API temporarily unavailable")
        return {"success": True}

    handle = call_external_api("/v1", {"n": 1})
    for _ in range(3):
        drain(huey)
        clock.jump(60)

    assert [at - runs[0] for at in runs] == [0, 60, 120]
    assert handle.get() == {"success": True}


def test_custom_retry_logic(huey: SqliteHuey, clock: Clock) -> None:
    clock.freeze()
    runs: list[tuple[int, float]] = []

    class RetryableError(Exception):
        pass

    @huey.task(retries=5)
    def process_with_backoff(item_id: int, attempt: int = 1) -> None:
        runs.append((attempt, clock.now()))
        try:
            raise RetryableError
        except RetryableError:
            if attempt < 5:
                process_with_backoff.schedule(
                    args=(item_id,), kwargs={"attempt": attempt + 1}, delay=2**attempt
                )
            else:
                return

    process_with_backoff(1)
    for attempt in range(1, 6):
        drain(huey)
        clock.jump(2**attempt)

    assert [(attempt, at - runs[0][1]) for attempt, at in runs] == [
        (1, 0), (2, 2), (3, 6), (4, 14), (5, 30)
    ]  # fmt: skip


def test_dead_letter_queue(huey: SqliteHuey, tmp_path: Path, clock: Clock) -> None:
    clock.freeze()
    letters = tmp_path / "dead_letters.jsonl"

    def move_to_dead_letter(**letter: Any) -> None:
        with letters.open("a") as file:
            file.write(json.dumps(letter) + "\n")

    @huey.task(retries=3, retry_delay=60)
    def critical_task(data: str) -> None:
        raise ValueError(f"cannot process {data}")

    @huey.signal()
    def task_failed_handler(signal: str, task: Any, exc: BaseException | None = None) -> None:
        if signal == "task-failed":
            move_to_dead_letter(
                task_id=task.id, task_name=task.name, args=task.args, kwargs=task.kwargs,
                error=str(exc),
            )  # fmt: skip

    handle = critical_task("order 7")
    for _ in range(4):
        drain(huey)
        clock.jump(60)

    (letter,) = map(json.loads, letters.read_text().splitlines())
    assert letter == {
        "task_id": handle.id, "task_name": "critical_task", "args": ["order 7"], "kwargs": {},
        "error": "cannot process order 7",
    }  # fmt: skip
    # And without the recipe: the queue keeps it by itself, with the error of each attempt.
    assert [len(job.errors) for job in huey.dead()] == [4]


@pytest.mark.feature("introspection")
def test_task_introspection(huey: SqliteHuey) -> None:
    task = huey.task(name="task")(lambda: 5)
    done = task()
    drain(huey)
    task()
    task.schedule(delay=60)

    storage: Any = huey.storage
    assert (storage.queue_size(), storage.scheduled_count()) == (1, 1)

    def check_task_status(task_result: Result[int]) -> dict[str, Any]:
        complete = task_result.is_complete()
        return {
            "task_id": task_result.id,
            "is_complete": complete,
            "result": task_result.get(blocking=False) if complete else None,
        }

    assert check_task_status(Result(huey, done.id)) == {
        "task_id": done.id, "is_complete": True, "result": 5
    }  # fmt: skip


def test_logging_integration(huey: SqliteHuey, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "huey_tasks")
    logger = logging.getLogger("huey_tasks")

    def log_task(func: F) -> F:
        @wraps(func)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            start = datetime.now(UTC)
            logger.info(json.dumps({"event": "task_started", "task": func.__name__}))
            try:
                return func(*args, **kwargs)
            finally:
                duration = (datetime.now(UTC) - start).total_seconds()
                logger.info(json.dumps({"event": "task_ended", "duration_seconds": duration}))

        return wrapper  # type: ignore[return-value]

    @huey.task()
    @log_task
    def logged_task(data: str) -> dict[str, bool]:
        return {"processed": True}

    logged_task("x")
    drain(huey)

    said = [json.loads(r.message) for r in caplog.records if r.name == "huey_tasks"]
    assert [line["event"] for line in said] == ["task_started", "task_ended"]
    assert said[0]["task"] == logged_task.__name__ == "logged_task"


def test_set_appropriate_timeouts(huey: SqliteHuey, clock: Clock) -> None:
    clock.freeze()

    @huey.task(expires=3600)
    def long_running_task(data: str) -> None:
        raise AssertionError("it must not run")

    handle = long_running_task("x")
    clock.jump(3601)
    drain(huey)

    assert handle.state is State.EXPIRED
    assert states(huey) == {"expired": 1}


def test_use_task_context_for_metadata(huey: SqliteHuey) -> None:
    @huey.task(context=True, retries=2)
    def task_with_context(data: str, task: Any = None) -> tuple[str, int]:
        return task.id, task.retries

    handle = task_with_context("x")
    drain(huey)

    assert handle.get() == (handle.id, 2)
