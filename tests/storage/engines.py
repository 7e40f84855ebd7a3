"""The engines that the suites run on: to test another one, add its entry."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

from hueycore.storage.base import Storage
from tests import servers
from tests.storage.lab import Lab
from tests.storage.postgres.lab import PostgresLab, drop_schemas, open_schema
from tests.storage.sqlite.lab import SqliteLab, give_back_sides, open_file, open_memory


class Engine(NamedTuple):
    """How to open a storage and how to look behind it.

    ``open``: (an empty folder, the queue's name, options) → a storage. ``shared``: those of one
    folder are on the same data. ``guard``: around each test, it takes back what tests leave in this
    process. ``find`` raises ``Unavailable`` where the engine cannot be had."""

    open: Callable[..., Storage]
    lab: Callable[[Any], Lab]
    shared: bool = True
    guard: Callable[[], AbstractContextManager[object]] = nullcontext
    find: Callable[[], object] = nullcontext


ENGINES: dict[str, Engine] = {
    "sqlite": Engine(open_file, SqliteLab, guard=give_back_sides),
    "memory": Engine(open_memory, SqliteLab, shared=False),
    "postgres": Engine(open_schema, PostgresLab, guard=drop_schemas, find=servers.of_this_run),
}
#: Those that give the same numbers to the same jobs, so that their answers can be compared.
FAMILIES: list[tuple[str, ...]] = [("sqlite", "memory"), ("postgres",)]

if (ONE := os.environ.get("HUEY_TEST_ENGINE") or "sqlite") != "sqlite":
    ENGINES, FAMILIES = {ONE: ENGINES[ONE]}, [(ONE,)]


def lab_of(storage: Any) -> Lab:
    """Looks behind a storage that somebody else has opened."""
    lab = SqliteLab if storage.url.startswith("sqlite:") else PostgresLab
    return lab(storage)
