from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hueycore.storage.sqlite import SqliteStorage, dial, sidefile
from tests.helpers import Clock, give_up_after
from tests.storage.sqlite.faults.rig import NOW, Crew, FaultyConnection, World, build
from tests.storage.sqlite.invariants import check_invariants
from tests.storage.sqlite.lab import give_back

Opener = Callable[[], SqliteStorage]


@pytest.fixture
def crew() -> Iterator[Crew]:
    """Helper processes, gone at the end of the test."""
    members = Crew()
    yield members
    members.dismiss()


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Statements fail when a plan says so."""
    monkeypatch.setattr(dial, "connection_class", FaultyConnection)
    give_up_after(monkeypatch, 0.01)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, World]:
    """A closed file with a job in every situation."""
    path = str(tmp_path_factory.mktemp("world") / "queue.db")
    with pytest.MonkeyPatch.context() as patch:
        Clock(patch).freeze(NOW)
        return path, build(path)


@pytest.fixture
def memory_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one, for what commits ten thousand times."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


@pytest.fixture
def memory_path(memory_folder: Path) -> str:
    return str(memory_folder / "queue.db")


@pytest.fixture
def disk_path() -> Iterator[str]:
    """Where syncs take their time."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        yield os.path.join(folder, "queue.db")


@pytest.fixture
def memory_file(memory_path: str) -> Iterator[SqliteStorage]:
    """A queue in a file that costs no disk."""
    storage = SqliteStorage(memory_path)
    yield storage
    close(storage)
    check_invariants(memory_path)


@pytest.fixture
def world(
    template: tuple[str, World], memory_folder: Path, clock: Clock
) -> Iterator[tuple[World, Opener]]:
    """The numbers in such a file, and how to open a fresh copy of it."""
    clock.freeze(NOW + 100)
    opened: list[SqliteStorage] = []

    def fresh() -> SqliteStorage:
        while opened:
            close(opened.pop())
        folder = memory_folder / "copy"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        shutil.copy(template[0], folder / "queue.db")
        storage = SqliteStorage(folder / "queue.db")
        storage._since.update((row.id, row.started_at) for row in storage.workers())
        opened.append(storage)
        return storage

    yield template[1], fresh
    while opened:
        close(opened.pop())


def close(storage: SqliteStorage) -> None:
    """Unless the test has failed because a lock is held: then this would hang and hide it."""
    if not (storage.db._lock.locked() or storage.db._read_lock.locked()):
        storage.close()


@pytest.fixture(autouse=True)
def no_byte_stays_locked() -> Iterator[None]:
    """A test gives back the lock bytes that it took: another file could have their inode."""
    before = set(sidefile._files)
    yield
    for side in give_back(before):  # threads that attach at a time may count one user too many
        assert not side._held, f"{side.path}: worker bytes {side._held} are still locked"
