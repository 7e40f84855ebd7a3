"""A disk that is full: nothing is lost, and what is said is true."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hueycore.exceptions import StorageFull
from hueycore.model.diagnosis import PROBLEM
from hueycore.model.jobs import Selector, Want
from hueycore.storage.sqlite import SqliteStorage
from hueycore.storage.sqlite.checkup import fsync
from tests.storage.kit import ended, new, take, worker
from tests.storage.sqlite.faults.rig import rows
from tests.storage.sqlite.invariants import check_invariants


@pytest.fixture
def tiny() -> Iterator[Path]:
    """A file system of one megabyte."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount")
    with tempfile.TemporaryDirectory() as folder:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True
        )
        if mounted.returncode:
            pytest.skip(f"cannot mount here: {mounted.stderr.decode().strip()}")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", folder], check=True)


def fill(folder: Path) -> Path:
    """Write until there is no space left."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, pytest.raises(OSError):
        while True:
            file.write(b"x" * 4096)
    return ballast


@pytest.mark.root
def test_a_full_file_system_loses_nothing_that_was_acknowledged(tiny: Path) -> None:
    path = str(tiny / "queue.db")
    ballast = tiny / "ballast"
    with closing(SqliteStorage(path)) as storage:
        number = worker(storage)
        ballast.write_bytes(b"x" * 300_000)
        acknowledged: list[str] = []
        with pytest.raises(StorageFull):
            while len(acknowledged) < 1000:
                acknowledged.append(storage.enqueue([new(payload=b"x" * 2000)])[0].id)
        assert len(acknowledged) > 20
        with pytest.raises(StorageFull):
            storage.put("value", b"x" * 200_000)
        assert {job.id for job in storage.jobs(Selector())} == set(acknowledged)

        ballast.unlink()

        runs: Counter[str] = Counter()
        while claims := take(storage, number, 10):
            runs.update(claim.id for claim in claims)
            storage.exchange(number, [ended(claim) for claim in claims], Want(0))
        assert runs == Counter(acknowledged)
        storage.unregister(number)
    check_invariants(path)


@pytest.mark.root
def test_a_worker_cannot_register_on_a_full_file_system_and_holds_nothing(tiny: Path) -> None:
    path = str(tiny / "queue.db")
    with closing(SqliteStorage(path)) as storage:
        storage.enqueue([new()])
        side = storage.side()
        assert side is not None
        ballast = fill(tiny)

        with pytest.raises(StorageFull):
            worker(storage)

        assert rows(path, "select * from huey_worker") == []
        assert not side._held
        ballast.unlink()
        number = worker(storage)
        assert list(side._held) == [number]
        storage.unregister(number)


@pytest.mark.root
def test_a_checkpoint_on_a_full_file_system_keeps_the_log(tiny: Path) -> None:
    path = str(tiny / "queue.db")
    with closing(SqliteStorage(path)) as storage:
        storage.leave_checkpoints_to_janitor()
        ids = [storage.enqueue([new(payload=b"x" * 3000)])[0].id for _ in range(15)]
        ballast = fill(tiny)

        with pytest.raises(StorageFull):
            storage.db.checkpoint(truncate=False)

        assert [job.id for job in storage.jobs(Selector())] == ids
        ballast.unlink()
        storage.db.checkpoint(truncate=True)
        assert storage.size()[1] == 0
        assert [job.id for job in storage.jobs(Selector())] == ids


@pytest.mark.root
def test_a_copy_for_which_there_is_no_space_is_what_is_named(tiny: Path, tmp_path: Path) -> None:
    fill(tiny)
    with closing(SqliteStorage(str(tmp_path / "queue.db"))) as storage:
        storage.enqueue([new()])

        with pytest.raises(StorageFull, match=f"no space left to write {tiny}/copy.db"):
            storage.backup(str(tiny / "copy.db"))

    assert [each.name for each in tiny.iterdir()] == ["ballast"]


@pytest.mark.root
def test_a_disk_that_takes_nothing_is_a_problem_of_durability(tiny: Path) -> None:
    fill(tiny)

    (found,) = fsync(str(tiny / "queue.db"))

    assert (found.name, found.status) == ("durability", PROBLEM)
    assert found.text == f"nothing can be written to {tiny}: No space left on device"
