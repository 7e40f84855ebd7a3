"""Jobs open, read and close every file of the queue, as who copies or archives its folder does, in
the processes that use it. To close one of these drops all POSIX locks that a process has on it."""

from __future__ import annotations

import gc
import os
import random
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from hueycore.exceptions import StorageMoved
from hueycore.model.jobs import Selector
from hueycore.storage.sqlite import SqliteStorage, guard, ofd
from hueycore.storage.sqlite.dial import Connection
from hueycore.storage.sqlite.door import Door
from tests.helpers import stays_true, wait_until
from tests.storage.kit import born
from tests.storage.sqlite.faults.rig import Crew, Member, finish, fork, forked, rows
from tests.storage.sqlite.invariants import check_invariants

SECONDS = float(os.environ.get("HUEY_HAMMER_SECONDS", "8"))

needs_ofd = pytest.mark.skipif(not ofd.AVAILABLE, reason="no locks of descriptions here")
pytestmark = needs_ofd


#: The files of a queue.
ALL = ["", "-wal", "-shm", "-huey"]


def read_all(path: str) -> None:
    for suffix in ALL:
        Path(path + suffix).read_bytes()


def beside(path: str) -> list[str]:
    folder, name = os.path.split(path)
    return sorted(
        found.removeprefix(name) for found in os.listdir(folder) if found.startswith(name)
    )


def acknowledged(log: Path) -> list[str]:
    return log.read_text().split("\n")[:-1]  # the last line may have been cut by a kill


def assert_nothing_is_lost(path: str, ids: list[str]) -> None:
    stored = {one for (one,) in rows(path, "select id from huey_job")}
    assert ids, "nothing was enqueued"
    assert [one for one in ids if one not in stored] == []
    assert rows(path, "pragma integrity_check") == [("ok",)]
    check_invariants(path)


# --- the log stays ------------------------------------------------------------------------------


def shell(path: str) -> None:
    """Somebody else comes, writes and leaves: as he sees it, the last one."""
    rows(
        path, "insert into huey_value (queue, kind, name, created_at) values ('x', 'lock', 'x', 0)"
    )
    rows(path, "delete from huey_value where queue = 'x'")


def test_after_a_copy_in_this_process_another_ones_close_does_not_remove_the_log(
    file: SqliteStorage, path: str
) -> None:
    first = born(file).id
    log = os.stat(path + "-wal").st_ino
    read_all(path)

    forked(lambda: shell(path))

    assert os.stat(path + "-wal").st_ino == log
    second = born(file).id
    assert_nothing_is_lost(path, [first, second])


def test_the_last_one_to_leave_cleans_up(path: str) -> None:
    first, second = SqliteStorage(path), SqliteStorage(path)
    born(first)
    read_all(path)
    other = SqliteStorage(path, read_only=True)
    first.close()
    other.close()
    assert beside(path) == ["", "-huey", "-shm", "-wal"]

    second.close()

    assert beside(path) == ["", "-huey"]


def test_a_file_that_another_process_uses_is_not_cleaned_up(path: str, crew: Crew) -> None:
    with closing(SqliteStorage(path)) as storage:
        born(storage)
        member = crew.start("hold", path)
        assert member.hear() == "holding"
        read_all(path)
    assert beside(path) == ["", "-huey", "-shm", "-wal"]

    member.tell()

    assert member.hear() == "gone"
    wait_until(lambda: beside(path) == ["", "-huey"], what="the last one cleans up")


def test_a_reader_is_a_user_of_the_log_too(path: str) -> None:
    with closing(SqliteStorage(path)) as storage:
        born(storage)
        with closing(SqliteStorage(path, read_only=True)) as reader:
            read_all(path)
            storage.close()
            assert forked(lambda: shell(path)) is None
            assert "-wal" in beside(path)
            assert len(reader.workers()) == 0


def test_a_killed_process_holds_nothing(path: str, crew: Crew) -> None:
    SqliteStorage(path).close()
    member = crew.start("hold", path)
    assert member.hear() == "holding"
    member.kill()

    with closing(SqliteStorage(path)) as storage:
        born(storage)

    assert beside(path) == ["", "-huey"]


def test_a_forked_child_keeps_nothing_of_its_parents(path: str, crew: Crew) -> None:
    """A child that lives on, and has used the queue itself, is no user of the file any more."""
    with closing(SqliteStorage(path)) as storage:
        born(storage)
        receive, send = os.pipe()

        def child() -> bool:
            born(storage)
            storage.close()
            os.read(receive, 1)
            return True

        pair = fork(child)
        wait_until(lambda: len(rows(path, "select 1 from huey_job")) == 2)
    wait_until(lambda: beside(path) == ["", "-huey"])
    os.write(send, b"!")
    assert finish(pair)
    os.close(receive)
    os.close(send)


def test_a_database_that_nobody_closed_is_left_by_the_next_one_that_does(path: str) -> None:
    storage = SqliteStorage(path)
    born(storage)
    storage.db._write = storage.db._read = None  # closed, as CPython does when they are dropped
    del storage
    gc.collect()

    SqliteStorage(path).close()

    assert beside(path) == ["", "-huey"]


def test_opening_and_closing_leaves_no_descriptor(path: str) -> None:
    SqliteStorage(path).close()
    before, kept = len(os.listdir("/proc/self/fd")), set(guard._kept)
    for _ in range(5):
        with closing(SqliteStorage(path)) as storage:
            born(storage)
    assert len(os.listdir("/proc/self/fd")) == before
    assert set(guard._kept) <= kept  # another test's file may be in there


def test_a_connection_of_the_application_keeps_its_locks_when_the_queue_is_closed(
    path: str, raw: Callable[[], object]
) -> None:
    """Closing the guard's own descriptor would drop them."""
    mine = raw()
    with closing(SqliteStorage(path)) as storage:
        born(storage)
        mine.execute("select 1 from huey_job").fetchall()  # type: ignore[attr-defined]
    log = os.stat(path + "-wal").st_ino

    forked(lambda: shell(path))

    assert os.stat(path + "-wal").st_ino == log
    assert mine.execute("select count(*) from huey_job").fetchone() == (1,)  # type: ignore[attr-defined]


# --- who reads passes no door ---------------------------------------------------------------------


def begin_of(path: str, size: int) -> bytes:
    with open(path, "rb") as file:
        return file.read(size)


def spoil_index(path: str) -> bytes:
    """What a writer leaves who is stopped in the middle of a commit: the two copies of the head of
    the log's index differ. Answers the bytes that are there now."""
    descriptor = os.open(path + "-shm", os.O_RDWR)
    os.pwrite(descriptor, bytes(8), 16)
    os.close(descriptor)
    return begin_of(path + "-shm", 96)


@pytest.mark.parametrize("opened", [True, False])
def test_a_reader_makes_no_index_anew_under_somebody_who_writes(path: str, opened: bool) -> None:
    """The writer's own lock of SQLite may have been dropped by a copy: then only the door is left
    between a commit and a reader who takes the log for one that a dead process has left."""
    with closing(SqliteStorage(path)) as storage, ThreadPoolExecutor(1) as thread:
        born(storage)
        if not opened:
            storage.db._discard("_read")
        writer = Door(os.open(path + "-huey", os.O_RDWR))
        assert writer.enter(0)
        spoilt = spoil_index(path)

        count = thread.submit(storage.count, Selector())

        assert stays_true(lambda: begin_of(path + "-shm", 96) == spoilt, 0.3)
        writer.leave()
        assert count.result(10) == 1
        assert begin_of(path + "-shm", 96) != spoilt
        writer.close()


def test_a_read_is_done_again_when_the_log_was_copied_meanwhile(path: str) -> None:
    """Where a copy has dropped the lock that says where somebody reads, pages may be overwritten
    before he gets there."""
    with (
        closing(SqliteStorage(path)) as storage,
        closing(sqlite3.connect(path, isolation_level=None)) as shell,
    ):
        born(storage)
        seen: list[int] = []

        def body(con: Connection) -> int:
            seen.append(con.execute("select count(*) from huey_job").fetchone()[0])
            if len(seen) == 1:
                shell.execute("pragma wal_checkpoint(passive)").fetchall()
            return seen[-1]

        assert storage.db.read(body) == 1
        assert seen == [1, 1]
        assert storage.db.read(body) == 1
        assert seen == [1, 1, 1], "once when nobody disturbs it"


@pytest.mark.parametrize("suffix", ["-wal", "-shm"])
def test_a_log_that_was_taken_away_is_noticed_before_anything_is_lost(
    suffix: str, path: str
) -> None:
    storage = SqliteStorage(path)
    born(storage)
    os.rename(path + suffix, path + ".gone")
    with pytest.raises(StorageMoved):
        born(storage)
    with pytest.raises(StorageMoved):
        storage.db.checkpoint(truncate=True)
    os.rename(path + ".gone", path + suffix)
    born(storage)
    storage.close()
    assert rows(path, "select count(*) from huey_job") == [(2,)]


def test_vacuum_and_truncate_go_on_working(file: SqliteStorage, path: str) -> None:
    born(file)
    rows(path, "vacuum")
    rows(path, "pragma wal_checkpoint(truncate)")
    born(file)
    with pytest.raises(Exception, match="locked"):
        rows(path, "pragma journal_mode=delete")
    assert rows(path, "select count(*) from huey_job") == [(2,)]


# --- hammers ------------------------------------------------------------------------------------


def hammer(path: str, log: Path, crew: Crew, seconds: float, kills: bool) -> list[str]:
    """Four processes that come, write and go; with ``kills`` they die in between as well."""
    SqliteStorage(path).close()
    chance = random.Random(7)
    end = time.monotonic() + seconds

    def start() -> Member:
        left = max(0.1, end - time.monotonic())
        member = crew.start("come_and_go", path, str(log), left, 40, ALL)
        assert member.hear() == "ready"
        return member

    members = [start() for _ in range(4)]
    while kills and time.monotonic() < end - 0.5:
        time.sleep(chance.uniform(0.05, 0.5))  # a moment that nothing announces
        place = chance.randrange(len(members))
        members[place].kill()
        members[place] = start()
    for member in members:
        assert member.hear(30 + seconds) == "done"
        assert member.process.wait(10) == 0
    assert beside(path) == ["", "-huey"]
    return acknowledged(log)


def test_processes_that_come_and_go_while_all_files_are_read_lose_nothing(
    memory_path: str, tmp_path: Path, crew: Crew
) -> None:
    ids = hammer(memory_path, tmp_path / "log", crew, 1.5, kills=False)
    assert_nothing_is_lost(memory_path, ids)


@pytest.mark.slow
@pytest.mark.parametrize("where", ["disk", "memory"])
@pytest.mark.parametrize("kills", [False, True])
def test_nor_do_they_in_a_longer_time_and_killed(
    where: str, kills: bool, memory_path: str, disk_path: str, tmp_path: Path, crew: Crew
) -> None:
    path = memory_path if where == "memory" else disk_path
    ids = hammer(path, tmp_path / "log", crew, SECONDS, kills)
    assert_nothing_is_lost(path, ids)


@pytest.mark.slow
def test_a_shell_that_comes_checkpoints_and_goes_between_them_loses_nothing(
    memory_path: str, tmp_path: Path, crew: Crew
) -> None:
    """It passes no door: there is only SQLite's write lock between it and us, so that here nobody
    closes the -shm, where that lock is."""
    path, log = memory_path, tmp_path / "log"
    SqliteStorage(path).close()
    end = time.monotonic() + SECONDS
    suffixes = [suffix for suffix in ALL if suffix != "-shm"]
    members = [crew.start("come_and_go", path, str(log), SECONDS, 200, suffixes) for _ in range(2)]
    for member in members:
        assert member.hear() == "ready"
    while time.monotonic() < end:
        for statement in ("select count(*) from huey_job", "pragma wal_checkpoint(truncate)"):
            forked(lambda: rows(path, statement) and None)  # noqa: B023
    for member in members:
        assert member.hear(30 + SECONDS) == "done"
    assert_nothing_is_lost(path, acknowledged(log))
