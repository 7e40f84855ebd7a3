"""The engines that the suites run on: to test another one, add its entry."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

from hueycore.storage.base import Storage
from tests import redis_servers, servers
from tests.storage.lab import Lab
from tests.storage.postgres.lab import PostgresLab, drop_schemas, open_schema
from tests.storage.redis.lab import RedisLab, empty_databases, open_cluster, open_database
from tests.storage.sqlite.lab import SqliteLab, give_back_sides, open_file, open_memory


class Engine(NamedTuple):
    """How to open a storage and how to look behind it.

    ``open``: (an empty folder, the queue's name, options) → a storage. ``shared``: those of one
    folder are on the same data. ``guard``: around each test, it takes back what tests leave in this
    process. ``find`` raises ``Unavailable`` where the engine cannot be had. ``own_numbers``: each
    queue numbers its own jobs."""

    open: Callable[..., Storage]
    lab: Callable[[Any], Lab]
    shared: bool = True
    guard: Callable[[], AbstractContextManager[object]] = nullcontext
    find: Callable[[], object] = nullcontext
    own_numbers: bool = False


ENGINES: dict[str, Engine] = {
    "sqlite": Engine(open_file, SqliteLab, guard=give_back_sides),
    "memory": Engine(open_memory, SqliteLab, shared=False),
    "postgres": Engine(
        open_schema,
        PostgresLab,
        guard=drop_schemas,
        find=servers.of_this_run,
    ),
    "redis": Engine(
        open_database,
        RedisLab,
        guard=empty_databases,
        find=redis_servers.of_this_run,
        own_numbers=True,
    ),
}
#: Those that give the same numbers to the same jobs, so that their answers can be compared.
FAMILIES: list[tuple[str, ...]] = [("sqlite", "memory"), ("postgres",), ("redis",)]

ONE = os.environ.get("HUEY_TEST_ENGINE") or "sqlite"
if ONE == "redis":
    # On one server it runs beside all others; where Redis alone is asked for, on a cluster.
    on_cluster = ENGINES["redis"]._replace(open=open_cluster, find=redis_servers.binary)
    ENGINES, FAMILIES = {"cluster": on_cluster}, [("cluster",)]
elif ONE != "sqlite":
    ENGINES, FAMILIES = {ONE: ENGINES[ONE]}, [(ONE,)]


def lab_of(storage: Any) -> Lab:
    """Looks behind a storage that somebody else has opened."""
    scheme = storage.url.partition(":")[0]
    labs = {"sqlite": SqliteLab, "redis": RedisLab}
    return labs.get(scheme, PostgresLab)(storage)
