"""Jobs that wait for jobs: whoever occupies the last worker meanwhile is named."""

from __future__ import annotations

from threading import Event

import pytest

from hueycore import Huey, Result
from tests.helpers import consuming, job, wait_until

pytestmark = pytest.mark.usefixtures("any_kind")


@pytest.fixture(autouse=True)
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hueycore.tasks.standstill.PATIENCE", 0.1)


@pytest.fixture(params=["plain", "async"])
def outer(request: pytest.FixtureRequest, huey: Huey) -> Result[int]:
    """A job that waits for a job that it enqueues, job 2."""

    @huey.task()
    def inner() -> int:
        return 7

    @huey.task()
    def plain() -> int | None:
        return inner().get(blocking=True, timeout=30)

    @huey.task(name="async")
    async def waits() -> int:
        return await (await inner.aenqueue())

    return plain() if request.param == "plain" else waits()


def test_a_job_that_waits_on_the_last_worker_is_named(
    huey: Huey, outer: Result[int], caplog: pytest.LogCaptureFixture
) -> None:
    with consuming(huey, workers=1):
        said = f"job {outer.seq} of {job(huey, outer).task} waits for job 2"
        wait_until(lambda: f"{said}, which no worker is free to run" in caplog.text)
        assert "it occupies the only one" in caplog.text
        with consuming(huey, workers=1):
            assert outer.get(blocking=True, timeout=10) == 7


def test_all_busy_workers_are_counted(
    huey: Huey, outer: Result[int], caplog: pytest.LogCaptureFixture
) -> None:
    @huey.task()
    def other() -> int | None:
        return Result[int](huey, outer.id).get(blocking=True, timeout=30, preserve=True)

    other()
    with consuming(huey, workers=2):
        wait_until(lambda: "all 2 are busy, and it occupies one of them" in caplog.text)
        with consuming(huey, workers=1):
            assert outer.get(blocking=True, timeout=10, preserve=True) == 7


def test_a_job_that_waits_for_one_that_runs_is_not(
    huey: Huey, caplog: pytest.LogCaptureFixture
) -> None:
    go = Event()

    @huey.task()
    def slow() -> int:
        go.wait(30)
        return 7

    @huey.task()
    def waits(other: str) -> int | None:
        return Result[int](huey, other).get(blocking=True, timeout=30)

    first = slow()
    second = waits(first.id)
    with consuming(huey, workers=2):
        wait_until(lambda: sum(len(row.running) for row in huey.storage.workers()) == 2)
        with pytest.raises(Exception, match="did not end within"):
            second.get(blocking=True, timeout=0.5)
        go.set()
        assert second.get(blocking=True, timeout=10) == 7
    assert "waits for job" not in caplog.text
