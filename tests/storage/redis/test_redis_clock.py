"""After the clock was set back, which a consumer that starts cannot know."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from hueycore.model.jobs import Selector
from hueycore.storage.redis import RedisStorage
from tests.helpers import Clock
from tests.redis_servers import RedisServer
from tests.storage.kit import new


@pytest.fixture
def storage(server: RedisServer) -> Iterator[RedisStorage]:
    with closing(RedisStorage(server.url)) as found:
        yield found


def test_a_consumer_that_starts_reads_no_row_of_the_jobs_that_wait(
    storage: RedisStorage, server: RedisServer
) -> None:
    storage.enqueue([new(priority=number % 3) for number in range(3000)])

    before = int(server.ask("INFO", "stats")["total_net_output_bytes"])
    storage.mend(set_back=True)

    assert int(server.ask("INFO", "stats")["total_net_output_bytes"]) - before < 20_000


def test_a_clock_that_was_set_back_brings_back_any_number_of_jobs(
    storage: RedisStorage, clock: Clock
) -> None:
    clock.freeze()
    storage.enqueue([new(priority=-1)])
    clock.jump(3600)
    storage.enqueue([new(priority=number % 2) for number in range(3000)])
    clock.jump(-1800)

    storage.mend(set_back=True)

    now = storage.client.now()
    assert {max(row.run_at, now) for row in storage.jobs(Selector())} == {now}
