"""Locks of open file descriptions, within one process and seen from a forked one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hueycore.storage.sqlite import ofd
from hueycore.storage.sqlite.door import Door
from tests.storage.sqlite.faults.rig import finish, fork, forked

pytestmark = pytest.mark.skipif(not ofd.AVAILABLE, reason="no locks of descriptions here")

Opener = Callable[[], int]


@pytest.fixture
def describe(tmp_path: Path) -> Iterator[Opener]:
    """Opens descriptions of one file."""
    opened: list[int] = []

    def describe() -> int:
        opened.append(os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT, 0o600))
        return opened[-1]

    yield describe
    for descriptor in opened:
        os.close(descriptor)


def test_two_descriptions_of_one_process_keep_each_other_out(describe: Opener) -> None:
    first, second = describe(), describe()
    assert ofd.take(first, 5)
    assert ofd.take(first, 5), "one never keeps itself out"
    assert not ofd.take(second, 5) and ofd.take(second, 6)

    ofd.free(first, 5)

    assert ofd.take(second, 5)


def test_shared_locks_are_several_and_keep_out_one_that_is_not(describe: Opener) -> None:
    first, second, third = describe(), describe(), describe()
    assert ofd.take(first, 100, 50, shared=True) and ofd.take(second, 149, shared=True)
    assert not ofd.take(third, 149)
    assert ofd.take(third, 150)


def test_who_holds_a_byte_is_seen_without_taking_it(describe: Opener) -> None:
    mine, other = describe(), describe()
    assert not ofd.held(mine, 5)
    ofd.take(other, 5)

    assert ofd.held(mine, 5)
    assert not ofd.held(other, 5), "its own does not keep it out"
    assert ofd.held(mine, 0, 10) and not ofd.held(mine, 6, 10)


def test_who_signs_a_byte_is_known_until_the_file_is_closed(
    describe: Opener, tmp_path: Path
) -> None:
    mine = describe()
    assert forked(lambda: ofd.signer(mine, 8)) is None

    ofd.sign(mine, 8)

    assert forked(lambda: ofd.signer(mine, 8)) == os.getpid()
    assert forked(lambda: ofd.sign(mine, 8)) is None, "nobody waits for it"
    (tmp_path / "file").read_bytes()
    assert forked(lambda: ofd.signer(mine, 8)) is None
    ofd.sign(mine, 8)
    ofd.unsign(mine, 8)
    assert forked(lambda: ofd.signer(mine, 8)) is None


def test_a_lock_ends_with_its_description_only(describe: Opener, tmp_path: Path) -> None:
    mine = describe()
    descriptor = os.open(tmp_path / "file", os.O_RDWR)
    ofd.take(descriptor, 5)
    (tmp_path / "file").read_bytes()
    os.close(os.dup(descriptor))
    assert ofd.held(mine, 5)

    os.close(descriptor)

    assert not ofd.held(mine, 5)


# --- the door -------------------------------------------------------------------------------------


def test_one_at_a_time_passes_a_door(describe: Opener) -> None:
    first, second = Door(describe()), Door(describe())
    assert first.enter(0.0) and first.enter(0.0)
    assert not second.enter(time.monotonic() + 0.01)

    first.leave()

    assert second.enter(0.0)
    first.leave()
    assert not first.enter(0.0), "who is not inside gives nothing back"
    second.leave()
    for door in (first, second):
        door._descriptor = -1  # the fixture closes it


def test_a_door_is_waited_for_and_free_when_whoever_was_inside_dies(
    describe: Opener, tmp_path: Path
) -> None:
    door = Door(os.dup(describe()))
    receive, send = os.pipe()
    answer, told = os.pipe()

    def inside() -> None:
        other = Door(os.open(tmp_path / "file", os.O_RDWR))
        assert other.enter(0.0)
        os.write(told, b"!")
        os.read(receive, 1)

    child = fork(inside)
    os.read(answer, 1)
    assert not door.enter(time.monotonic() + 0.02)
    os.write(send, b"!")
    assert door.enter(time.monotonic() + 10)
    finish(child)
    door.close()
    door.close()
    for descriptor in (receive, send, answer, told):
        os.close(descriptor)
