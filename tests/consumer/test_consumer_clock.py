"""The janitor sees that the clock was set back: what was asked for as a delay keeps to it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from hueycore import Huey, RetryTask
from hueycore.consumer.janitor import Janitor
from tests.helpers import Clock, drain, job

#: A Tuesday, 2030-01-01 00:00 UTC.
NEW_YEAR = 1_893_456_000.0
HOUR = 3600.0
ETA = datetime.fromtimestamp(NEW_YEAR + 60, UTC)


@pytest.fixture
def waits(huey: Huey, clock: Clock) -> Callable[[object], float]:
    """Seconds until a job runs, when the clock was set back by an hour under a consumer."""

    def set_back(handle: object) -> float:
        drain(huey)
        janitor = Janitor(huey)
        janitor.step()
        assert job(huey, handle).run_at == NEW_YEAR + 60  # type: ignore[arg-type]
        clock.jump(-HOUR)
        janitor.step()
        return job(huey, handle).run_at - clock.now()  # type: ignore[arg-type]

    clock.freeze(NEW_YEAR)
    return set_back


def test_of_jobs_for_later(huey: Huey, waits: Callable[[object], float]) -> None:
    @huey.task()
    def work() -> None: ...

    assert waits(work.schedule(delay=60)) == 60


def test_of_signatures(huey: Huey, waits: Callable[[object], float]) -> None:
    @huey.task()
    def work() -> None: ...

    assert waits(huey.enqueue(work.s(delay=60))) == 60


def test_not_of_jobs_that_have_a_moment(huey: Huey, waits: Callable[[object], float]) -> None:
    @huey.task()
    def work() -> None: ...

    assert waits(huey.enqueue_at(ETA, work.s(delay=5))) == HOUR + 60


def test_of_retries(huey: Huey, waits: Callable[[object], float]) -> None:
    @huey.task(retries=1, retry_delay=60)
    def work() -> None:
        raise ValueError

    assert waits(work()) == 60


@pytest.mark.parametrize("count", [True, False])
def test_of_what_a_run_asks_for(huey: Huey, waits: Callable[[object], float], count: bool) -> None:
    @huey.task()
    def work() -> None:
        raise RetryTask(delay=60, count=count)

    assert waits(work()) == 60


@pytest.mark.parametrize("count", [True, False])
def test_not_of_the_moment_that_a_run_asks_for(
    huey: Huey, waits: Callable[[object], float], count: bool
) -> None:
    @huey.task()
    def work() -> None:
        raise RetryTask(eta=ETA, count=count)

    assert waits(work()) == HOUR + 60


def test_it_is_said(huey: Huey, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    clock.freeze(NEW_YEAR)
    janitor = Janitor(huey)
    with caplog.at_level(logging.WARNING):
        janitor.step()
        assert caplog.messages == []
        clock.jump(-HOUR)
        janitor.step()
        janitor.step()

    assert caplog.messages == ["the clock was set back, by 3600.0 s or more"]
