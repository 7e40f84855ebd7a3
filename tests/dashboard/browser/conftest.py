"""One browser for each file of tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "cli")]
from browserkit import chromium, served  # noqa: E402
from clikit import QueueFile  # noqa: E402


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture
def site(path: str, queue: QueueFile) -> Iterator[str]:
    """The address of a dashboard of the queue."""
    with served(path) as address:
        yield address
