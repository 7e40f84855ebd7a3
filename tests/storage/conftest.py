from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from hueycore.storage.base import Storage
from tests.helpers import or_skip
from tests.storage.engines import ENGINES, Engine
from tests.storage.lab import Lab


class Maker:
    """Opens storages of one engine in one folder; whatever a test did, the rows must make sense at
    its end."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self._engine = engine
        self._folder = folder
        self._made: list[Storage] = []

    def __call__(self, queue: str = "huey", **options: object) -> Storage:
        self._made.append(self._engine.open(self._folder, queue, **options))
        return self._made[-1]

    @property
    def own_numbers(self) -> bool:
        """Whether each queue numbers its own jobs."""
        return self._engine.own_numbers

    def lab(self, storage: Storage) -> Lab:
        return self._engine.lab(storage)

    def close(self) -> None:
        for storage in self._made:
            lab = self.lab(storage)
            if not lab.closed:
                found: list[str] = []
                try:
                    found = lab.violations()
                finally:
                    storage.close()
                assert not found, found


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """A worker that a test registered would live, and keep open what it needs, as long as the
    suite: hundreds of descriptors, which other tests count."""
    with ExitStack() as guards:
        for engine in ENGINES.values():
            guards.enter_context(engine.guard())
        yield


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    return found(request.param)


def found(name: str) -> Engine:
    """An engine that can be had; else the test is skipped, or fails."""
    with or_skip():
        ENGINES[name].find()
    return ENGINES[name]


@pytest.fixture
def make(engine: Engine, tmp_path: Path) -> Iterator[Maker]:
    """Opens storages of each engine."""
    with closing(Maker(engine, tmp_path)) as maker:
        yield maker


@pytest.fixture
def storage(make: Maker) -> Storage:
    """A queue of each engine."""
    return make()


@pytest.fixture
def lab(make: Maker, storage: Storage) -> Lab:
    """Looks behind ``storage``."""
    return make.lab(storage)


@pytest.fixture(params=[name for name, engine in ENGINES.items() if engine.shared])
def make_shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Maker]:
    """Opens storages on the same data, of each engine that other processes see."""
    with closing(Maker(found(request.param), tmp_path)) as maker:
        yield maker
