"""Fixtures for pytest: ``pytest_plugins = ["hueycore.contrib.pytest"]`` in a conftest.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime

import pytest

from hueycore.api import Huey
from hueycore.testing import Sandbox


@pytest.fixture
def huey_sandbox() -> Iterator[Callable[..., Sandbox]]:
    """Call it with an instance: until the end of the test its queue is in memory and its clock
    moves only when told (see ``hueycore.testing.Sandbox``)."""
    with ExitStack() as stack:

        def enter(huey: Huey, at: datetime | float | None = None) -> Sandbox:
            return stack.enter_context(Sandbox(huey, at))

        yield enter
