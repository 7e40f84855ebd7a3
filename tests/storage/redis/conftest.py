from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from hueycore.storage.redis.client import Client
from tests import redis_servers
from tests.helpers import or_skip
from tests.proxy import Proxy
from tests.redis_servers import ClusterOfThree, Guarded, RedisServer

Connect = Callable[..., Client]


class Script(NamedTuple):
    text: str
    sha: str


def lua(text: str) -> Script:
    return Script(text, hashlib.sha1(text.encode()).hexdigest())


@pytest.fixture
def server(redis_server: RedisServer) -> RedisServer:
    """A server of the test's own that waits for the disk."""
    return redis_server


@pytest.fixture
def guarded() -> Iterator[Guarded]:
    with or_skip(), redis_servers.guarded() as found:
        yield found


@pytest.fixture
def cluster() -> Iterator[ClusterOfThree]:
    with or_skip(), redis_servers.cluster() as found:
        yield found


@pytest.fixture
def way(server: RedisServer) -> Iterator[Proxy]:
    """A way to the server that can lose answers."""
    with Proxy(server.url) as found:
        yield found


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Makes clients, which are closed in the end."""
    made: list[Client] = []

    def connect_one(url: str = "", **options: object) -> Client:
        made.append(Client(url, **options))
        return made[-1]

    yield connect_one
    for one in made:
        one.close()
