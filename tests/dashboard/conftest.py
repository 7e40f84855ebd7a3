"""A queue that a test fills, and a browser of its dashboard."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "cli")]
from actkit import Hand  # noqa: E402
from clikit import QueueFile  # noqa: E402
from dashkit import Browser  # noqa: E402


@pytest.fixture
def queue(path: str) -> Iterator[QueueFile]:
    """A queue that a test fills."""
    found = QueueFile(path)
    yield found
    found.storage.close()


@pytest.fixture
def browser(queue: QueueFile) -> Iterator[Browser]:
    found = Browser(str(queue.where))
    yield found
    found.board.close()


@pytest.fixture
def hand(browser: Browser) -> Hand:
    """Fills in the forms of the dashboard."""
    return Hand(browser)
