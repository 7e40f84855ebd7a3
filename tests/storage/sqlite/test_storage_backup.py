"""``backup``: one moment of a queue that is in use, in a file that is whole and private."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path

import pytest

from hueycore.exceptions import StorageCorrupt, StorageError
from hueycore.model.jobs import Selector
from hueycore.storage.sqlite import SqliteStorage, backup
from tests.storage.conftest import Maker
from tests.storage.kit import born, new
from tests.storage.sqlite.faults.rig import dump
from tests.storage.sqlite.invariants import check_invariants


def ids(path: object) -> list[str]:
    with closing(SqliteStorage(str(path), read_only=True)) as copy:
        return [job.id for job in copy.jobs(Selector())]


def beside(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "backups"
    found.mkdir()
    return found


def test_a_copy_has_what_the_file_has_and_is_one_private_file(
    file: SqliteStorage, path: str, folder: Path
) -> None:
    file.enqueue([new() for _ in range(50)])
    before = os.umask(0)
    try:
        file.backup(str(folder / "copy.db"))
    finally:
        os.umask(before)

    assert beside(folder) == ["copy.db"]
    assert stat.S_IMODE((folder / "copy.db").stat().st_mode) == 0o600
    assert dump(str(folder / "copy.db")) == dump(path)
    check_invariants(str(folder / "copy.db"))
    with closing(SqliteStorage(folder / "copy.db")) as copy:
        born(copy)
    assert len(ids(folder / "copy.db")) == 51
    assert file.count(Selector()) == 50


def test_a_reader_and_a_queue_in_memory_are_copied_too(make: Maker, folder: Path) -> None:
    storage = make()
    job = born(storage)
    storage.backup(str(folder / "copy.db"))
    assert ids(folder / "copy.db") == [job.id]
    if storage.shared:
        with closing(SqliteStorage(storage.db.path, read_only=True)) as reader:
            reader.backup(str(folder / "second.db"))
        assert ids(folder / "second.db") == [job.id]


def test_a_copy_is_one_moment_while_others_write_and_checkpoint(
    file: SqliteStorage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And while the files of the queue are read in this process, which drops SQLite's own locks."""
    file.enqueue([new(payload=b"x" * 3000) for _ in range(200)])
    before = ids(file.db.path)
    monkeypatch.setattr(backup, "STEP", 20)
    steps: list[tuple[int, int]] = []

    def disturb(done: int, total: int) -> None:
        steps.append((done, total))
        for suffix in ("", "-wal", "-shm", "-huey"):
            Path(file.db.path + suffix).read_bytes()
        born(file, payload=b"y" * 3000)
        file.db.checkpoint(truncate=False)

    file.backup(str(folder / "copy.db"), on_progress=disturb)

    assert len(steps) > 5 and steps[-1][0] == steps[-1][1]
    assert ids(folder / "copy.db") == before
    check_invariants(str(folder / "copy.db"))
    assert file.count(Selector()) == len(before) + len(steps)


def test_others_read_and_write_meanwhile(file: SqliteStorage, folder: Path) -> None:
    born(file)
    done: list[int] = []

    def other() -> None:
        born(file)
        done.append(file.count(Selector()))

    def disturb(_: int, __: int) -> None:
        if not done:
            thread = threading.Thread(target=other)
            thread.start()
            thread.join(10)

    file.backup(str(folder / "copy.db"), on_progress=disturb)

    assert done == [2]


def test_others_write_while_a_file_that_nobody_used_is_read(path: str) -> None:
    """Its log is empty, and no mark in it is set yet."""
    with closing(SqliteStorage(path)) as before:
        before.enqueue([new() for _ in range(200)])
    with closing(SqliteStorage(path)) as reader, closing(SqliteStorage(path)) as writer:
        pages = reader.dump(Selector())
        seen = [*next(pages)]
        for _ in range(20):
            born(writer)
            writer.checkpoint()
        writer.db.checkpoint(truncate=True)
        assert writer.count(Selector()) == 220
        seen += [one for page in pages for one in page]

    assert len(seen) == 200


def test_an_existing_file_is_replaced_only_when_told(file: SqliteStorage, folder: Path) -> None:
    copy = folder / "copy.db"
    copy.write_text("mine")
    with pytest.raises(FileExistsError, match=r"copy\.db"):
        file.backup(str(copy))
    assert copy.read_text() == "mine"

    job = born(file)
    file.backup(str(copy), overwrite=True)

    assert beside(folder) == ["copy.db"]
    assert ids(copy) == [job.id]


def test_a_database_in_use_and_the_queue_itself_are_never_overwritten(
    file: SqliteStorage, path: str, folder: Path
) -> None:
    job = born(file)
    with closing(SqliteStorage(folder / "other.db")), pytest.raises(StorageError, match="in use"):
        file.backup(str(folder / "other.db"), overwrite=True)
    os.link(path, folder / "same.db")
    for name in (path, str(folder / "same.db")):
        with pytest.raises(StorageError, match="itself"):
            file.backup(name, overwrite=True)
    with pytest.raises(StorageError, match="regular file"):
        file.backup(str(folder), overwrite=True)
    assert ids(path) == [job.id]


def test_a_copy_that_fails_leaves_nothing(file: SqliteStorage, folder: Path) -> None:
    born(file)

    def stop(_: int, __: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        file.backup(str(folder / "copy.db"), on_progress=stop)
    with pytest.raises(FileNotFoundError):
        file.backup(str(folder / "missing" / "copy.db"))

    assert beside(folder) == []
    born(file)


def test_a_damaged_queue_is_no_backup(path: str, folder: Path) -> None:
    """The last good one stays."""
    with closing(SqliteStorage(path)) as storage:
        storage.enqueue([new(payload=b"x" * 3000) for _ in range(200)])
        storage.backup(str(folder / "copy.db"))
    good = (folder / "copy.db").read_bytes()
    with Path(path).open("r+b") as broken:
        broken.seek(len(good) // 8192 * 4096)
        broken.write(b"\xff" * 8192)

    with closing(SqliteStorage(path)) as storage, pytest.raises(StorageCorrupt, match="damaged"):
        storage.backup(str(folder / "copy.db"), overwrite=True)

    assert (folder / "copy.db").read_bytes() == good
    assert beside(folder) == ["copy.db"]


def test_a_database_without_a_queue_is_no_backup(tmp_path: Path, folder: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "else.db")) as connection:
        connection.execute("create table mine (x)")
    with pytest.raises(StorageCorrupt):
        SqliteStorage(tmp_path / "else.db", read_only=True).backup(str(folder / "copy.db"))
    assert beside(folder) == []
