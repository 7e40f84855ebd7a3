"""The server's own copy of a queue, which a dump reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from hueycore.exceptions import StorageError
from hueycore.model.jobs import Cargo, Selector
from hueycore.storage.redis import RedisStorage, departure
from tests.proxy import Proxy
from tests.storage import mixed
from tests.storage.kit import new
from tests.storage.redis.commands import commands


@pytest.fixture
def storage(redis_url: str) -> Iterator[RedisStorage]:
    with closing(RedisStorage(redis_url)) as made:
        yield made


def copies(storage: RedisStorage) -> list[Any]:
    return list(storage.client.call("KEYS", "*copy-*"))


def begun(storage: RedisStorage) -> Iterator[Any]:
    """A dump of which the first page is read."""
    storage.enqueue([new() for _ in range(200)])
    pages = storage.dump(Selector())
    next(pages)
    return pages


def test_nothing_of_it_stays(storage: RedisStorage) -> None:
    pages = begun(storage)
    assert copies(storage)

    pages.close()  # type: ignore[attr-defined]

    assert copies(storage) == []


def test_a_dump_that_goes_on_keeps_it(
    storage: RedisStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(departure, "RENEWAL", 0.0)
    pages = begun(storage)
    for key in copies(storage):
        storage.client.call("EXPIRE", key, 100)

    next(pages)

    ends = [storage.client.call("TTL", key) for key in copies(storage)]
    assert min(ends) > 100


def test_what_it_does_not_hold_any_more_is_no_end_of_a_dump(
    storage: RedisStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(departure, "RENEWAL", 0.0)
    pages = begun(storage)
    storage.client.call("UNLINK", *copies(storage))

    with pytest.raises(StorageError, match="copy of the queue is gone"):
        list(pages)


def test_log_lines_and_results_are_not_asked_for_job_by_job(
    storage: RedisStorage, redis_url: str
) -> None:
    storage.enqueue([new(priority=1) for _ in range(300)])
    mixed._run(storage, storage.register(name="worker", kind="thread", slots=8), 300)

    # A proxy counts what this process asks: others use the server as well.
    with (
        Proxy(redis_url, keeps=True) as way,
        closing(RedisStorage(way.url)) as other,
    ):
        before = len(commands(way))
        found = [one for page in other.dump(Selector()) for one in page]
        said = len(commands(way)) - before

    assert said < 200
    assert {len(one.log) for one in found if isinstance(one, Cargo)} == {1}
