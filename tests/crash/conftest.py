from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hueycore import SqliteHuey
from tests.helpers import Clock, check_file


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
    return Clock(monkeypatch)
