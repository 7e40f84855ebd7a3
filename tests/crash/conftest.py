from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
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
def place(tmp_path: Path, path: str, kind: str) -> Iterator[Place]:
    made = Place(tmp_path, path, kind=kind)
    yield made
    made.close()


@pytest.fixture
def place_every(tmp_path: Path, path: str) -> Iterator[Callable[[float], Place]]:
    """A place whose application has periodic tasks."""
    made: list[Place] = []

    def make(period: float) -> Place:
        made.append(Place(tmp_path, path, every=period))
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


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Compile ``c/NAME.c``, to be preloaded."""
    compiler = shutil.which("cc")
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux preloads a library this way")
    if compiler is None:
        message = "there is no C compiler (cc)"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    folder = tmp_path_factory.mktemp("libraries")

    @cache
    def build(name: str) -> Path:
        built = folder / f"{name}.so"
        source = Path(__file__).parent / "c" / f"{name}.c"
        flags = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
        subprocess.run([compiler, *flags, "-o", str(built), str(source), "-ldl"], check=True)
        return built

    return build
