"""The article "Huey and SQLite: Build a Production-Grade Background Task System": its snippets."""

from __future__ import annotations

import logging
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hueycore import Huey, SqliteHuey, State, crontab
from hueycore.signals import SIGNAL_ERROR, SIGNAL_SUCCESS
from tests.helpers import Clock, consuming, drain, states, wait_until


def test_configuring_task_retries_with_exponential_backoff(huey: SqliteHuey, clock: Clock) -> None:
    start = clock.freeze()
    errors: list[str] = []

    @huey.task(retries=3, retry_delay=60)
    def process_user_upload(file_id: int) -> str:
        try:
            if len(errors) < 2:
                raise OSError("not there yet")
            return f"upload {file_id}"
        except Exception as error:
            errors.append(str(error))
            raise

    handle = process_user_upload(7)
    drain(huey)
    assert handle.state is State.SCHEDULED
    clock.jump(60)
    drain(huey)
    clock.jump(60)
    drain(huey)

    assert handle.get() == "upload 7"
    assert clock.now() == start + 120


@pytest.mark.feature("pipeline")
def test_building_task_pipelines_for_multi_step_workflows(huey: SqliteHuey) -> None:
    @huey.task()
    def process_image(file_id: int) -> str:
        return f"image {file_id}"

    @huey.task()
    def extract_metadata(image: str) -> dict[str, str]:
        return {"of": image}

    @huey.task()
    def send_notification(of: str) -> str:  # a dictionary gives keywords, as in Huey
        return f"sent {of}"

    pipeline = process_image.s(3) | extract_metadata.s() | send_notification.s()
    results = pipeline()
    drain(huey)

    assert [stage.get() for stage in results] == ["image 3", {"of": "image 3"}, "sent image 3"]


def test_pipelines_halt_when_one_step_fails(huey: SqliteHuey) -> None:
    ran: list[str] = []

    @huey.task()
    def first() -> None:
        raise LookupError

    @huey.task()
    def second(value: Any) -> None:
        ran.append("second")

    (first.s() | second.s())()
    drain(huey)

    assert ran == []
    assert states(huey) == {"dead": 1, "revoked": 1}


@pytest.mark.feature("lock=True")
def test_concurrency_control_and_task_locking_for_critical_jobs(huey: SqliteHuey) -> None:
    inside, most = 0, 0
    guard = threading.Lock()

    @huey.task(lock=True)
    def generate_monthly_report() -> None:
        nonlocal inside, most
        with guard:
            inside += 1
            most = max(most, inside)
        time.sleep(0.005)
        with guard:
            inside -= 1

    for _ in range(8):
        generate_monthly_report()
    with consuming(huey, workers=4):
        wait_until(lambda: states(huey) == {"done": 8}, 20)

    assert most == 1


@pytest.mark.feature("max_concurrent")
def test_limiting_concurrent_workers_per_task_type(tmp_path: Path) -> None:
    huey = Huey(filename=str(tmp_path / "tasks.db"), workers=4, worker_type="thread")
    inside, most = 0, 0
    guard = threading.Lock()

    @huey.task(context={"max_concurrent": 2})
    def heavy_db_query() -> None:
        nonlocal inside, most
        with guard:
            inside += 1
            most = max(most, inside)
        time.sleep(0.02)
        with guard:
            inside -= 1

    for _ in range(12):
        heavy_db_query()
    with consuming(huey) as consumer:
        assert consumer.workers == 4
        wait_until(lambda: states(huey) == {"done": 12}, 20)
    huey.close()

    assert most == 2


def test_cron_like_scheduling_for_recurring_tasks(huey: SqliteHuey) -> None:
    ran: list[str] = []

    @huey.periodic_task(crontab(minute="0", hour="2"))
    def daily_backup() -> None:
        ran.append("backup")

    @huey.task()
    def train_ai_model() -> None:
        ran.append("trained")

    @huey.task()
    def schedule_retrain_model() -> None:
        huey.enqueue_at(datetime.now() + timedelta(days=30), train_ai_model.s())

    assert huey.read_periodic(datetime(2026, 4, 20, 2, 0))
    assert not huey.read_periodic(datetime(2026, 4, 20, 14, 30))
    schedule_retrain_model()
    drain(huey)

    assert states(huey) == {"done": 1, "scheduled": 1}
    assert ran == []


def test_monitoring_signals_and_real_world_observability(
    huey: SqliteHuey, caplog: pytest.LogCaptureFixture
) -> None:
    def log_task_success(sender: str, task_id: object) -> None:
        logging.getLogger("app").warning("Task %s completed successfully", task_id)

    huey.signal(SIGNAL_SUCCESS, log_task_success)
    failed: list[str] = []
    huey.signal(SIGNAL_ERROR)(lambda signal, task, exc=None: failed.append(task.id))

    @huey.task()
    def work(fine: bool) -> None:
        if not fine:
            raise LookupError

    good, bad = work(True), work(False)
    drain(huey)

    assert f"Task {work.name}: {good.id} completed successfully" in caplog.text  # as in Huey
    assert failed == [bad.id]
