"""Hypothesis profiles (``HYPOTHESIS_PROFILE=nightly`` looks longer), marks, signals unmuted, and
the fixtures that most folders need."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from hueycore import Huey
from tests import redis_servers, servers
from tests.crash import table
from tests.features import NAMES
from tests.helpers import Clock, check_rows, or_skip, take_an_exception

#: Where files cost no disk: a power cut is only ever played (``tests/crash/c``).
_MEMORY = "/dev/shm"


def _is_room_in_memory() -> bool:
    """For the files of a run, and for programs that tests write."""
    if not os.access(_MEMORY, os.W_OK):
        return False
    found = os.statvfs(_MEMORY)
    return not found.f_flag & os.ST_NOEXEC and found.f_bavail * found.f_frsize >= 2 << 30


if "TMPDIR" not in os.environ and _is_room_in_memory():
    os.environ["TMPDIR"] = tempfile.tempdir = _MEMORY

_SHARED = {"deadline": None, "print_blob": True, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("default", max_examples=60, **_SHARED)
settings.register_profile("nightly", max_examples=2000, **_SHARED)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# Every process of a test would compile the library anew, which is half of what it does.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Whoever starts the suite in the background of a shell has it ignore SIGINT, and the processes that
# the tests start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_setup() -> None:
    """CPython 3.11 traces in circles for ever while an asynchronous exception waits for a thread
    that does not take it (one of another test that sleeps, or has ended): the flag "somebody has
    to look" belongs to the interpreter, and a traced RESUME looks again until it is down. Whoever
    takes an exception takes the flag down. Hypothesis traces as well."""
    if sys.version_info < (3, 12):
        take_an_exception()


#: The engine that was asked for, as ``make test`` does: other engines' own tests are left out.
ASKED = os.environ.get("HUEY_TEST_ENGINE")
#: The engine that queues of tests are in, where a test does not choose.
ENGINE = ASKED or "sqlite"
#: What an engine's own tests are given, outside of its folder.
OWN = {"postgres": {"postgres", "postgres_binaries"}, "redis": {"redis", "redis_server"}}
#: Folders of what runs on all engines, or on the one that was asked for.
FOR_ALL = {"conformance", "storage"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The slice of the tests that runs on all engines whatever was asked for."""
    slice_ = next(metafunc.definition.iter_markers("every_engine"), None)
    if slice_ and ENGINE == "sqlite":
        metafunc.parametrize("engine_name", ["sqlite", "postgres", "redis"], indirect=True)


@pytest.hookimpl(tryfirst=True)  # before -m, which chooses by a mark that is given here
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if owners(item):
            item.add_marker("own")
        # A mark that names no row of ``tests/features.py`` would be lost without a word.
        for mark in item.iter_markers("feature"):
            unknown = set(mark.args) - NAMES
            if unknown or not mark.args:
                raise pytest.UsageError(
                    f"{item.nodeid}: no such feature: {unknown or 'none given'}"
                )
    # What takes long begins first: at the end one process would wait for the other.
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
    if ASKED:
        config.hook.pytest_deselected(items=[item for item in items if not is_of(ASKED, item)])
        items[:] = [item for item in items if is_of(ASKED, item)]


def owners(item: pytest.Item) -> list[str]:
    """The engine that a test is about, by what it is given or by its folder; none for most."""
    names = set(item.fixturenames) if isinstance(item, pytest.Function) else set()
    return [name for name, given in OWN.items() if given & names or item.path.parent.name == name]


def is_of(engine: str, item: pytest.Item) -> bool:
    """Whether a test is one of this engine's own, or has its queue in whatever engine is asked for.
    SQLite needs no server: with it runs what is about no engine, and what is about all. What all
    engines have in common runs with Redis as well, on a cluster."""
    if own := owners(item):
        return engine in own
    names = set(item.fixturenames) if isinstance(item, pytest.Function) else set()
    return engine == "sqlite" or "engine_name" in names or item.path.parent.name in FOR_ALL


@pytest.fixture
def engine_name(request: pytest.FixtureRequest) -> str:
    """The engine of ``path`` and ``huey``."""
    name: str = getattr(request, "param", ENGINE)
    only = request.node.get_closest_marker("sqlite_only")
    if only and name != "sqlite":
        pytest.skip(f"SQLite only: {only.args[0]}")
    tables = request.node.get_closest_marker("sql_only")
    if tables and name == "redis":
        pytest.skip(f"engines with tables only: {tables.args[0]}")
    return name


@pytest.fixture
def path(engine_name: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """Where a queue can be: a file that is not there yet, or the URL of an empty schema or
    database."""
    if engine_name == "sqlite":
        return str(tmp_path / "queue.db")
    found: str = request.getfixturevalue(f"{engine_name}_url")
    return found


@pytest.fixture
def huey(path: str) -> Iterator[Huey]:
    """A queue of its own; at the end every row must be one that can be."""
    instance = Huey("app", url=path)
    yield instance
    instance.close()
    check_rows(path)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The wall clock, to be frozen and moved."""
    return Clock(monkeypatch)


@pytest.fixture(scope="session")
def postgres() -> str:
    """The URL of the PostgreSQL server of this run, which starts when the first test asks."""
    with or_skip():
        return servers.of_this_run()


@pytest.fixture
def postgres_schema(postgres: str) -> Iterator[str]:
    """An empty schema on that server."""
    with servers.schema(postgres) as name:
        yield name


@pytest.fixture
def postgres_url(postgres: str, postgres_schema: str) -> str:
    """The URL of an empty schema on that server."""
    return servers.url(postgres, postgres_schema)


@pytest.fixture(scope="session")
def postgres_binaries() -> Path:
    """Where the programs are of which a test makes a server of its own."""
    with or_skip():
        return servers.binaries()


@pytest.fixture(scope="session")
def redis() -> str:
    """The URL of the Redis server of this run, which starts when the first test asks."""
    with or_skip():
        return redis_servers.of_this_run()


@pytest.fixture
def redis_url(redis: str) -> Iterator[str]:
    """The URL of an empty database on that server."""
    with redis_servers.database(redis) as url:
        yield url


@pytest.fixture
def redis_server() -> Iterator[redis_servers.RedisServer]:
    """A Redis server of the test's own that waits for the disk: to be restarted and killed."""
    with or_skip(), redis_servers.crashing() as server:
        yield server


@pytest.fixture
def postgres_server(postgres_binaries: Path) -> Iterator[servers.Server]:
    """A PostgreSQL server of the test's own, by TCP, which waits for the disk: to be restarted and
    killed."""
    with servers.crashing() as server:
        yield server


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was played of the table in ``tests/crash/table.py``, and what the soaks saw."""
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    if line := table.summary(report.nodeid for report in reports):
        terminalreporter.write_line(line)
    for report in reports:
        for name, value in report.user_properties:
            if name == "soak":
                terminalreporter.write_line(str(value))
