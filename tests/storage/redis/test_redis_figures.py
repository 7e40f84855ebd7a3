"""What is counted for ever does not lose a minute, nor count one twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from hueycore.model.retention import Keeping
from hueycore.storage.redis import RedisStorage
from tests.helpers import Clock
from tests.storage.kit import born, run, worker

NOW = 2_000_000_040.0


@pytest.fixture
def storage(redis_url: str, clock: Clock) -> Iterator[RedisStorage]:
    clock.freeze(NOW)
    with closing(RedisStorage(redis_url)) as found:
        yield found


def ran(storage: RedisStorage, number: int, times: int, task: str = "task") -> None:
    for _ in range(times):
        born(storage, task)
        run(storage, number)


def total(storage: RedisStorage, task: str = "task") -> tuple[int, float, int]:
    """Runs, their seconds, and how many of them the histogram has."""
    (found,) = [one for one in storage.totals() if one.task == task]
    return found.done, found.run_s, sum(found.run_hist.values())


def test_the_total_has_the_newest_minute_and_all_before(
    storage: RedisStorage, clock: Clock
) -> None:
    number = worker(storage)
    for minute in range(3):
        ran(storage, number, 2)
        assert total(storage) == (2 * minute + 2, minute + 1.0, 2 * minute + 2)
        clock.jump(60)
    assert [one.done for one in storage.metrics(0)] == [2, 2, 2]


def test_consumers_whose_clocks_differ_count_each_run_once(
    storage: RedisStorage, clock: Clock
) -> None:
    number = worker(storage)
    for minutes in (1, -1, 1, -1, 2, -3):
        ran(storage, number, 1)
        clock.jump(60.0 * minutes)
    ran(storage, number, 1)

    assert total(storage) == (7, 3.5, 7)
    assert sum(one.done for one in storage.metrics(0)) == 7


def test_minutes_that_are_purged_stay_in_the_total(storage: RedisStorage, clock: Clock) -> None:
    number = worker(storage)
    ran(storage, number, 2)
    ran(storage, number, 3, "other")
    clock.jump(60)
    ran(storage, number, 1)
    clock.jump(10 * 86400.0)

    gone = storage.keep(Keeping(metric_age=86400.0))

    assert gone["metrics"] == 3
    assert storage.metrics(0) == []
    assert (total(storage)[0], total(storage, "other")[0]) == (3, 3)
    ran(storage, number, 1)
    assert total(storage) == (4, 2.0, 4)
