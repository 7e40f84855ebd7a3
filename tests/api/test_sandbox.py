"""What hueycore gives to the tests of applications."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hueycore import SqliteHuey, State, crontab
from hueycore.system import clock
from hueycore.testing import FakeClock, Sandbox

pytest_plugins = ["hueycore.contrib.pytest"]


class Shop:
    """An application with a queue of its own."""

    def __init__(self, folder: Path) -> None:
        self.mails: list[str] = []
        self.huey = huey = SqliteHuey("shop", folder / "shop.db")

        @huey.task()
        def mail(to: str, *, copy: bool = False) -> None:
            self.mails.append(to)

        @huey.task(retries=3, retry_delay=60, retry_backoff=2)
        def flaky() -> float:
            if clock.now() < begin + 400:
                raise LookupError
            return clock.now()

        @huey.periodic_task(crontab(minute="0"))
        def hourly() -> None:
            self.mails.append("hourly")

        begin = clock.now()
        self.mail, self.flaky = mail, flaky


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path)
    yield shop
    shop.huey.close()


def test_a_sandbox_keeps_jobs_in_memory_and_leaves_the_file_alone(
    shop: Shop, tmp_path: Path
) -> None:
    with Sandbox(shop.huey) as box:
        shop.mail("ann")
        box.assert_enqueued(shop.mail, args=("ann",))
        assert list(tmp_path.iterdir()) == []

    assert shop.huey.pending_count() == 0


def test_jobs_that_were_there_before_are_there_afterwards(shop: Shop) -> None:
    handle = shop.mail("before")
    with Sandbox(shop.huey) as box:
        assert box.drain() == []
    assert handle.state is State.PENDING


@pytest.mark.feature("immediate mode")
def test_drain_runs_what_is_ready_and_stops_before_what_is_not(shop: Shop) -> None:
    with Sandbox(shop.huey) as box:
        shop.mail("now")
        later = shop.mail.schedule(("later",), delay=60)

        ran = box.drain()

        assert [job.args for job in ran] == [("now",)]
        assert shop.mails == ["now"]
        assert later.state is State.SCHEDULED


def test_drain_until_moves_the_clock_through_schedules_and_retries(shop: Shop) -> None:
    start = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
    with FakeClock(start):
        shop = Shop(Path(shop.huey.filename).parent)
    with Sandbox(shop.huey, start) as box:
        shop.mail.schedule(("in ten minutes",), delay=600)
        handle = shop.flaky()

        ran = box.drain(until=timedelta(minutes=30))

        assert [job.task_name.rsplit(".", 1)[-1] for job in ran] == [
            "flaky", "flaky", "flaky", "flaky", "mail"
        ]  # fmt: skip
        assert handle.get() == start.timestamp() + 60 + 120 + 240
        assert box.clock.now() == start.timestamp() + 1800
    assert abs(clock.now() - time.time()) < 5


def test_drain_fires_periodic_tasks_when_it_is_told_to(shop: Shop) -> None:
    start = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
    with Sandbox(shop.huey, start) as box:
        box.drain(until=timedelta(hours=2))
        assert shop.mails == []
    with Sandbox(shop.huey, start) as box:
        box.drain(until=timedelta(hours=2), periodic=True)
        assert shop.mails == ["hourly", "hourly"]


def test_drain_ends_although_the_scheduler_is_paused(shop: Shop) -> None:
    with Sandbox(shop.huey, datetime(2026, 3, 1, 12, 30, tzinfo=UTC)) as box:
        shop.huey.storage.pause(scheduler=True)
        assert box.drain(until=timedelta(hours=2), periodic=True) == []


def test_the_error_of_an_assertion_says_what_waits_instead(shop: Shop) -> None:
    with Sandbox(shop.huey) as box:
        shop.mail("ann", copy=True)

        box.assert_enqueued(shop.mail, ("ann",), {"copy": True}, times=1)
        box.assert_not_enqueued(shop.flaky)
        with pytest.raises(AssertionError, match=r"mail\('ann', copy=True\)"):
            box.assert_enqueued(shop.mail, args=("bob",))
        with pytest.raises(AssertionError, match=r"2 jobs of .*mail should wait, 1 do"):
            box.assert_enqueued(shop.mail, times=2)


def test_the_fixture_opens_a_sandbox_until_the_end_of_the_test(
    shop: Shop, huey_sandbox: Callable[..., Sandbox]
) -> None:
    box = huey_sandbox(shop.huey)
    shop.mail("ann")
    box.drain()
    assert shop.mails == ["ann"]


def test_a_job_that_enqueues_itself_for_ever_does_not_drain_for_ever(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hueycore.testing.MANY", 50)

    @shop.huey.task()
    def again() -> None:
        again()

    with Sandbox(shop.huey) as box:
        again()
        with pytest.raises(AssertionError, match="still not drained after 50 runs"):
            box.drain()
