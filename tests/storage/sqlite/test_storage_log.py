"""The sync of the log, when the write lock is free again."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from freezegun import freeze_time

from hueycore.exceptions import StorageError, StorageMoved
from hueycore.model.jobs import Selector
from hueycore.storage.sqlite import SqliteStorage, identity, log
from hueycore.system.shield import raise_shield
from tests.helpers import wait_until
from tests.storage.kit import new, worker


class Disk:
    """Its syncs wait until it is ``let_go``, and fail as long as ``error`` is a number."""

    def __init__(self) -> None:
        self.files: list[str] = []
        self.error: int | None = None
        #: The syncs after so many fail.
        self.sound: int | None = None
        self._free = threading.Event()
        self._free.set()
        self._real = log._to_disk

    def to_disk(self, descriptor: int) -> None:
        self.files.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        number = len(self.files)
        assert self._free.wait(20)
        if self.sound is not None and number > self.sound:
            self.error = errno.EIO
        if self.error is not None:
            raise OSError(self.error, os.strerror(self.error))
        self._real(descriptor)

    def hold(self) -> None:
        self._free.clear()

    def let_go(self) -> None:
        self._free.set()


@pytest.fixture
def disk(file: SqliteStorage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    slow = Disk()
    monkeypatch.setattr(log, "_to_disk", slow.to_disk)
    yield slow
    slow.let_go()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def test_others_write_while_one_waits_for_the_disk_and_share_the_next_sync(
    file: SqliteStorage, disk: Disk, threads: ThreadPoolExecutor
) -> None:
    disk.hold()
    answers: list[Future[object]] = []
    for number in range(6):
        answers.append(threads.submit(file.put, str(number), b"value"))
        wait_until(lambda: len(file.values()) == number + 1, 20, "a value for all")  # noqa: B023
    worker(file)  # what promises nothing waits for nobody
    with closing(sqlite3.connect(file.db.path, timeout=0)) as other:
        other.execute("create table somebodys_own (x)")
    assert not any(answer.done() for answer in answers)

    disk.let_go()

    assert [answer.result(20) for answer in answers] == [None] * 6
    assert disk.files == [f"{file.db.path}-wal"] * 2


def test_jobs_that_come_while_one_waits_for_the_disk_share_the_next_commit(
    file: SqliteStorage, disk: Disk, threads: ThreadPoolExecutor
) -> None:
    file.enqueue([new()])  # which makes the queue known
    disk.hold()
    answers = [threads.submit(file.enqueue, [new()])]
    wait_until(lambda: len(disk.files) == 2, 20, "a sync")
    before = file.db.commits
    answers += [threads.submit(file.enqueue, [new()]) for _ in range(6)]
    wait_until(lambda: len(file._tickets) == 7, 20, "threads that wait")
    assert file.count(Selector()) == 2, "what is on its way to the disk is there for all"
    assert not any(answer.done() for answer in answers)

    disk.let_go()

    assert all(answer.result(20) for answer in answers)
    assert file.count(Selector()) == 8
    assert file.db.commits == before + 1
    assert len(disk.files) == 3


def test_who_waited_for_a_sync_that_failed_is_told(
    file: SqliteStorage, disk: Disk, threads: ThreadPoolExecutor
) -> None:
    """The system tells of an error once: a second sync would succeed, and mean nothing."""
    disk.hold()
    answers: list[Future[object]] = [threads.submit(file.enqueue, [new()])]
    for number in range(3):
        answers.append(threads.submit(file.put, str(number), b"value"))
        wait_until(lambda: len(file.values()) == number + 1, 20, "a value for all")  # noqa: B023
    disk.error = errno.EIO
    disk.let_go()

    for answer in answers:
        with pytest.raises(StorageError, match=r"could not be synced .*: whether the last"):
            answer.result(20)
    assert len(disk.files) == 1

    # What is promised next must not stand behind pages of which nobody knows anything.
    disk.error = None
    file.enqueue([new()])

    assert frames_of_the_log(file.db.path) < 10
    assert file.count(Selector()) == 2


def test_all_whose_jobs_were_in_a_commit_that_was_not_synced_are_told(
    file: SqliteStorage, disk: Disk, threads: ThreadPoolExecutor
) -> None:
    file.enqueue([new()])
    disk.hold()
    first = threads.submit(file.enqueue, [new()])
    wait_until(lambda: len(disk.files) == 2, 20, "a sync")
    others = [threads.submit(file.enqueue, [new()]) for _ in range(4)]
    wait_until(lambda: len(file._tickets) == 5, 20, "threads that wait")
    disk.sound = 2
    disk.let_go()

    assert first.result(20)
    for answer in others:
        with pytest.raises(StorageError, match="could not be synced"):
            answer.result(20)
    assert len(disk.files) == 3


def frames_of_the_log(path: str) -> int:
    """Of the present generation."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        return int(other.execute("pragma wal_checkpoint(passive)").fetchone()[1])


def test_after_a_failed_sync_nothing_is_promised_while_a_reader_keeps_the_log(
    file: SqliteStorage, disk: Disk, raw: Callable[[], sqlite3.Connection]
) -> None:
    reader = raw()
    reader.execute("begin")
    reader.execute("select count(*) from huey_job").fetchone()
    disk.error = errno.EIO
    with pytest.raises(StorageError, match="could not be synced"):
        file.enqueue([new()])
    disk.error = None

    with pytest.raises(StorageError, match="could not be synced, and is read just now"):
        file.enqueue([new()])

    reader.execute("rollback")
    file.enqueue([new()])
    assert file.count(Selector()) == 2


def test_a_commit_into_a_log_that_was_taken_away_meanwhile_is_not_acknowledged(
    file: SqliteStorage, disk: Disk, threads: ThreadPoolExecutor
) -> None:
    disk.hold()
    answer = threads.submit(file.enqueue, [new()])
    wait_until(lambda: disk.files, 20, "a sync")
    os.rename(f"{file.db.path}-wal", f"{file.db.path}-taken")
    disk.let_go()

    with pytest.raises(StorageMoved, match="-wal was removed"):
        answer.result(20)

    os.rename(f"{file.db.path}-taken", f"{file.db.path}-wal")


def test_nobody_asks_the_system_about_the_log_between_two_commits(
    file: SqliteStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Linux would stamp what is written next more finely, which makes its sync dearer."""
    asked: list[str] = []
    stat = os.stat

    def noting(path: Any, **how: Any) -> os.stat_result:
        asked.append(str(path))
        return stat(path, **how)

    monkeypatch.setattr(os, "stat", noting)

    def enqueue_quietly() -> bool:
        asked.clear()
        file.enqueue([new()])
        return not any(path.endswith("-wal") for path in asked)

    wait_until(enqueue_quietly, 20, "the folder was left alone for a moment")
    assert asked


def test_a_frozen_clock_does_not_make_a_new_folder_an_old_one(tmp_path: Path) -> None:
    """Within a tick of its clock a file system does not tell of a second change."""
    path = tmp_path / "file"
    path.touch()
    found = identity.Identity(str(path))
    with freeze_time("2100-01-01"):
        os.utime(tmp_path)
        found.check()
    os.rename(path, tmp_path / "taken")
    changed = os.stat(tmp_path)
    path.touch()
    os.utime(tmp_path, ns=(changed.st_atime_ns, found._settled[2] if found._settled else 1))

    with pytest.raises(StorageMoved):
        found.check()


def test_a_connection_that_is_closed_meanwhile_keeps_what_was_promised(
    file: SqliteStorage, disk: Disk, threads: ThreadPoolExecutor
) -> None:
    """As before a fork, or when the janitor takes the checkpoints over."""
    disk.hold()
    first = threads.submit(file.enqueue, [new()])
    wait_until(lambda: disk.files, 20, "a sync")
    second = threads.submit(file.put, "name", b"value")
    wait_until(lambda: file.count(Selector()) == len(file.values()) == 1, 20, "both commits")
    closed = threads.submit(file.leave_checkpoints_to_janitor)
    assert not closed.done()

    disk.let_go()

    closed.result(20)
    assert first.result(20)
    assert second.result(20) is None
    assert len(disk.files) == 2


def test_without_a_descriptor_for_the_log_nothing_is_promised(
    file: SqliteStorage, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.leave_checkpoints_to_janitor()  # the next verb opens both anew
    open_file = os.open

    def scarce(path: str, flags: int, *mode: int) -> int:
        if path.endswith("-wal"):
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return open_file(path, flags, *mode)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", scarce)
        with pytest.raises(OSError, match="Too many open files"):
            file.enqueue([new()])
    assert file.count(Selector()) == 0

    file.enqueue([new()])

    assert disk.files == [f"{file.db.path}-wal"]


def test_no_time_limit_interrupts_a_producer_that_waits_for_the_disk(
    file: SqliteStorage, disk: Disk, threads: ThreadPoolExecutor
) -> None:
    shield = threading.Lock()

    def run() -> bool:
        raise_shield(shield)
        try:
            return bool(file.enqueue([new()]))
        finally:
            raise_shield(None)

    disk.hold()
    answer = threads.submit(run)
    wait_until(lambda: disk.files, 20, "a sync")
    assert shield.locked()

    disk.let_go()

    assert answer.result(20)
    assert not shield.locked()


def test_a_file_system_without_a_full_sync_is_synced_as_it_can(
    file: SqliteStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on macOS, with a disk of another system: the number is one that no system knows."""
    synced: list[int] = []
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        synced.append(descriptor)
        fsync(descriptor)

    monkeypatch.setattr(log.fcntl, "F_FULLFSYNC", 987_654, raising=False)
    monkeypatch.setattr(os, "fsync", watched)
    monkeypatch.setattr(log, "_to_disk", log._full_sync)

    file.enqueue([new()])

    assert len(synced) == 1
