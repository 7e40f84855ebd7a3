from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.crash.crashkit import Place


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> str:
    """The kind of workers of the test's consumers; see ``every_kind``."""
    found: str = getattr(request, "param", "thread")
    if found == "greenlet":
        pytest.importorskip("gevent")
    return found


@pytest.fixture
def place(tmp_path: Path, kind: str) -> Iterator[Place]:
    made = Place(tmp_path, kind=kind)
    yield made
    made.close()


@pytest.fixture
def place_every(tmp_path: Path) -> Iterator[Callable[[float], Place]]:
    """A place whose application has periodic tasks."""
    made: list[Place] = []

    def make(period: float) -> Place:
        made.append(Place(tmp_path, period))
        return made[0]

    yield make
    for place in made:
        place.close()


@pytest.fixture
def chance() -> random.Random:
    """Random moments; ``CRASH_SEED`` repeats those of a failure, which are printed."""
    seed = int(os.environ.get("CRASH_SEED", random.SystemRandom().randrange(10**9)))
    print(f"CRASH_SEED={seed}")
    return random.Random(seed)
