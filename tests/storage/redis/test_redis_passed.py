"""A paused task with many jobs makes no claim slow: they are passed over once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from hueycore.storage.redis import RedisStorage
from hueycore.storage.redis.messagepack import unpack
from tests.storage.kit import born, new, take, tasks, worker


@pytest.fixture
def storage(redis_url: str) -> Iterator[RedisStorage]:
    with closing(RedisStorage(redis_url)) as found:
        yield found


def passed(storage: RedisStorage) -> int | None:
    """The number of the last job that claims pass over."""
    mark = storage.client.call("HGET", storage.key("queue"), "passed")
    return None if mark is None else int(unpack(mark)[2])


def test_the_jobs_of_a_paused_task_are_looked_at_once(storage: RedisStorage) -> None:
    number = worker(storage)
    first = storage.enqueue([new("held") for _ in range(300)])
    storage.pause(task="held")

    assert take(storage, number) == []
    assert passed(storage) == first[-1].seq
    more = storage.enqueue([new("held") for _ in range(300)])
    assert take(storage, number) == []
    assert passed(storage) == more[-1].seq

    storage.resume(task="held")
    assert tasks(take(storage, number)) == ["held"]
    assert passed(storage) is None


def test_what_comes_in_front_of_them_is_looked_at_while_it_is_little(storage: RedisStorage) -> None:
    number = worker(storage)
    storage.enqueue([new("held") for _ in range(300)])
    storage.pause(task="held")
    take(storage, number)
    urgent = storage.enqueue([new(priority=1) for _ in range(1100)])
    assert storage.client.call("ZCARD", storage.key("ahead")) == 1100

    assert [claim.seq for claim in take(storage, number, 2)] == [job.seq for job in urgent[:2]]

    assert passed(storage) is None
    assert storage.client.call("EXISTS", storage.key("ahead")) == 0
    assert len(take(storage, number, 2000)) == 1098
    born(storage)
    assert tasks(take(storage, number)) == ["task"]
