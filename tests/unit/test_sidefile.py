"""The side file within one process: bytes, slots, the bell. Other processes: tests/storage."""

from __future__ import annotations

import fcntl
import mmap
import os
import stat
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hueycore.constants import MAX_WORKERS
from hueycore.exceptions import StorageError
from hueycore.storage.sqlite import ofd
from hueycore.storage.sqlite.sidefile import (
    LAST_WORKER,
    SideFile,
    attach,
)
from hueycore.storage.sqlite.slots import PAIR, MemorySlots, pairs
from hueycore.system.machine import boot_id
from tests.storage.sqlite.faults.rig import finish, fork, forked


@pytest.fixture
def database(tmp_path: Path) -> str:
    path = tmp_path / "queue.db"
    path.touch(0o640)
    return str(path)


@pytest.fixture
def side(database: str) -> Iterator[SideFile]:
    found = attach(database, 0o600)
    yield found
    for number in list(found._held):
        found.unlock(number)
    found.detach()


# --- the file -------------------------------------------------------------------------------------


def test_it_is_made_beside_the_database_with_its_mode_whatever_the_umask(database: str) -> None:
    os.chmod(database, 0o640)
    before = os.umask(0o077)
    try:
        side = attach(database, 0o600)
    finally:
        os.umask(before)

    assert stat.S_IMODE(os.stat(database + "-huey").st_mode) == 0o640
    side.detach()


def test_who_only_looks_makes_none(database: str) -> None:
    with pytest.raises(FileNotFoundError):
        attach(database)

    assert not os.path.exists(database + "-huey")


def test_a_process_has_one_descriptor_for_a_file(database: str, side: SideFile) -> None:
    before = len(os.listdir("/proc/self/fd"))

    others = [attach(database, 0o600) for _ in range(5)]

    assert all(other is side for other in others)
    assert len(os.listdir("/proc/self/fd")) == before
    for other in others:
        other.detach()
    assert side.lock(1)


def test_the_last_user_closes_it(database: str) -> None:
    first, second = attach(database, 0o600), attach(database, 0o600)
    descriptor = first._descriptor
    first.detach()
    os.fstat(descriptor)
    second.detach()

    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
    again = attach(database, 0o600)
    assert again is not first
    again.detach()


def test_it_is_not_closed_while_a_byte_is_held(database: str) -> None:
    side = attach(database, 0o600)
    assert side.lock(7)
    side.detach()

    again = attach(database, 0o600)
    assert again is side and again.locked(7)
    again.unlock(7)
    again.detach()


def test_a_removed_or_replaced_file_is_noticed(database: str, side: SideFile) -> None:
    assert not side.moved()
    os.rename(side.path, side.path + ".old")
    assert side.moved()
    other = attach(database, 0o600)

    assert other is not side
    assert not other.moved() and side.moved()
    other.detach()


def test_a_file_that_was_cut_off_is_noticed_and_kills_nobody(side: SideFile) -> None:
    """As ``: > queue.db-huey`` in a shell does. A store into a map of it would end in SIGBUS."""
    assert side.lock(3)
    slots = side.open_slots(3, 8)
    slots.start(0, 10, 1)
    assert not side.moved()

    os.truncate(side.path, 0)

    assert side.moved()
    slots.start(1, 11, 1)
    slots.clear(0)
    assert side.moved(), "the file has grown again"
    slots.close()


@pytest.mark.parametrize("kind", ["symbolic link", "fifo"])
def test_anything_but_a_file_is_refused(kind: str, database: str, tmp_path: Path) -> None:
    if kind == "fifo":
        os.mkfifo(database + "-huey")
    else:
        (tmp_path / "else").touch()
        os.symlink(tmp_path / "else", database + "-huey")
    for mode in (None, 0o600):
        with pytest.raises(StorageError, match="not a regular file"):
            attach(database, mode)


@pytest.mark.root
def test_a_file_of_somebody_who_may_not_write_the_database_is_refused(database: str) -> None:
    """He could take everybody's bytes, or cut the file off."""
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.close(os.open(database + "-huey", os.O_CREAT | os.O_RDWR, 0o666))
    os.chown(database + "-huey", 65534, 65534)
    with pytest.raises(StorageError, match="belongs to user 65534"):
        attach(database, 0o600)

    os.chmod(database, 0o660)  # the members of a group share it

    attach(database, 0o600).detach()


def test_a_directory_of_its_name_is_a_storage_error(database: str) -> None:
    os.mkdir(database + "-huey")

    with pytest.raises(StorageError, match="directory"):
        attach(database, 0o600)


# --- bytes ----------------------------------------------------------------------------------------


def test_a_byte_is_taken_once(side: SideFile) -> None:
    assert side.lock(1) and side.lock(LAST_WORKER)
    assert not side.lock(1)
    assert side.locked(1) and not side.locked(2)

    side.unlock(1)

    assert not side.locked(1) and side.locked(LAST_WORKER)
    assert side.lock(1)


def test_a_byte_outlives_whatever_else_is_closed(side: SideFile) -> None:
    assert side.lock(7)
    side.open_slots(7, 8)
    with open(side.path, "rb") as file:
        file.read()
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ).close()
    os.close(os.dup(side._held[7].fileno()))

    assert forked(lambda: side.locked(7)) is True


def test_a_forked_child_holds_no_byte(side: SideFile) -> None:
    """It may outlive its parent, whose byte is free then."""
    assert side.lock(7)
    receive, send = os.pipe()
    answer, told = os.pipe()
    child = fork(lambda: os.write(told, b"!") + len(os.read(receive, 1)))
    os.read(answer, 1)

    side.unlock(7)

    assert side.lock(7), "the child's copy of the descriptor holds it"
    os.write(send, b"!")
    finish(child)
    for descriptor in (receive, send, answer, told):
        os.close(descriptor)


@pytest.mark.parametrize("own", [True, False])
def test_posix_locks_do_where_there_are_no_others(
    own: bool, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("AVAILABLE", False), ("SETLK", fcntl.F_SETLK), ("GETLK", fcntl.F_GETLK)):
        monkeypatch.setattr(ofd, name, value)
    side = attach(database, 0o600)
    assert side.lock(7) and not side.lock(7)
    assert side.locked(7), "a process sees no lock of its own"
    assert side._held == {7: None}
    assert side.process(7) == forked(lambda: side.process(7)) == os.getpid()
    assert forked(lambda: side.locked(7))
    other = attach(database, 0o600)
    assert other is side
    if own:
        side.unlock(7)
        assert not forked(lambda: side.locked(7))
        assert forked(lambda: side.process(7)) is None
    other.detach()
    side.unlock(7)
    side.detach()


def test_the_process_of_a_worker_is_known_again_after_a_copy(side: SideFile) -> None:
    assert side.lock(7)
    assert forked(lambda: side.process(7)) == side.process(7) == os.getpid()
    Path(side.path).read_bytes()
    assert forked(lambda: (side.locked(7), side.process(7))) == [True, None]

    assert not side.moved()

    assert forked(lambda: side.process(7)) == os.getpid()
    side.unlock(7)
    assert forked(lambda: (side.locked(7), side.process(7))) == [False, None]


def test_looking_at_a_byte_does_not_take_it(side: SideFile) -> None:
    assert not any(side.locked(number) for number in range(1, 50))
    assert all(side.lock(number) for number in range(1, 50))


@pytest.mark.slow
def test_one_of_many_threads_takes_a_byte(side: SideFile) -> None:
    barrier = threading.Barrier(4)

    def race(_: int) -> list[bool]:
        won = []
        for number in range(1, 200):
            barrier.wait()
            won.append(side.lock(number))
        return won

    with ThreadPoolExecutor(4) as pool:
        rounds = list(pool.map(race, range(4)))

    assert [sum(one) for one in zip(*rounds, strict=True)] == [1] * 199


# --- slots ----------------------------------------------------------------------------------------


def test_a_started_run_is_read_until_it_is_cleared(side: SideFile) -> None:
    slots = side.open_slots(3, 8)
    slots.start(0, 10, 1)
    slots.start(5, 2**40, 2**33)
    assert list(side.read_slots(3, 8)) == [(0, 10, 1), (5, 2**40, 2**33)]

    slots.clear(0)
    slots.start(5, 11, 2)

    assert list(side.read_slots(3, 8)) == [(5, 11, 2)]
    slots.close()
    assert list(side.read_slots(3, 8)) == [(5, 11, 2)]


def test_workers_have_regions_of_their_own(side: SideFile) -> None:
    mapped = {number: side.open_slots(number, MAX_WORKERS) for number in (1, 2, LAST_WORKER)}
    for number, slots in mapped.items():
        slots.start(0, number, 1)
        slots.start(MAX_WORKERS - 1, number, 2)

    for number, slots in mapped.items():
        assert list(side.read_slots(number, MAX_WORKERS)) == [
            (0, number, 1),
            (MAX_WORKERS - 1, number, 2),
        ]
        slots.close()


def test_a_region_is_clean_for_its_next_worker(side: SideFile) -> None:
    slots = side.open_slots(2, 300)
    for slot in range(300):
        slots.start(slot, 1 + slot, 1)
    slots.close()

    again = side.open_slots(2, 300)

    assert list(side.read_slots(2, 300)) == []
    again.close()


def test_a_worker_nobody_was_has_no_runs(side: SideFile) -> None:
    assert list(side.read_slots(77, 4)) == []


def test_too_many_slots_are_refused(side: SideFile) -> None:
    with pytest.raises(StorageError, match="4096"):
        side.open_slots(1, MAX_WORKERS + 1)


def test_slots_do_not_touch_the_lock_bytes(side: SideFile) -> None:
    assert side.lock(1)
    slots = side.open_slots(1, 4)
    slots.start(0, 5, 1)
    slots.close()

    assert side.locked(1)


@given(
    before=st.tuples(st.integers(0, 2**62), st.integers(0, 2**62)),
    after=st.tuples(st.integers(1, 2**62), st.integers(1, 2**62)),
    written=st.sampled_from([8, 16]),
)
def test_a_torn_slot_never_names_a_run_that_nobody_began(
    before: tuple[int, int], after: tuple[int, int], written: int
) -> None:
    """A process may die between the two halves of a store: what is read then is a pair that is
    held against (seq, claim) of a running job, and claims of one job only grow."""
    memory = bytearray(PAIR.pack(*before))
    memory[:written] = PAIR.pack(*after)[:written]

    found = {pair[1:] for pair in pairs(memory)}

    assert found <= {after, (after[0], before[1])}


def test_memory_has_slots_too() -> None:
    slots = MemorySlots(2)
    slots.start(1, 5, 6)

    assert list(slots.pairs()) == [(1, 5, 6)]
    slots.clear(1)
    assert list(slots.pairs()) == []
    slots.close()


# --- the rest -------------------------------------------------------------------------------------


def test_ringing_touches_the_file_and_never_fails(side: SideFile) -> None:
    os.utime(side.path, (1, 1))
    side.ring()
    assert os.stat(side.path).st_mtime > 1

    os.unlink(side.path)
    side.ring()


def test_the_boot_has_one_name() -> None:
    assert boot_id() == boot_id()
    assert len(boot_id()) == 36
