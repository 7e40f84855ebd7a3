"""Hypothesis profiles (``HYPOTHESIS_PROFILE=nightly`` looks longer), marks, signals unmuted, and
the fixtures that most folders need."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from hueycore import SqliteHuey
from tests import servers
from tests.crash import table
from tests.features import NAMES
from tests.helpers import Clock, check_file, take_an_exception

_SHARED = {"deadline": None, "print_blob": True, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("default", max_examples=60, **_SHARED)
settings.register_profile("nightly", max_examples=2000, **_SHARED)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A mark that names no row of ``tests/features.py`` would be lost without a word."""
    for item in items:
        for mark in item.iter_markers("feature"):
            unknown = set(mark.args) - NAMES
            if unknown or not mark.args:
                raise pytest.UsageError(
                    f"{item.nodeid}: no such feature: {unknown or 'none given'}"
                )


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "queue.db")


@pytest.fixture
def huey(path: str) -> Iterator[SqliteHuey]:
    """A queue in a file of its own; at the end every row must be one that can be."""
    instance = SqliteHuey("app", path)
    yield instance
    instance.close()
    check_file(path)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The wall clock, to be frozen and moved."""
    return Clock(monkeypatch)


@contextmanager
def a_server_or_else() -> Iterator[None]:
    """Without a server the test is skipped; where engines are required, as in CI, it fails."""
    try:
        yield
    except servers.Unavailable as error:
        required = os.environ.get("HUEY_TEST_ENGINES") == "required"
        (pytest.fail if required else pytest.skip)(str(error))


@pytest.fixture(scope="session")
def postgres() -> str:
    """The URL of the PostgreSQL server of this run, which starts when the first test asks."""
    with a_server_or_else():
        return servers.of_this_run()


@pytest.fixture
def postgres_schema(postgres: str) -> Iterator[str]:
    """An empty schema on that server."""
    with servers.schema(postgres) as name:
        yield name


@pytest.fixture(scope="session")
def postgres_binaries() -> Path:
    """Where the programs are of which a test makes a server of its own."""
    with a_server_or_else():
        return servers.binaries()


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
